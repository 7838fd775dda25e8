"""What people do about a storm: let its cases open, or take them for one incident."""

import sqlalchemy as sa

from gateway.cases.timeline import add_entry, touch
from gateway.commands import CommandRefused, EndStorm
from gateway.store import schema
from gateway.transaction import Transaction
from rules.response.storm import RELEASED, STORM


def end_storm(tx: Transaction, command: EndStorm) -> int:
    """End the holding of openings; return how many faults were held.

    Released, they open their cases with the next commits, some hundred at a time. Merged, they stay children of the one
    case, which is an incident like others from now on: it ends when the last of them does.
    """
    parent = open_storm(tx.connection)
    if parent is None:
        raise CommandRefused("there is no storm: nothing is held")
    a = schema.alerts
    held = sa.and_(a.c.withheld_by == STORM, a.c.withheld_key == STORM)
    values = (
        {"withheld_by": "incident", "due_at": None} if command.merge else {"withheld_key": RELEASED, "due_at": tx.now}
    )
    count = tx.connection.execute(sa.update(a).where(held).values(values)).rowcount
    said = (
        f"{count} held faults are children of this case" if command.merge else f"{count} held faults open their cases"
    )
    if not count:
        raise CommandRefused("nothing is held any more")
    touch(tx, parent, acknowledged_at=tx.now)
    add_entry(tx, parent, "note", command.by, body={"text": said})
    tx.audit(command.by, "storm.merge" if command.merge else "storm.release", str(parent), faults=count)
    tx.changed("storm", parent)
    return count


def open_storm(connection: sa.Connection) -> int | None:
    """Return the case under which openings are held now, None while there is none."""
    c = schema.cases
    found: int | None = connection.execute(
        sa.select(c.c.id).where(c.c.dedupe_key == STORM, c.c.state == "open").limit(1)
    ).scalar()
    return found


def held_by_storm(connection: sa.Connection) -> int:
    """Count the faults whose cases are held."""
    a = schema.alerts
    query = sa.select(sa.func.count()).where(a.c.withheld_key.in_((STORM, RELEASED)), a.c.withheld_by == STORM)
    return int(connection.execute(query).scalar_one())
