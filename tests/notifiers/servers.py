"""Providers to send to: an HTTP server that misbehaves on order, and an SMTP server likewise, both on the loopback."""

import asyncio
import json
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.servers import require


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form post."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer with."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    announced: int | None = None
    """Content-Length to claim, where it is not the body's."""


def json_answer(status: int, data: dict[str, Any], *headers: tuple[str, str]) -> Answer:
    """Answer as an API does."""
    return Answer(status, json.dumps(data).encode(), (("Content-Type", "application/json"), *headers))


HANG, RESET, CLOSE = "hang", "reset", "close"
"""Read the whole request and then say nothing, send RST, or close politely."""


@dataclass
class HttpServer:
    """Answers each request with what ``behaviour`` says, and keeps what it got."""

    behaviour: Callable[[Request], Answer | str]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection, keeping it open between requests as providers do."""
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                answer = self.behaviour(request)
                if answer == HANG:
                    await reader.read()
                    break
                if answer == RESET:
                    # Linger of zero seconds makes close() send RST.
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                if isinstance(answer, str):
                    break
                writer.write(_wire(answer))
                await writer.drain()
                if answer.announced is not None:
                    break
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def http_server(
    behaviour: Callable[[Request], Answer | str] | Answer | str, context: ssl.SSLContext | None = None
) -> AsyncIterator[HttpServer]:
    """Run a server for a test; a plain answer serves every request."""
    act = behaviour if callable(behaviour) else lambda _: behaviour
    served = HttpServer(act)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    served.url = f"{'https' if context else 'http'}://localhost:{port}" if context else f"http://127.0.0.1:{port}"
    try:
        yield served
    finally:
        server.close()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def _wire(answer: Answer) -> bytes:
    length = len(answer.body) if answer.announced is None else answer.announced
    lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """A port whose backlog is full, so that connecting to it neither succeeds nor fails."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        try:
            yield port
        finally:
            for one in waiting:
                one.close()


def closed_port() -> int:
    """A port that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost and 127.0.0.1 that is its own authority; return (certificate, key)."""
    openssl = require("openssl", "openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-keyout", key, "-out", cert, "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


def server_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context and the file a client must trust."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
