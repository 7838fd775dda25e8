"""What customers thought of the help: satisfaction (CSAT), effort, and their own words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.outbox.outcomes import SURVEY
from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, share
from gateway.store.desk import survey_answers
from gateway.store.schema import cases, notifications
from notifiers.reasons import channel_name

GOOD = 4
"""From this point of five on an answer counts as satisfied, or as easy: CSAT's top two boxes."""
BAD = 2
"""Up to this one it counts as unhappy."""
_MOST_COMMENTS = 200
_ABOUT_THE_RATING = (SURVEY, "answer_noted")
"""Templates that go where they answered: what the help came by is what was sent before."""
_TOLD = ("handed_over", "accepted", "delivered", "read", "unknown")


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer, and what it is about."""

    case_id: int
    rule: str
    channel: str | None
    """Where the case's last message went; None where none did."""
    satisfaction: int | None
    effort: int | None
    helped: str | None
    said: str
    at: datetime


def satisfaction(connection: sa.Connection, period: Period) -> Report:
    """Count the answers that were given within ``period``."""
    now, before = load(connection, period), load(connection, period.before)
    ended = _ended(connection, period)
    surveys, answered = _surveys(connection, period)
    rated = [r for r in now if r.satisfaction is not None]
    unhappy = [r for r in rated if r.satisfaction is not None and r.satisfaction <= BAD]
    figures = (
        _good("csat", "Satisfied", [r.satisfaction for r in now], [r.satisfaction for r in before]),
        _good("easy", "Found it easy", [r.effort for r in now], [r.effort for r in before]),
        Figure("unhappy", "Unhappy", len(unhappy), Unit.COUNT, len(rated), better="down"),
        Figure(
            "rated",
            "Ended cases that were rated",
            share(len({r.case_id for r in now} & ended), len(ended)),
            Unit.SHARE,
            len(ended),
            note="" if ended else "no case that a customer heard of has ended",
        ),
        Figure(
            "surveys",
            "Surveys that were answered",
            share(answered, surveys),
            Unit.SHARE,
            surveys,
            note="" if surveys else "no survey was sent",
        ),
    )
    columns = (
        Column("rule", "Rule"),
        Column("channel", "Told by"),
        Column("answers", "Answers", Unit.COUNT),
        Column("csat", "Satisfied", Unit.SHARE),
        Column("easy", "Found it easy", Unit.SHARE),
        Column("unhappy", "Unhappy", Unit.COUNT),
    )
    return Report(
        "satisfaction",
        "Were they satisfied?",
        "Satisfied: answers of 4 and 5 of 5 to how good the help was (CSAT). Found it easy: likewise of how easy it was"
        " for the customer. Unhappy: answers of 1 and 2. Told by: where the case's last message went.",
        figures,
        columns,
        tuple(_rows(now)),
    )


def comments(connection: sa.Connection, period: Period) -> Report:
    """List what customers said in words within ``period``, the unhappiest first."""
    said = [rating for rating in load(connection, period) if rating.said]
    said.sort(key=lambda r: (r.satisfaction or 6, -r.at.timestamp()))
    columns = (
        Column("case", "Case", Unit.COUNT),
        Column("rule", "Rule"),
        Column("satisfaction", "Satisfied, of 5", Unit.COUNT),
        Column("effort", "Easy, of 5", Unit.COUNT),
        Column("helped", "What helped"),
        Column("said", "In their words"),
        Column("at", "When"),
    )
    rows = tuple(
        (r.case_id, r.rule, r.satisfaction, r.effort, r.helped, r.said, f"{r.at:%Y-%m-%d %H:%M}")
        for r in said[:_MOST_COMMENTS]
    )
    return Report(
        "comments",
        "What did they say?",
        f"The {_MOST_COMMENTS} unhappiest of {len(said):,}." if len(said) > _MOST_COMMENTS else "Unhappiest first.",
        columns=columns,
        rows=rows,
    )


def load(connection: sa.Connection, period: Period) -> list[Rating]:
    """Read the answers that were given within ``period``, oldest first."""
    a, n = survey_answers.c, notifications.c
    last = (
        sa.select(n.case_id, sa.func.max(n.id).label("id"))
        .where(n.case_id.is_not(None), n.state.in_(_TOLD), n.template.not_in(_ABOUT_THE_RATING))
        .group_by(n.case_id)
        .subquery()
    )
    query = (
        sa.select(survey_answers, cases.c.rule, n.channel)
        .join(cases, cases.c.id == a.case_id)
        .outerjoin(last, last.c.case_id == a.case_id)
        .outerjoin(notifications, n.id == last.c.id)
        .where(a.at >= period.since, a.at < period.until)
        .order_by(a.id)
    )
    return [
        Rating(
            row["case_id"],
            row["rule"],
            row["channel"],
            row["satisfaction"],
            row["effort"],
            row["helped"],
            " / ".join(text for text in (row["helped_other"], row["better"]) if text),
            row["at"],
        )
        for row in connection.execute(query).mappings()
    ]


def _ended(connection: sa.Connection, period: Period) -> set[int]:
    """Cases that ended within ``period`` and of which their customer had heard."""
    c, n = cases.c, notifications.c
    heard = sa.select(n.id).where(n.case_id == c.id, n.state.in_(_TOLD)).exists()
    ended = sa.select(c.id).where(c.resolved_at >= period.since, c.resolved_at < period.until, heard)
    return set(connection.execute(ended).scalars())


def _surveys(connection: sa.Connection, period: Period) -> tuple[int, int]:
    """How many cases were asked about by message within ``period``, and how many of them were rated after that."""
    a, n = survey_answers.c, notifications.c
    sent = (n.template == SURVEY, n.state.in_(_TOLD), n.handed_over_at >= period.since, n.handed_over_at < period.until)
    rated = sa.select(n.case_id).join(survey_answers, sa.and_(a.case_id == n.case_id, a.customer_id == n.customer_id))
    # A copy on the next channel asks about the same case.
    asked = set(connection.execute(sa.select(n.case_id).where(*sent)).scalars())
    return len(asked), len(set(connection.execute(rated.where(*sent, a.at >= n.handed_over_at)).scalars()))


def _good(name: str, label: str, now: Sequence[int | None], before: Sequence[int | None]) -> Figure:
    given, given_before = ([score for score in scores if score is not None] for scores in (now, before))
    return Figure(
        name,
        label,
        _share_good(given),
        Unit.SHARE,
        len(given),
        before=_share_good(given_before),
        better="up",
        note="" if given else "nobody has rated a case",
    )


def _share_good(scores: Sequence[int]) -> float | None:
    return share(sum(score >= GOOD for score in scores), len(scores))


def _rows(ratings: Sequence[Rating]) -> list[tuple[Cell, ...]]:
    groups: defaultdict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        groups[rating.rule, channel_name(rating.channel) if rating.channel else ""].append(rating)
    rows: list[tuple[Cell, ...]] = []
    for (rule, channel), theirs in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        scores = [r.satisfaction for r in theirs if r.satisfaction is not None]
        efforts = [r.effort for r in theirs if r.effort is not None]
        unhappy = sum(score <= BAD for score in scores)
        rows.append((rule, channel, len(theirs), _share_good(scores), _share_good(efforts), unhappy))
    return rows
