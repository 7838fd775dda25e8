"""Whether the embedded broker's MQTT listener speaks MQTT yet: asked as a client would."""

import asyncio
import ssl
import struct

from gateway.ingest.connection import Unreachable
from gateway.ingest.server_config import Listener

CLIENT_ID = "gateway-readiness"
"""Where devices need a login this client is refused, which is an answer too."""


async def await_connack(listener: Listener, port: int) -> None:
    """Speak MQTT to our own listener until it answers CONNECT, with whatever return code.

    Raises Unreachable or OSError where it does not.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.host, listener.host)  # noqa: S104 - nothing is bound here
    context = None
    if listener.tls_cert:
        # Our own certificate, on our own machine, for its public name: there is nothing to verify.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        client_id = CLIENT_ID.encode()
        connect_packet = b"\x00\x04MQTT\x04\x02\x00\x0a" + struct.pack(">H", len(client_id)) + client_id
        writer.write(bytes((0x10, len(connect_packet))) + connect_packet)
        await writer.drain()
        answer = await reader.readexactly(4)
        if answer[0] != 0x20:
            raise Unreachable("the MQTT listener does not speak MQTT")
        if answer[3] == 0:
            writer.write(b"\xe0\x00")
            await writer.drain()
    except asyncio.IncompleteReadError as error:
        raise Unreachable("the MQTT listener closed the connection") from error
    finally:
        writer.close()
