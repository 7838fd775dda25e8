"""Which channel a person answers on: Thompson sampling over Beta posteriors, pooled with those alike.

A customer's own messages are few, so what is not known of them is taken from their segment (profile, country,
language), what is not known of that from the country, then from everybody, and what is not known at all from one usual
rate. The survey of countries leans the country's rate a little and is outweighed by a few dozen outcomes. Every step is
a weighted mean, every weight a number of messages, so a choice costs the same however many customers there are.

    everybody ── country (+ survey) ── segment ── the customer's other purposes ── the customer, this purpose

Sources: W. R. Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 25 (1933);
O. Chapelle and L. Li, "An empirical evaluation of Thompson sampling", NIPS 2011; the shrinkage is empirical Bayes
(B. Efron and C. Morris, 1975), with the strength of the last step learned (``notifiers.learning.strength``).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from device_models.purpose import Purpose
from device_models.registry import Customer
from notifiers.choice import Basis, Taste
from notifiers.learning.outcomes import REPORTED, STAGES, USUAL, WORTH, Outcome, Stage
from notifiers.learning.priors import priors
from notifiers.learning.strength import foretold, strength_of
from notifiers.learning.tally import INDEX, NOTHING, Tally

HALF_LIFE = timedelta(days=180)
"""Habits change over some years; in half a year one message in two is still believed."""
ENOUGH_OWN = 3
"""Settled messages of a customer before it is said that *they* answered best somewhere."""
ENOUGH_ALIKE = 30.0
"""Settled messages to those alike before a choice is made from them."""
_POOL = 20.0
"""Messages that the wider group weighs as much as, at each step down to the segment."""
_ACROSS = 0.5
"""What a message of another purpose weighs: who answers faults on WhatsApp may like offers by mail, but rather not."""
_LEANS = frozenset({Stage.READ, Stage.ANSWERED})
"""Stages that the survey of preferred channels says something of."""
_ANSWERED = INDEX[Stage.ANSWERED]
_PURPOSES = tuple(purpose.value for purpose in Purpose)
_SURE = 8.0
"""Rates are drawn as if everything had been seen so many times: Chapelle and Li's reshaped posterior (their section 4).

A customer gets a dozen messages a year, and the next channel is tried anyway when one fails: who explores as if there
were thousands to come has not finished when the year is over. Measured in ``docs/channels.md``.
"""


class Scope(NamedTuple):
    """Whose messages a tally counts."""

    level: str
    """``all`` | ``country`` | ``segment`` | ``customer`` | ``strength``."""
    key: str
    purpose: str


STRENGTH = Scope("strength", "", "")
"""Where the scores of the strengths stand, with an empty channel."""


class Knowledge(Protocol):
    """All tallies, by scope and channel."""

    def tally(self, scope: Scope, channel: str) -> Tally:
        """Return it as it was last written, ``NOTHING`` where it never was."""
        ...


@dataclass(frozen=True, slots=True)
class Learner:
    """``notifiers.choice.Learned``, for one message."""

    knowledge: Knowledge
    segment: str
    """The customer's, for the device the message is about."""
    seed: str
    """The message's own, so that choosing again chooses the same: its idempotency key."""
    explore: bool = True
    """False: the best as far as is known, and no try; for what is urgent."""
    half_life: timedelta = HALF_LIFE

    def taste(self, customer: Customer, purpose: Purpose, channels: Sequence[str], now: datetime) -> Taste | None:
        """Rank ``channels``; None where neither they nor those alike have had enough messages."""
        known = _Known(self.knowledge, channels, purpose, customer.country, self.segment, now, self.half_life)
        own = {channel: known.own(customer.id, channel) for channel in channels}
        asked = sum(person.tally.answers[1] for person in own.values())
        of_their_own = asked >= ENOUGH_OWN
        if not of_their_own and known.messages_alike < ENOUGH_ALIKE:
            return None
        expected = known.worth(own, None)
        values = known.worth(own, self.seed) if self.explore else expected
        order = sorted(channels, key=lambda channel: -values[channel])
        best = order[0]
        tried = expected[best] < max(expected.values())
        basis: Basis = "trying" if tried else "own" if of_their_own and own[best].tally.answers[1] else "alike"
        answers = known.answers_alike(best) if basis == "alike" else own[best].tally.answers
        return Taste(tuple(order), basis, *answers, enough_of_their_own=of_their_own)


def learn(
    knowledge: Knowledge, outcome: Outcome, half_life: timedelta = HALF_LIFE
) -> Iterator[tuple[Scope, str, Tally]]:
    """Yield the tallies that one settled message changes, as they are to be written.

    Those alike learn from each customer's first messages on a channel most, from the second half as much, and so on:
    later ones go to those who like it there, and would praise it to everybody. From a customer's own choice they learn
    nothing, for the same reason.
    """
    purpose, channel = outcome.purpose, outcome.channel
    known = _Known(knowledge, (channel,), purpose, outcome.country, outcome.segment, outcome.at, half_life)
    person = known.own(outcome.customer_id, channel)
    means = known.means(channel)
    stages = [stage for stage in STAGES if stage in outcome.reached]
    told = knowledge.tally(STRENGTH, "")
    scores = dict(told.strengths)
    for stage in stages:
        i = INDEX[stage]
        scores[stage] = foretold(
            scores.get(stage, ()), means[i], person.hits[i], person.tries[i], outcome.reached[stage]
        )
    yield STRENGTH, "", Tally(outcome.at, strengths=scores)
    own = Scope("customer", outcome.customer_id, purpose.value)
    yield own, channel, _counted(person.tally, outcome, 1.0, means)
    if outcome.own_choice:
        return
    weight = 1.0 / (1.0 + person.tally.tries[_ANSWERED]) if Stage.ANSWERED in outcome.reached else 1.0
    for scope in _scopes_alike(purpose, outcome.country, outcome.segment):
        tally = knowledge.tally(scope, channel).faded(outcome.at, half_life)
        yield scope, channel, _counted(tally, outcome, weight, means)


def scopes_of(customer: Customer, purpose: Purpose, segment: str) -> list[Scope]:
    """Name every scope that a choice for this customer looks at, for loading them at once."""
    mine = [Scope("customer", customer.id, each) for each in _PURPOSES]
    return [STRENGTH, *_scopes_alike(purpose, customer.country, segment), *mine]


def segment_of(profile: str, customer: Customer) -> str:
    """Name those alike: owners of the same kind of product, in the same country, who speak the same language."""
    return f"{profile}|{customer.country or ''}|{customer.locale.split('-')[0].lower()}"


def _scopes_alike(purpose: Purpose, country: str | None, segment: str) -> list[Scope]:
    wide = [Scope("all", "", purpose.value), Scope("segment", segment, purpose.value)]
    return [wide[0], Scope("country", country, purpose.value), wide[1]] if country else wide


@dataclass(frozen=True, slots=True)
class _Person:
    """What is known of one customer on one channel."""

    tally: Tally
    """Of the purpose itself, faded."""
    hits: Sequence[float]
    """With those of other purposes, as if they had been of this one."""
    tries: Sequence[float]


class _Known:
    """What is known of those alike, for one choice; every rate is by stage, in the order of ``STAGES``."""

    def __init__(
        self,
        knowledge: Knowledge,
        channels: Sequence[str],
        purpose: Purpose,
        country: str | None,
        segment: str,
        now: datetime,
        half_life: timedelta,
    ) -> None:
        self._knowledge, self._purpose, self._now, self._half_life = knowledge, purpose, now, half_life
        scopes = _scopes_alike(purpose, country, segment)
        self._alike = {channel: [self._read(scope, channel) for scope in scopes] for channel in channels}
        self._has_country = country is not None
        survey = {prior.channel: prior.share for prior in priors(country, purpose)}
        self._base = self._usual_rates()
        self._rates = {channel: self._rate(channel, survey.get(channel, 0.0)) for channel in channels}

    @property
    def messages_alike(self) -> float:
        """How many settled messages those of the segment, or of the country, had on these channels."""
        return sum(tallies[1 if self._has_country else 0].tries[_ANSWERED] for tallies in self._alike.values())

    def answers_alike(self, channel: str) -> tuple[int, int]:
        """Answered, of how many: by the smallest group that had enough messages on ``channel``."""
        groups = [tally.answers for tally in reversed(self._alike[channel])]
        return next((answers for answers in groups if answers[1] >= ENOUGH_ALIKE), groups[-1])

    def means(self, channel: str) -> Sequence[float]:
        """The rates of the segment, each within 0 and 1, both apart."""
        return [mean for mean, _ in self._rates[channel]]

    def own(self, customer_id: str, channel: str) -> _Person:
        """Put a customer's own messages together."""
        mine = self._read(Scope("customer", customer_id, self._purpose.value), channel)
        hits, tries, means = list(mine.hits), list(mine.tries), self.means(channel)
        for purpose in _PURPOSES:
            if purpose == self._purpose:
                continue
            tally = self._read(Scope("customer", customer_id, purpose), channel)
            for i, count in enumerate(tally.tries if tally is not NOTHING else ()):
                if count > 0.0:
                    # By how much they differed from those alike there, carried over to the rates here.
                    moved = tally.hits[i] - tally.expected[i] + count * means[i]
                    hits[i] += _ACROSS * min(count, max(0.0, moved))
                    tries[i] += _ACROSS * count
        return _Person(mine, hits, tries)

    def worth(self, own: Mapping[str, _Person], seed: str | None) -> dict[str, float]:
        """Value each channel for this person: by its expected rates, or by rates drawn under ``seed``."""
        scores = self._knowledge.tally(STRENGTH, "").strengths
        strengths = {stage: strength_of(scores.get(stage, ())) for stage in STAGES}
        expected: dict[str, list[float]] = {}
        drawn: dict[str, list[float]] = {}
        for channel, person in own.items():
            chance = random.Random(f"{seed}\0{channel}") if seed is not None else None  # noqa: S311 - no secret
            expected[channel], drawn[channel] = [], []
            for i, stage in enumerate(STAGES):
                mean, known = self._rates[channel][i]
                # The person's distance from the segment and the segment's own uncertainty add up as variances do.
                strength = max(1.0, 1.0 / (1.0 / (strengths[stage] + 1.0) + 1.0 / (known + 1.0)) - 1.0)
                alpha = strength * mean + person.hits[i]
                beta = strength * (1.0 - mean) + person.tries[i] - person.hits[i]
                expected[channel].append(alpha / (alpha + beta))
                drawn[channel].append(
                    chance.betavariate(_SURE * alpha, _SURE * beta) if chance else expected[channel][i]
                )
        self._lend(expected, drawn)
        return {c: sum(WORTH[stage] * drawn[c][i] for i, stage in enumerate(STAGES)) for c in own}

    def _lend(self, expected: Mapping[str, list[float]], drawn: Mapping[str, list[float]]) -> None:
        """A channel that does not report a stage is taken to be as good there as those that do: silence is no fault."""
        for stage in REPORTED:
            i = INDEX[stage]
            reporting = [channel for channel in expected if self._alike[channel][0].tries[i] > 0.0]
            lent = sum(expected[c][i] for c in reporting) / len(reporting) if reporting else USUAL[stage]
            for channel in drawn:
                if channel not in reporting:
                    drawn[channel][i] = lent

    def _rate(self, channel: str, share: float) -> list[tuple[float, float]]:
        """(mean, how many messages it rests on) by stage, from everybody down to the segment."""
        rates = []
        tallies = self._alike[channel]
        for i, stage in enumerate(STAGES):
            mean, known = self._base[i], 2.0
            for level, tally in enumerate(tallies):
                if level == 1 and share and stage in _LEANS:
                    mean = min(0.99, mean * (1.0 + share))
                tries = tally.tries[i]
                mean = (tally.hits[i] + _POOL * mean) / (tries + _POOL)
                known = tries + min(_POOL, known)
            rates.append((min(0.999, max(0.001, mean)), known))
        return rates

    def _usual_rates(self) -> list[float]:
        """Everybody's rates over all these channels: where a channel nobody has tried begins."""
        everybody = [tallies[0] for tallies in self._alike.values()]
        return [
            (sum([tally.hits[i] for tally in everybody]) + _POOL * USUAL[stage])
            / (sum([tally.tries[i] for tally in everybody]) + _POOL)
            for i, stage in enumerate(STAGES)
        ]

    def _read(self, scope: Scope, channel: str) -> Tally:
        tally = self._knowledge.tally(scope, channel)
        return tally if tally is NOTHING else tally.faded(self._now, self._half_life)


def _counted(tally: Tally, outcome: Outcome, weight: float, means: Sequence[float]) -> Tally:
    hits, tries, expected = list(tally.hits), list(tally.tries), list(tally.expected)
    for stage, hit in outcome.reached.items():
        i = INDEX[stage]
        hits[i] += weight * hit
        tries[i] += weight
        expected[i] += weight * means[i]
    answered, asked = tally.answers
    if Stage.ANSWERED in outcome.reached:
        answered, asked = answered + outcome.reached[Stage.ANSWERED], asked + 1
    at = max(outcome.at, tally.at) if tally.at else outcome.at
    return Tally(at, tuple(hits), tuple(tries), tuple(expected), (answered, asked))
