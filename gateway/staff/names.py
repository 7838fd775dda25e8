"""Names that leads give to hours, levels, teams and rotas."""

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.transaction import Transaction

_LONGEST = 60


def checked_name(text: str) -> str:
    """Return a name as it is kept. Raises CommandRefused."""
    name = text.strip()
    if not name or len(name) > _LONGEST or not name.isprintable() or name.startswith("@"):
        raise CommandRefused(f"give it a name of at most {_LONGEST} printable characters that does not begin with @")
    return name


def forget_named(tx: Transaction, table: sa.Table, name: str, what: str) -> None:
    """Delete the row of a name. Raises CommandRefused where there is none."""
    found = tx.connection.execute(sa.select(table.c.name).where(table.c.name == name)).first()
    if found is None:
        raise CommandRefused(f"there is no {what} '{name}'")
    tx.connection.execute(sa.delete(table).where(table.c.name == name))
