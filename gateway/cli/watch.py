"""``gateway watch``: what arrives at the embedded broker, and what the gateway makes of it."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr


def watch(
    topic: Annotated[str, typer.Argument(help="MQTT topic filter, such as devices/#.")] = "#",
    broker: Annotated[str | None, typer.Option(help="Default: the embedded broker, mqtt://HOST:PORT.")] = None,
    username: Annotated[str | None, typer.Option(envvar="GATEWAY_WATCH_USERNAME")] = None,
    password: Annotated[str | None, typer.Option(envvar="GATEWAY_WATCH_PASSWORD")] = None,
    config: ConfigOption = None,
) -> None:
    """Print messages as they arrive, each with what it was decoded to. Ctrl-C ends it."""
    import orjson
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    from device_models.event import Message, Rejection
    from gateway.decoders import build_dispatcher
    from gateway.errors import StartRefused

    with plain_errors(StartRefused):
        settings = read_config(config)
        dispatcher = build_dispatcher(settings.decoders)
    where = urlsplit(broker or f"mqtt://{settings.broker.listen}")

    def on_connect(client: mqtt.Client, _data: object, _flags: object, reason: object, _: object) -> None:
        stderr.print(f"[dim]{where.hostname}:{where.port or 1883}: {reason}; {topic}[/dim]")
        client.subscribe(topic)

    def on_message(_client: mqtt.Client, _data: object, heard: mqtt.MQTTMessage) -> None:
        decoded = dispatcher.decode(
            Message(heard.topic, bytes(heard.payload), datetime.now(UTC), retained=heard.retain)
        )
        typer.echo(f"{heard.topic} {heard.payload[:500]!r}")
        if isinstance(decoded, Rejection):
            typer.echo(f"  rejected: {decoded.reason}")
            return
        for event in decoded.events:
            typer.echo(f"  {event.device_id} {event.kind.value} {orjson.dumps(dict(event.values)).decode()}")
        if decoded.note:
            typer.echo(f"  note: {decoded.note}")

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = on_connect
    client.on_message = on_message
    if username:
        client.username_pw_set(username, password)
    if where.scheme == "mqtts":
        client.tls_set()
    with plain_errors(OSError):
        address = f"{where.hostname or '127.0.0.1'}:{where.port or 1883}"
        try:
            client.connect(where.hostname or "127.0.0.1", where.port or 1883)
        except OSError as error:
            raise OSError(
                f"no broker answers at {address} ({error.strerror or error}); is the gateway running?"
            ) from error
        try:
            client.loop_forever()
        except KeyboardInterrupt:
            client.disconnect()
