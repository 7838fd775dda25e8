"""Messages that end before they went out: each says why in every case that it would have told of."""

from typing import Any, Literal

import sqlalchemy as sa

from gateway.cases.timeline import add_entry
from gateway.outbox.digest import cases_of
from gateway.outbox.queue import set_state
from gateway.transaction import Transaction


def end_unsent(
    tx: Transaction,
    row: sa.RowMapping,
    state: Literal["withheld", "cancelled", "expired"],
    reason: str | None,
    *,
    said: str | None = None,
    **values: Any,
) -> None:
    """End a message of the outbox; ``said``: the reason as the timeline has it, where that is another."""
    set_state(tx, row["id"], state, reason=reason, **values)
    for case_id in cases_of(row):
        add_entry(tx, case_id, "withheld", notification_id=row["id"], body={"reason": said or reason})
