"""Play one world with one way of choosing, through ``notifiers.choice`` and ``notifiers.learning`` as they are."""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.bench.channels.world import CHANNELS, Person, Reaction, World, habits_of, populate, react, retaste
from notifiers.choice import OWN_CHOICE, choose
from notifiers.holdout import in_holdout
from notifiers.learning.outcomes import Outcome, Stage
from notifiers.learning.tally import NOTHING, Tally
from notifiers.learning.thompson import Learner, Scope, learn

START = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = 1.5
ANSWER_WITHIN = timedelta(hours=72)
_NEXT_CHANNEL_AFTER = timedelta(hours=24)
"""Who has not answered by then is written to once more, on the next channel: so messages per answer count."""
_HOLDOUT = 0.1


class Policy(StrEnum):
    """How the channel is chosen."""

    CONFIGURED = "company's order"
    COUNTRY = "country priors"
    STATED = "static preference"
    LEARNED = "learned"
    LEARNED_STATED = "learned + preference"
    """As the product does it: who stated a preference gets it."""
    BEST = "knows the tastes"
    """No way of choosing can do better than this one, which looks behind the curtain."""


@dataclass(slots=True)
class Score:
    """What a policy came to."""

    faults: int = 0
    answered: int = 0
    answered_at_once: int = 0
    """By the first message, within a day."""
    messages: int = 0
    hours: list[float] = field(default_factory=list)
    late_faults: int = 0
    late_answered: int = 0
    """Of the last third of the time, when there was something to learn from."""

    @property
    def answered_share(self) -> float:
        """Of all faults, 0 to 1."""
        return self.answered / self.faults if self.faults else 0.0

    @property
    def at_once_share(self) -> float:
        """Of all faults: answered by the first message."""
        return self.answered_at_once / self.faults if self.faults else 0.0

    @property
    def late_share(self) -> float:
        """Of the faults of the last third of the time."""
        return self.late_answered / self.late_faults if self.late_faults else 0.0

    @property
    def median_hours(self) -> float:
        """Median time to the answer, of those that came."""
        return sorted(self.hours)[len(self.hours) // 2] if self.hours else 0.0

    @property
    def messages_per_answer(self) -> float:
        """How many messages it took."""
        return self.messages / self.answered if self.answered else 0.0


class Memory:
    """All tallies, in memory: a ``notifiers.learning.thompson.Knowledge``."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Scope, str], Tally] = {}

    def tally(self, scope: Scope, channel: str) -> Tally:
        """See ``Knowledge``."""
        return self._tallies.get((scope, channel), NOTHING)

    def take_in(self, outcome: Outcome) -> None:
        """Learn from one settled message."""
        for scope, channel, tally in list(learn(self, outcome)):
            self._tallies[scope, channel] = tally


def play(world: World, policy: Policy, size: int, seed: int, faults_each: float = 8.0) -> Score:
    """Let ``size`` customers live through ``YEARS`` years and tell what came of their faults."""
    people, score, memory = populate(world, size, seed), Score(), Memory()
    for person in people:
        person.customer = _as_known(policy, person)
    chance = random.Random(f"{seed}:drift")  # noqa: S311 - a simulation
    habits = habits_of(world, seed)
    settling: list[tuple[datetime, int, Outcome]] = []
    for number, (at, who, purpose) in enumerate(_faults(size, seed, faults_each)):
        person = people[who]
        # A part of the drift for each fault, so that it does not come to everybody on one day.
        if world.drift and chance.random() < world.drift * YEARS / faults_each:
            person = people[who] = retaste(world, person, habits, chance)
        while settling and settling[0][0] <= at:
            memory.take_in(heapq.heappop(settling)[2])
        late = at > START + timedelta(days=365 * YEARS * 2 / 3)
        score.faults += 1
        score.late_faults += late
        sent = _tell(world, policy, person, memory, f"{seed}:{number}", purpose, at)
        score.messages += len(sent)
        for rung, (outcome, hours) in enumerate(sent):
            if policy in (Policy.LEARNED, Policy.LEARNED_STATED):
                heapq.heappush(settling, (outcome.at, number * 2 + rung, outcome))
            if hours is not None:
                score.answered += 1
                score.answered_at_once += rung == 0
                score.late_answered += late
                score.hours.append(hours)
    return score


def _tell(
    world: World, policy: Policy, person: Person, memory: Memory, key: str, purpose: Purpose, at: datetime
) -> list[tuple[Outcome, float | None]]:
    """Write once, and once more on the next channel where no answer came; with the hours to an answer."""
    learned = policy in (Policy.LEARNED, Policy.LEARNED_STATED)
    customer = person.customer
    choice = choose(
        customer,
        purpose,
        Severity.MAJOR,
        _in_order(policy, person),
        at,
        learned=Learner(memory, person.segment, key) if learned else None,
        holdout=learned and in_holdout(customer.id, _HOLDOUT, "channels"),
    )
    own = choice.why[-1].code in OWN_CHOICE
    ladder = [choice.channel or "", *(channel for channel, _ in choice.alternatives)][:2]
    sent: list[tuple[Outcome, float | None]] = []
    for rung, channel in enumerate(ladder):
        # The luck of a message is its own, whoever chose the channel: policies are compared under the same luck.
        reaction = react(person, channel, random.Random(f"{key}:{rung}"))  # noqa: S311 - a simulation
        waited_h = rung * _NEXT_CHANNEL_AFTER / timedelta(hours=1)
        within = reaction if rung or reaction.answered_after_h is None else _in_time(reaction)
        outcome = Outcome(
            customer.id,
            purpose,
            channel,
            customer.country,
            person.segment,
            _reached(world, channel, within),
            at + rung * _NEXT_CHANNEL_AFTER + ANSWER_WITHIN,
            own_choice=own and rung == 0,
        )
        hours = within.answered_after_h
        sent.append((outcome, None if hours is None else waited_h + hours))
        if hours is not None:
            break
    return sent


def _as_known(policy: Policy, person: Person) -> Customer:
    """The customer as the company's records have them."""
    if policy in (Policy.CONFIGURED, Policy.BEST):
        return person.customer.model_copy(update={"country": None})
    stated = person.stated if policy in (Policy.STATED, Policy.LEARNED_STATED) else None
    return person.customer.model_copy(update={"preferred_channel": stated})


def _in_time(reaction: Reaction) -> Reaction:
    """The first message has a day before the next goes out; a later answer is that one's."""
    hours = reaction.answered_after_h
    late = hours is not None and hours > _NEXT_CHANNEL_AFTER / timedelta(hours=1)
    return replace(reaction, answered_after_h=None) if late else reaction


def _in_order(policy: Policy, person: Person) -> Sequence[str]:
    if policy is Policy.BEST:
        return sorted(CHANNELS, key=lambda channel: -person.answers[channel])
    return CHANNELS


def _reached(world: World, channel: str, reaction: Reaction) -> dict[Stage, bool]:
    seen = {Stage.ANSWERED: reaction.answered_after_h is not None, Stage.FIXED: reaction.fixed}
    if channel in world.silent:
        return seen
    return {Stage.DELIVERED: reaction.delivered, Stage.READ: reaction.read, **seen}


def _faults(size: int, seed: int, each: float) -> Iterator[tuple[datetime, int, Purpose]]:
    """Yield (when, who, what for) in order of time; one message in four is about a service."""
    chance = random.Random(f"{seed}:faults")  # noqa: S311 - a simulation
    span_s = 365 * 86400 * YEARS
    count = int(size * each)
    times = sorted(chance.random() * span_s for _ in range(count))
    for seconds in times:
        purpose = Purpose.MAINTENANCE if chance.random() < 0.25 else Purpose.FAULT
        yield START + timedelta(seconds=seconds), chance.randrange(size), purpose
