"""How each channel does in each country, and what learning the channel gains."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from gateway.reports.costs import Spent, spent
from gateway.reports.interval import difference
from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, median_s, share
from gateway.settings.prices import Prices
from gateway.store.outcomes import channel_reports, outcomes
from notifiers.choice import OWN_CHOICE
from notifiers.reasons import channel_name

_ENOUGH = 20
_CHOSEN_BY_THEM = (*sorted(OWN_CHOICE), "channel.reply")


@dataclass(slots=True)
class _Count:
    sent: int = 0
    delivered: int = 0
    read: int = 0
    asked: int = 0
    answered: int = 0
    fixed: int = 0
    failed: int = 0
    waits: list[timedelta] = field(default_factory=list)


def channels(connection: sa.Connection, period: Period, prices: Prices) -> Report:
    """Count what was sent within the period by channel and country, what came of it, and what it cost."""
    counts: defaultdict[tuple[str, str], _Count] = defaultdict(_Count)
    groups = {False: [0, 0], True: [0, 0]}
    for row in _rows(connection, period):
        count = counts[row.channel, row.country or ""]
        count.sent += row.failed_at is None
        count.failed += row.failed_at is not None
        count.delivered += row.delivered_at is not None
        count.read += row.read_at is not None
        count.fixed += row.fixed_at is not None
        if row.asks:
            count.asked += 1
            count.answered += row.answered_at is not None
            if row.answered_at is not None:
                count.waits.append(row.answered_at - row.sent_at)
            if row.settled and row.decided_by not in _CHOSEN_BY_THEM:
                groups[row.holdout][0] += row.answered_at is not None
                groups[row.holdout][1] += 1
    reports = {(r.channel, r.stage) for r in connection.execute(sa.select(channel_reports))}
    costs, costs_before = spent(connection, period, prices), spent(connection, period.before, prices)
    rows = [
        (*_line(key, count, reports), *_cost(costs.get(key, Spent()), costs_before.get(key, Spent()), count.answered))
        for key, count in counts.items()
    ]
    rows.sort(key=lambda line: (-int(line[2] or 0), str(line[0]), str(line[1])))
    before = _answered(connection, period.before)
    answered, asked = sum(c.answered for c in counts.values()), sum(c.asked for c in counts.values())
    figures = (
        Figure("answered", "Answered", share(answered, asked), Unit.SHARE, asked, before=share(*before), better="up"),
        Figure(
            "answer_wait",
            "Until they answer",
            median_s([wait for count in counts.values() for wait in count.waits]),
            Unit.SECONDS,
            answered,
            better="down",
        ),
        _gain(groups),
        *_cost_figures(_total(costs), answered, _total(costs_before), before[0]),
    )
    columns = (
        Column("channel", "Channel"),
        Column("country", "Country"),
        Column("sent", "Sent", Unit.COUNT),
        Column("failed", "Failed", Unit.COUNT),
        Column("delivered", "Delivered", Unit.SHARE),
        Column("read", "Read", Unit.SHARE),
        Column("answered", "Answered", Unit.SHARE),
        Column("fixed", "Fixed", Unit.SHARE),
        Column("answer_wait", "Until they answer", Unit.SECONDS),
        Column("segments", "SMS segments", Unit.COUNT),
        Column("cost", "Cost", Unit.MONEY),
        Column("cost_before", "Cost before", Unit.MONEY),
        Column("cost_per_answer", "Cost per answer", Unit.MONEY),
        Column("unpriced", "Without a price", Unit.COUNT),
    )
    return Report(
        "channels",
        "How do the channels do?",
        "Of the messages that a provider took. Delivered and read are empty where a channel never reports them;"
        " answered counts those that ask for something. Gained: the answered share where the channel was learned, less"
        " that of customers left out of learning on purpose; who chose a channel themselves counts in neither. Cost:"
        " by the prices in the configuration, of messages whose price is known.",
        figures,
        columns,
        tuple(rows),
        prices.currency,
    )


def _rows(connection: sa.Connection, period: Period) -> sa.CursorResult[tuple[object, ...]]:
    query = sa.select(outcomes).where(outcomes.c.sent_at >= period.since, outcomes.c.sent_at < period.until)
    return connection.execution_options(yield_per=5000).execute(query)


def _line(key: tuple[str, str], count: _Count, reports: set[tuple[str, str]]) -> tuple[Cell, ...]:
    channel, country = key
    return (
        channel_name(channel),
        country or "–",
        count.sent,
        count.failed,
        share(count.delivered, count.sent) if (channel, "delivered") in reports else None,
        share(count.read, count.sent) if (channel, "read") in reports else None,
        share(count.answered, count.asked),
        share(count.fixed, count.asked),
        median_s(count.waits),
    )


def _total(costs: Mapping[tuple[str, str], Spent]) -> Spent:
    total = Spent()
    for cost in costs.values():
        total += cost
    return total


def _cost(now: Spent, before: Spent, answered: int) -> tuple[Cell, ...]:
    return now.segments or None, now.known, before.known, now.per(answered), now.unpriced


def _cost_figures(now: Spent, answered: int, before: Spent, answered_before: int) -> tuple[Figure, ...]:
    return (
        Figure(
            "cost",
            "Cost",
            now.known,
            Unit.MONEY,
            now.priced,
            before=before.known,
            better="down",
            note="no price is known; [notifiers.prices] takes them" if now.unpriced else "",
        ),
        Figure(
            "cost_per_answer",
            "Cost per answer",
            now.per(answered),
            Unit.MONEY,
            answered,
            before=before.per(answered_before),
            better="down",
            note="needs the price of every message" if now.unpriced else "",
        ),
        Figure("unpriced", "Messages without a price", now.unpriced, Unit.COUNT, now.priced + now.unpriced),
    )


def _answered(connection: sa.Connection, period: Period) -> tuple[int, int]:
    o = outcomes.c
    query = sa.select(sa.func.count(o.answered_at), sa.func.count()).where(
        o.sent_at >= period.since, o.sent_at < period.until, o.asks
    )
    row = connection.execute(query).one()
    return row[0], row[1]


def _gain(groups: dict[bool, list[int]]) -> Figure:
    (hits, learned), (hits_without, left_out) = groups[False], groups[True]
    of = learned + left_out
    if min(learned, left_out) < _ENOUGH:
        return Figure(
            "gain",
            "Gained by learning",
            None,
            Unit.SHARE,
            of,
            note=f"needs {_ENOUGH} messages in each group; {learned} were learned and {left_out} left out",
        )
    low, high = difference(hits, learned, hits_without, left_out)
    return Figure(
        "gain",
        "Gained by learning",
        hits / learned - hits_without / left_out,
        Unit.SHARE,
        of,
        better="up",
        note=f"{low:+.1%} to {high:+.1%} (95 %);"
        f" {hits} of {learned} answered, of those left out {hits_without} of {left_out}",
    )
