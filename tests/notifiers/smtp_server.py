"""A mail server that fails on order, line by line; ``tests/system`` has a real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

DROP = "drop"
"""Close the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Script:
    """What it answers at each step; an empty answer is silence."""

    greeting: str = "220 ready"
    mail: str = "250 ok"
    rcpt: str = "250 ok"
    data: str = "354 go on"
    end: str = "250 accepted"


@asynccontextmanager
async def smtp_server(script: Script) -> AsyncIterator[int]:
    """Run it and give its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(script, reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _converse(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answers = {"MAIL": script.mail, "RCPT": script.rcpt, "DATA": script.data, "QUIT": "221 bye"}
    if not await _say(script.greeting, writer):
        return
    while line := (await reader.readline()).decode().strip():
        verb = line[:4].upper()
        if not await _say(answers.get(verb, "250 ok"), writer):
            return
        if verb == "DATA" and script.data.startswith("354"):
            await reader.readuntil(b"\r\n.\r\n")
            if not await _say(script.end, writer):
                return


async def _say(answer: str, writer: asyncio.StreamWriter) -> bool:
    """Answer; False where the connection is to end."""
    if answer == DROP:
        return False
    if answer:
        writer.write(f"{answer}\r\n".encode())
        await writer.drain()
    return True
