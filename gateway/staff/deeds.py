"""What leads decide about the staff's work, written down."""

from datetime import date, timedelta
from typing import Any, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands.staff import (
    AnswerAlert,
    DropHours,
    DropOverride,
    DropPolicy,
    DropRota,
    DropTeam,
    GatewayAlarm,
    Reroute,
    SaveContacts,
    SaveHours,
    SaveOverride,
    SavePolicy,
    SaveRota,
    SaveTeam,
    SendTestAlert,
    SetAway,
    SetScope,
    StaffCommand,
    TellStaff,
    WatchSla,
)
from gateway.staff import alerts, rota_deeds, team_deeds
from gateway.staff.clocks import follow_all, watch
from gateway.staff.names import checked_name, forget_named
from gateway.staff.renaming import rename_policy
from gateway.staff.sla import OF_TEAM
from gateway.staff.teams import reroute
from gateway.staff.working_hours import parse_hours
from gateway.store import dialect
from gateway.store.staff import sla_policies, teams, working_hours
from gateway.transaction import Transaction
from gateway.web.links import LinkSigner
from notifiers.public_holidays import has_calendar

_SHORTEST = timedelta(minutes=1)
_LONGEST = timedelta(days=365)


def run(tx: Transaction, command: StaffCommand, links: LinkSigner) -> Any:
    """Carry out one command; ``links`` signs those by which staff answer. Raises CommandRefused."""
    match command:
        case SaveHours():
            return save_hours(tx, command)
        case DropHours():
            return drop_hours(tx, command)
        case SavePolicy():
            return save_policy(tx, command)
        case DropPolicy():
            return drop_policy(tx, command)
        case WatchSla():
            return watch(tx)
        case SaveTeam():
            return team_deeds.save_team(tx, command)
        case DropTeam():
            return team_deeds.drop_team(tx, command)
        case SetAway():
            return team_deeds.set_away(tx, command)
        case SetScope():
            return team_deeds.set_scope(tx, command)
        case Reroute():
            return reroute(tx)
        case SaveRota():
            return rota_deeds.save_rota(tx, command)
        case DropRota():
            return rota_deeds.drop_rota(tx, command)
        case SaveOverride():
            return rota_deeds.save_override(tx, command)
        case DropOverride():
            return rota_deeds.drop_override(tx, command)
        case SaveContacts():
            return rota_deeds.save_contacts(tx, command)
        case SendTestAlert():
            return rota_deeds.test_alert(tx, command)
        case AnswerAlert():
            return rota_deeds.answer_alert(tx, command)
        case GatewayAlarm():
            return alerts.tell_of_alarm(tx, command.part, command.detail)
        case TellStaff():
            return alerts.tell(tx, links)
        case _:
            assert_never(command)


def save_hours(tx: Transaction, command: SaveHours) -> None:
    """Keep working hours; open cases follow them at once."""
    name = checked_name(command.name)
    try:
        parse_hours(command.hours)
        ZoneInfo(command.zone)
        closed_on = sorted({date.fromisoformat(day).isoformat() for day in command.closed_on})
    except ZoneInfoNotFoundError:
        raise CommandRefused(f"'{command.zone}' is no IANA time zone, such as Europe/Berlin") from None
    except ValueError as error:
        raise CommandRefused(str(error)) from error
    if command.place and not has_calendar(command.place):
        raise CommandRefused(f"no public holidays are known of '{command.place}'; write DE, or DE-BE for a part of it")
    row = {
        "name": name,
        "hours": command.hours.strip(),
        "zone": command.zone,
        "place": command.place or None,
        "closed_on": closed_on,
    }
    dialect.upsert(tx.connection, working_hours, [row])
    _changed(tx, command.by, "hours.save", name)


def drop_hours(tx: Transaction, command: DropHours) -> None:
    """Forget working hours that no policy counts by."""
    for table, what in ((sla_policies, "service level"), (teams, "team")):
        used = sa.select(table.c.name).where(table.c.hours == command.name)
        if user := tx.connection.execute(used).scalar():
            raise CommandRefused(f"the {what} '{user}' has these hours; change it first")
    forget_named(tx, working_hours, command.name, "working hours")
    _changed(tx, command.by, "hours.drop", command.name)


def save_policy(tx: Transaction, command: SavePolicy) -> None:
    """Keep a service level; open cases follow it at once."""
    policy, name = command.policy, checked_name(command.policy.name)
    if command.was is not None and command.was != name:
        rename_policy(tx, command.was, name, command.by)
    if not policy.within:
        raise CommandRefused("give at least one time: for the first response, the next one, or the solution")
    for target, within in policy.within.items():
        if not _SHORTEST <= within <= _LONGEST:
            words = target.value.replace("_", " ")
            raise CommandRefused(f"{words}: between one minute and {_LONGEST.days} days of business time")
    known = sa.select(working_hours.c.name).where(working_hours.c.name == policy.hours)
    if policy.hours not in (None, OF_TEAM) and tx.connection.execute(known).scalar() is None:
        raise CommandRefused(f"there are no working hours '{policy.hours}'; save them first")
    row = {
        "name": name,
        "position": command.position,
        "within": {target.value: within.total_seconds() for target, within in policy.within.items()},
        "hours": policy.hours,
        "severities": sorted(policy.severities),
        "kinds": sorted(policy.kinds),
        "segments": sorted(policy.segments),
        "tiers": sorted(policy.tiers),
        "pauses": sorted(policy.pauses),
        "warn_before_s": policy.warn_before.total_seconds(),
    }
    dialect.upsert(tx.connection, sla_policies, [row])
    _changed(tx, command.by, "sla.save", name)


def drop_policy(tx: Transaction, command: DropPolicy) -> None:
    """Forget a service level; the cases it was about follow the next one that fits."""
    forget_named(tx, sla_policies, command.name, "service level")
    _changed(tx, command.by, "sla.drop", command.name)


def _changed(tx: Transaction, by: str, action: str, name: str) -> None:
    follow_all(tx)
    tx.audit(by, action, name)
    tx.changed("sla", name)
