"""What offers brought: shown, opened, redeemed, and what they gained over the customers who were made none."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.reports.interval import difference
from gateway.reports.report import Column, Figure, Period, Report, Unit, share
from gateway.store.redemptions import redemptions
from gateway.store.schema import notifications, offer_decisions
from gateway.store.schema import offers as offers_table

_SHOWN = ("handed_over", "accepted", "delivered", "read", "unknown")
_COUNTS_WITHIN = timedelta(days=14)
"""A purchase counts for a visit within this time."""
_ENOUGH = 20
"""Customers in each group before a gain is told."""


def offers(connection: sa.Connection, period: Period) -> Report:
    """Count offers made within the period, and the purchases that followed."""
    d, n = offer_decisions.c, notifications.c
    query = (
        sa.select(d.id, d.offer_id, d.customer_id, d.reason, d.at, d.opened_at, n.state, n.read_at)
        .select_from(offer_decisions.outerjoin(notifications, n.id == d.notification_id))
        .where(d.at >= period.since, d.at < period.until, d.offer_id.is_not(None))
    )
    made: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    opened: Counter[str] = Counter()
    groups: dict[bool, set[tuple[str, str]]] = {False: set(), True: set()}
    first: dict[tuple[str, str], datetime] = {}
    for row in connection.execute(query):
        held_out = row.reason == "holdout"
        if row.customer_id is not None and (held_out or row.state in _SHOWN):
            pair = (row.customer_id, row.offer_id)
            groups[held_out].add(pair)
            first.setdefault(pair, row.at)
        if held_out:
            continue
        made[row.offer_id] += 1
        shown[row.offer_id] += row.state in _SHOWN
        opened[row.offer_id] += row.opened_at is not None or row.read_at is not None
    redeemed, amounts, bought = _purchases(connection, first)
    titles = {row.id: row.title for row in connection.execute(sa.select(offers_table.c.id, offers_table.c.title))}
    rows = [
        (
            titles.get(offer_id, offer_id),
            made[offer_id],
            shown[offer_id],
            opened[offer_id],
            redeemed[offer_id],
            share(redeemed[offer_id], shown[offer_id]),
            round(amounts[offer_id], 2) if offer_id in amounts else None,
        )
        for offer_id in sorted(made, key=lambda offer_id: (-made[offer_id], offer_id))
    ]
    columns = (
        Column("offer", "Offer"),
        Column("made", "Made", Unit.COUNT),
        Column("shown", "Sent", Unit.COUNT),
        Column("opened", "Opened", Unit.COUNT),
        Column("redeemed", "Redeemed", Unit.COUNT),
        Column("redeemed_share", "Of those sent", Unit.SHARE),
        Column("amount", "Bought for", Unit.COUNT),
    )
    total_shown, total_redeemed = shown.total(), redeemed.total()
    figures = (
        Figure("shown", "Offers sent", total_shown, Unit.COUNT, made.total()),
        Figure("opened", "Opened", share(opened.total(), total_shown), Unit.SHARE, total_shown, better="up"),
        Figure("redeemed", "Redeemed", share(total_redeemed, total_shown), Unit.SHARE, total_shown, better="up"),
        _gain(groups, bought),
    )
    return Report(
        "offers",
        "What did offers bring?",
        "Opened: the message was reported as read, or its link was followed. Redeemed: a till reported its code, or"
        f" the customer's purchase, within {_COUNTS_WITHIN.days} days. Gained: how many more bought of the customers"
        " who were sent an offer than of those left out on purpose; the till must name customers for it.",
        figures,
        columns,
        tuple(rows),
    )


def _purchases(
    connection: sa.Connection, first: Mapping[tuple[str, str], datetime]
) -> tuple[Counter[str], dict[str, float], set[tuple[str, str]]]:
    """(redeemed by offer, amount by offer, pairs of customer and offer that bought), each after its visit."""
    r = redemptions.c
    redeemed: Counter[str] = Counter()
    amounts: defaultdict[str, float] = defaultdict(float)
    bought: set[tuple[str, str]] = set()
    wanted = {offer_id for _, offer_id in first}
    query = sa.select(r.customer_id, r.offer_id, r.decision_id, r.amount, r.at).where(r.offer_id.in_(sorted(wanted)))
    for row in connection.execute(query):
        seen_at = first.get((row.customer_id, row.offer_id))
        if seen_at is None or not timedelta(0) <= row.at - seen_at <= _COUNTS_WITHIN:
            continue
        bought.add((row.customer_id, row.offer_id))
        if row.decision_id is not None:
            redeemed[row.offer_id] += 1
            if row.amount is not None:
                amounts[row.offer_id] += row.amount
    return redeemed, dict(amounts), bought


def _gain(groups: Mapping[bool, set[tuple[str, str]]], bought: set[tuple[str, str]]) -> Figure:
    offered, held_out = len(groups[False]), len(groups[True])
    if min(offered, held_out) < _ENOUGH:
        return Figure(
            "gain",
            "Gained over those left out",
            None,
            Unit.SHARE,
            offered + held_out,
            note=f"needs {_ENOUGH} customers in each group; {offered} were sent an offer and {held_out} left out",
        )
    hits, hits_without = len(groups[False] & bought), len(groups[True] & bought)
    low, high = difference(hits, offered, hits_without, held_out)
    return Figure(
        "gain",
        "Gained over those left out",
        hits / offered - hits_without / held_out,
        Unit.SHARE,
        offered + held_out,
        better="up",
        note=f"{low:+.1%} to {high:+.1%} (95 %);"
        f" {hits} of {offered} bought, of those left out {hits_without} of {held_out}",
    )
