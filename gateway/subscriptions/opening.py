"""From the configuration to couriers."""

from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Config
from gateway.store.store import Store
from gateway.subscriptions.cloud_events import CloudEvents
from gateway.subscriptions.courier import Courier, of_kinds


def open_couriers(config: Config, store: Store, commands: Commands, clock: Clock) -> list[tuple[Courier, CloudEvents]]:
    """Make a courier for each configured system, with the sink that whoever runs it closes."""
    made = []
    for section in config.subscriptions:
        sink = CloudEvents(
            section.name, section.url, section.secret.get_secret_value(), config.public_url, texts=section.texts
        )
        made.append((Courier(sink, store, commands, clock, of_kinds(section.events)), sink))
    return made
