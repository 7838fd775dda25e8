"""``gateway decode``: show what the gateway makes of messages, without a broker or a store."""

import base64
import binascii
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol, cast

import orjson
import typer

from device_models.decoders.dispatch import Dispatcher
from device_models.event import Message, Rejection
from gateway.cli.options import ConfigOption, plain_errors, read_config

_CHUNK_BYTES = 1 << 20


class Readable(Protocol):
    """A buffered byte stream."""

    def read1(self, size: int, /) -> bytes:
        """Return what there is, at most ``size`` bytes, waiting only for the first; empty at the end."""


def decode(
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines of {"topic", "payload" or "payload_b64"} from standard input.')
    ] = False,
    received_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Arrival time of all messages, RFC 3339; default: now.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Decode MQTT messages: one line in, one line out, in the same order.

    A line out is {"ok": true, "events": [...], "note"} or {"ok": false, "error"}.
    """
    from gateway.decoders import build_dispatcher
    from gateway.errors import StartRefused

    if not jsonl:
        raise typer.BadParameter("say --jsonl and give messages on standard input", param_hint="--jsonl")
    at = _arrival(received_at)
    with plain_errors(StartRefused):
        dispatcher = build_dispatcher(read_config(config).decoders)
    # typeshed calls it BinaryIO, which has no read1; it is a BufferedReader.
    source, sink = cast("Readable", sys.stdin.buffer), sys.stdout.buffer
    try:
        for lines in arriving_lines(source):
            sink.writelines(decode_lines(lines, dispatcher, at))
            # What came in together goes out together: a person at a pipe sees each answer, a file costs few writes.
            sink.flush()
    except BrokenPipeError:
        # The reader has enough (head). Python would complain once more while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def arriving_lines(source: Readable) -> Iterator[list[bytes]]:
    """Yield the complete lines of a stream as they arrive, without waiting for more than there is."""
    rest = b""
    while chunk := source.read1(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def decode_lines(lines: Iterable[bytes], dispatcher: Dispatcher, received_at: datetime | None) -> Iterator[bytes]:
    """Answer each line with one line. ``received_at`` is aware UTC; None takes the clock for each."""
    for line in lines:
        yield orjson.dumps(_answer(line, dispatcher, received_at or datetime.now(UTC))) + b"\n"


def _answer(line: bytes, dispatcher: Dispatcher, received_at: datetime) -> dict[str, Any]:
    try:
        message = _message(line, received_at)
    except ValueError as error:
        return {"ok": False, "error": str(error)}
    outcome = dispatcher.decode(message)
    if isinstance(outcome, Rejection):
        return {"ok": False, "error": outcome.reason}
    return {"ok": True, "events": [event.as_dict() for event in outcome.events], "note": outcome.note}


def _message(line: bytes, received_at: datetime) -> Message:
    """Read a line of input; raises ValueError saying what is wrong with it."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"line: is no JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("topic"), str):
        raise ValueError("line: is no object with a topic")
    payload, encoded = data.get("payload"), data.get("payload_b64")
    if isinstance(payload, str):
        raw = payload.encode()
    elif payload is None and isinstance(encoded, str):
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"payload_b64: is no base64: {error}") from error
    else:
        raise ValueError("line: has neither a payload as text nor a payload_b64")
    return Message(data["topic"], raw, received_at, retained=data.get("retained") is True)


def _arrival(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is no RFC 3339 time", param_hint="--received-at") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"'{text}' has no time zone; end it with Z", param_hint="--received-at")
    return at.astimezone(UTC)
