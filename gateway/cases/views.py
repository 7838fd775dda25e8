"""What staff keep for themselves and each other: answers given often, and filters of the queue."""

from urllib.parse import urlencode

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands.cases import DropView, SaveMacro, SaveView
from gateway.store import dialect
from gateway.store.case_work import macros, saved_views
from gateway.transaction import Transaction

MOST_VIEWS = 30
_LONGEST_NAME = 60


def save_macro(tx: Transaction, command: SaveMacro) -> None:
    """Keep, change or delete a macro."""
    name = "-".join(command.name.lower().split())[:_LONGEST_NAME]
    if not name:
        raise CommandRefused("give it a name, such as door-check")
    if command.text is None:
        tx.connection.execute(sa.delete(macros).where(macros.c.name == name))
    elif not (text := command.text.strip()):
        raise CommandRefused("write what it says")
    else:
        row = {"name": name, "text": text[:4000], "sends": command.sends, "saved_by": command.by, "saved_at": tx.now}
        dialect.upsert(tx.connection, macros, [row])
    tx.audit(command.by, "macro.save" if command.text is not None else "macro.delete", name)
    tx.changed("macro", name)


def save_view(tx: Transaction, command: SaveView) -> int:
    """Keep filters under a name; the same name again replaces them."""
    name = command.name.strip()[:_LONGEST_NAME]
    if not name:
        raise CommandRefused("give the view a name")
    owner = None if command.shared else command.by
    mine = saved_views.c.owner.is_(None) if owner is None else saved_views.c.owner == owner
    tx.connection.execute(sa.delete(saved_views).where(mine, saved_views.c.name == name))
    count = tx.connection.execute(sa.select(sa.func.count()).select_from(saved_views).where(mine)).scalar_one()
    if count >= MOST_VIEWS:
        raise CommandRefused(f"{MOST_VIEWS} views are the most; drop one first")
    row = {"owner": owner, "name": name, "query": urlencode(sorted(command.query.items())), "saved_at": tx.now}
    number: int = tx.connection.execute(sa.insert(saved_views).values(row).returning(saved_views.c.id)).scalar_one()
    tx.changed("view", number)
    return number


def drop_view(tx: Transaction, command: DropView) -> None:
    """Forget a view of one's own, or as a lead one that is everybody's."""
    row = tx.connection.execute(sa.select(saved_views).where(saved_views.c.id == command.view_id)).mappings().first()
    if row is None or (row["owner"] is not None and row["owner"] != command.by):
        raise CommandRefused(f"you have no view {command.view_id}")
    if row["owner"] is None and not command.lead:
        raise CommandRefused("it is everybody's; a lead may drop it")
    tx.connection.execute(sa.delete(saved_views).where(saved_views.c.id == row["id"]))
    tx.changed("view", row["id"])
