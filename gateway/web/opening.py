"""From the parts of a running gateway to what the web is given."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from device_models.profile import DeviceProfile
from gateway.cases.self_help import help_of_case
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Config
from gateway.help_desks.hook import HelpDeskHook
from gateway.history import History
from gateway.live import LiveFeed
from gateway.outbox.opening import opening_line
from gateway.outbox.preview import preview
from gateway.outbox.transports import make_callback_readers, push_key
from gateway.people.registry import Registry
from gateway.pipeline.commit import Committer
from gateway.pipeline.explaining import explain_device
from gateway.rulebook.desk import RuleDesk
from gateway.rulebook.explaining import explain_past
from gateway.store.store import Store
from gateway.texts.desk import Send, TextDesk
from gateway.web.deps import SimulatorControl, WebDeps
from gateway.web.links import LinkSigner
from notifiers.transports.twilio_callbacks import verify_signature

T = TypeVar("T")


def open_web(
    config: Config,
    clock: Clock,
    store: Store,
    commands: Commands,
    committer: Committer,
    registry: Registry,
    profiles: Mapping[str, DeviceProfile],
    history: History,
    live: LiveFeed,
    links: LinkSigner,
    secret: str,
    status: Callable[[], Mapping[str, Any]],
    translate: Callable[[str, str], Awaitable[Any]] | None,
    help_desks: Mapping[str, HelpDeskHook],
    send_trial: Send,
    metrics: CollectorRegistry,
    simulator: SimulatorControl | None,
) -> WebDeps:
    """Join the parts; what reads the store does so in a thread."""

    async def read(query: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            with store.read() as connection:
                return query(connection)

        return await asyncio.to_thread(run)

    async def show(notification_id: int) -> Any:
        return await read(lambda c: preview(c, notification_id, registry, config, links, clock.now()))

    async def opening(case_id: int) -> str:
        return await read(lambda c: opening_line(c, case_id, registry, profiles, config, clock.now()))

    async def explain(device_id: str) -> Sequence[Mapping[str, Any]]:
        return await asyncio.to_thread(explain_device, store, committer, registry, profiles, device_id, clock.now())

    twilio = config.notifiers.twilio
    return WebDeps(
        store=store,
        commands=commands,
        clock=clock,
        history=history,
        live=live,
        links=links,
        secret=secret,
        public_url=config.public_url,
        profiles=profiles,
        preview=show,
        explain=explain,
        explain_at=partial(explain_past, store, history, registry, config, profiles),
        opening=opening,
        detector=lambda: committer.detector,
        text_desk=TextDesk(config, registry, lambda: committer.detector.ruleset, send_trial),
        rule_desk=RuleDesk(
            config, store, commands, clock, registry, profiles, history, lambda: committer.detector, committer.context
        ),
        devices=registry.devices,
        status=status,
        notifiers=config.notifiers,
        teams_with_dates={section.team for section in config.dates},
        helps=partial(help_of_case, config, registry),
        translate=translate,
        configuration=lambda: config.in_force,
        brand=config.brand.name,
        mode=config.notifiers.mode,
        tiles_url=config.web.map_tiles,
        second_factor_for=config.web.second_factor_for,
        require_if_match=config.web.require_if_match,
        oidc=config.web.oidc,
        local_login=config.web.local_login,
        break_glass=config.web.break_glass,
        simulator=simulator,
        twilio_verify=partial(verify_signature, twilio.token.get_secret_value()) if twilio else None,
        callbacks=make_callback_readers(config),
        push_key=push_key(config),
        help_desks=help_desks,
        metrics=metrics,
    )
