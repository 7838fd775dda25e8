"""``gateway doctor``: what would keep the gateway from running well here, before it runs."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
import typer
from rich.markup import escape

from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.config import Config
from gateway.errors import StartRefused

_SIGNS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "error": "[red]✗[/red]"}
_ENOUGH_BYTES = 2 * 10**9


class Finding(NamedTuple):
    """One thing looked at."""

    level: str
    """ok | warning | error."""
    text: str


def doctor(config: ConfigOption = None) -> None:
    """Look at configuration, disk, ports, rules, providers and brokers, and say what to mend. Status 1 on an error."""
    with plain_errors(StartRefused):
        settings = read_config(config)
    errors = 0
    for check in (_data, _ports, _server, _decoders, _rules, _providers, _identity_provider, _store, _audit, _relays):
        for finding in check(settings):
            stderr.print(f"{_SIGNS[finding.level]} {escape(finding.text)}", soft_wrap=True)
            errors += finding.level == "error"
    raise typer.Exit(1 if errors else 0)


def _data(config: Config) -> Iterator[Finding]:
    folder = config.data_dir.absolute()
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(nearest, os.W_OK) or os.statvfs(nearest).f_blocks == 0:
        # A file system without blocks, such as /proc: it lets itself be asked and makes no folder.
        yield Finding("error", f"data_dir: {folder} cannot be written by this user")
        return
    free = shutil.disk_usage(nearest).free
    if free < min(config.data_budget, _ENOUGH_BYTES):
        yield Finding("error", f"data_dir: only {free / 1e9:.1f} GB are free")
    elif free < config.data_budget:
        yield Finding(
            "warning", f"data_dir: {free / 1e9:.1f} GB are free, data_budget is {config.data_budget / 1e9:.0f} GB"
        )
    else:
        yield Finding("ok", f"data_dir: {folder}, {free / 1e9:.0f} GB free")


def _ports(config: Config) -> Iterator[Finding]:
    running = (config.data_dir / "control.json").exists()
    listeners = {"web.listen": config.web.listen}
    if config.stream.url is None:
        listeners["broker.listen"] = config.broker.listen
    for key, listen in listeners.items():
        host, _, port = listen.rpartition(":")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), int(port)))
            except OSError as error:
                if running:
                    yield Finding("ok", f"{key}: {listen} is taken, by the gateway that runs on this data_dir")
                else:
                    yield Finding(
                        "error", f"{key}: {listen}: {error.strerror}; stop what listens there or choose another port"
                    )
            else:
                yield Finding("ok", f"{key}: {listen} is free")


def _server(config: Config) -> Iterator[Finding]:
    if config.stream.url is not None:
        return
    from gateway.ingest.child import find_nats_server

    yield from _try(lambda: f"nats-server: {find_nats_server().name} found")


def _decoders(config: Config) -> Iterator[Finding]:
    from gateway.decoders import build_dispatcher

    try:
        build_dispatcher(config.decoders, ignored_topics=config.ignore_topics)
    except StartRefused as error:
        yield Finding("error", str(error))


def _rules(config: Config) -> Iterator[Finding]:
    from device_models.yaml_lines import InvalidFileError
    from gateway.rulebook.files import load_profiles, load_rules

    try:
        profiles, rules = load_profiles(config), load_rules(config)
    except (InvalidFileError, OSError) as error:
        for line in str(error).splitlines():
            yield Finding("error", f"rules: {line}")
        return
    yield Finding("ok", f"rules: {len(rules.rules)} rules, {len(profiles)} profiles")


def _providers(config: Config) -> Iterator[Finding]:
    from gateway.outbox.transports import make_callback_readers, make_transports

    async def made() -> str:
        transports = make_transports(config)
        make_callback_readers(config)
        for transport in transports:
            await transport.close()
        return ", ".join(transport.name for transport in transports)

    try:
        names = asyncio.run(made())
    except StartRefused as error:
        yield Finding("error", str(error))
        return
    if names:
        yield Finding("ok", f"notifiers: {names}; mode {config.notifiers.mode}")
    else:
        yield Finding("warning", "notifiers: none is set up, so cases open and nobody is told; see docs/messages.md")
    yield from _callbacks(config)
    yield from _mailbox(config)
    if config.web.public_url is None:
        yield Finding("warning", "web.public_url is not set: links in messages lead to this machine alone")


def _identity_provider(config: Config) -> Iterator[Finding]:
    if config.web.oidc is None:
        return
    from gateway.web.oidc import BACK, Provider, ProviderUnreachable

    back = config.public_url + BACK
    try:
        asyncio.run(Provider(config.web.oidc, back).endpoints())
    except ProviderUnreachable as error:
        yield Finding("error", f"web.oidc.issuer: {config.web.oidc.issuer}: {error}")
    else:
        yield Finding("ok", f"web.oidc: the provider answers; let it send people back to {back}")
    if not config.web.local_login and not config.web.break_glass:
        yield Finding("warning", "web.break_glass names nobody: while the provider is down, nobody can log in")


def _mailbox(config: Config) -> Iterator[Finding]:
    if config.notifiers.mailbox is None:
        return
    from gateway.inbound.mailbox import MailboxAddress

    url = config.notifiers.mailbox.url.get_secret_value()
    yield from _try(lambda: f"notifiers.mailbox: {MailboxAddress.parse(url).host} will be read by IMAP")


def _callbacks(config: Config) -> Iterator[Finding]:
    """Where each provider is to post."""
    for section in ("telegram", "line", "whatsapp", "webhook"):
        if getattr(config.notifiers, section) is None:
            continue
        url = f"{config.public_url}/webhooks/{section}"
        if url.startswith("https://") or section == "webhook":
            yield Finding("ok", f"notifiers.{section}: let it post to {url}")
        else:
            yield Finding("warning", f"notifiers.{section}: posts to https alone; set web.public_url, now {url}")
    whatsapp = config.notifiers.whatsapp
    if whatsapp is not None and whatsapp.template is None:
        advice = "WhatsApp reaches only who wrote within 24 hours; see docs/messages.md"
        yield Finding("warning", f"notifiers.whatsapp.template is not set: {advice}")


def _store(config: Config) -> Iterator[Finding]:
    from gateway.store.store import Store

    def opened() -> str:
        if config.store.url is None and not (config.data_dir / "gateway.sqlite").exists():
            return "store: SQLite, made at the first start"
        Store(config.store_url).close()
        return "store: opens, tables are current"

    yield from _try(opened)


def _audit(config: Config) -> Iterator[Finding]:
    """What the outbox's audit of itself said last, and that it still comes while the gateway runs."""
    from gateway.outbox.audit import KEY, LATE, SENTENCES
    from gateway.store import schema
    from gateway.store.store import Store

    if config.store.url is None and not (config.data_dir / "gateway.sqlite").exists():
        return
    try:
        store = Store(config.store_url)
    except StartRefused:
        return  # said by the check of the store
    with store.read() as connection:
        last = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.key == KEY)).scalar()
    store.close()
    if last is None:
        return
    parted = {name: count for name, count in last["findings"].items() if count}
    for name, count in parted.items():
        cases = ", ".join(map(str, last["cases"].get(name, ()))) or "none"
        yield Finding("error", f"outbox: {count} {SENTENCES[name]} (cases: {cases}); see docs/reliability.md")
    # Of a demo's clock the age says nothing.
    age = datetime.now(UTC) - datetime.fromisoformat(last["at"])
    if (config.data_dir / "control.json").exists() and age > LATE:
        yield Finding("error", f"outbox: its audit was last at {last['at']}: nothing is carried out since")
    elif not parted:
        yield Finding("ok", f"outbox: messages and receipts agreed at {last['at']}")


def _relays(config: Config) -> Iterator[Finding]:
    from gateway.ingest.relay_settings import RelayRefused, RelaySettings

    for relay in config.relay:
        # The password is left out: nothing connects, and doctor has no use for it.
        settings = RelaySettings(
            relay.url, relay.topics, ca=relay.ca, cert=relay.cert, key=relay.key, client_id=relay.client_id
        )
        try:
            settings.endpoint()
            settings.filters()
        except RelayRefused as error:
            yield Finding("error", str(error))
        yield Finding(
            "warning",
            f"relay {relay.client_id}: if its broker is mosquitto, set max_queued_messages 0 and persistence true "
            "there: by default it drops acknowledged messages of slow subscribers (docs/brokers.md)",
        )


def _try(check: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield Finding("ok", check())
    except (StartRefused, OSError) as error:
        yield Finding("error", str(error))
