"""What a case's page shows of the work on it: links, steps, commands, causes, macros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from gateway.cases.causes import shares
from gateway.store.case_work import case_links, case_steps, device_commands, macros
from gateway.store.schema import cases
from gateway.store.self_help import tried_steps
from gateway.web.queries.cases import CaseLine, load

_SHOWN_COMMANDS = 5


@dataclass(frozen=True, slots=True)
class CaseWork:
    """The work on one case."""

    linked: Sequence[CaseLine] = ()
    merged: Sequence[CaseLine] = ()
    """Those that are worked on within it."""
    steps: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """Steps of the runbook that were run: who and when."""
    tried: int = 0
    """How many of the article's steps the customer tried."""
    commands: Sequence[sa.RowMapping] = ()
    """The newest sent to the device: ``name``, ``state``, ``sent_by``, ``asked_at``, ``confirmed_at``, ``reason``."""
    causes: Mapping[str, int] = field(default_factory=dict)
    """How often each cause was found for this rule."""
    fixes: Mapping[str, int] = field(default_factory=dict)
    macros: Sequence[sa.RowMapping] = ()


def work_on(connection: sa.Connection, case: CaseLine) -> CaseWork:
    """Load the work on a case."""
    other = sa.case((case_links.c.case_id == case.id, case_links.c.other_id), else_=case_links.c.case_id)
    linked = sa.select(other).where(sa.or_(case_links.c.case_id == case.id, case_links.c.other_id == case.id))
    merged = sa.select(cases.c.id).where(cases.c.merged_into == case.id).order_by(cases.c.id)
    steps = sa.select(case_steps).where(case_steps.c.case_id == case.id)
    tried = sa.select(sa.func.count()).select_from(tried_steps).where(tried_steps.c.case_id == case.id)
    causes, fixes = shares(connection, case.rule)
    return CaseWork(
        linked=load(connection, connection.execute(linked).scalars().all()),
        merged=load(connection, connection.execute(merged).scalars().all()),
        steps={row.step: (row.done_by, row.done_at) for row in connection.execute(steps)},
        tried=connection.execute(tried).scalar_one(),
        commands=sent_to(connection, case.device_id) if case.device_id else (),
        causes=causes,
        fixes=fixes,
        macros=all_macros(connection),
    )


def sent_to(connection: sa.Connection, device_id: str) -> Sequence[sa.RowMapping]:
    """List the newest commands to a device."""
    d = device_commands.c
    newest = sa.select(device_commands).where(d.device_id == device_id).order_by(d.id.desc()).limit(_SHOWN_COMMANDS)
    return connection.execute(newest).mappings().all()


def all_macros(connection: sa.Connection) -> Sequence[sa.RowMapping]:
    """List the macros by name."""
    return connection.execute(sa.select(macros).order_by(macros.c.name)).mappings().all()
