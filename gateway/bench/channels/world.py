"""Simulated customers: what each answers to is hidden from whoever writes to them, and is what the play is about.

A customer answers a message on a channel with a probability of their own. It comes from the country's habit (how well
the channel does there), the segment's (by language and product), and the person's taste; in a world without tastes
the last is the same for all. Everything follows from the seed.
"""

import math
import random
from dataclasses import dataclass, replace

from device_models.purpose import Purpose
from device_models.registry import Customer
from notifiers.learning.priors import priors
from notifiers.learning.thompson import segment_of

CHANNELS = ("email", "sms", "whatsapp", "push", "telegram")
"""In the company's order."""
_COUNTRIES = (("BR", "pt-BR"), ("ID", "id"), ("US", "en-US"), ("GB", "en-GB"), ("DE", "de"), ("FR", "fr"), ("ES", "es"))
"""Five that the survey asked and two that it did not."""
_PROFILES = ("freezer", "heat-pump", "e-bike-tracker")
_USUAL_ANSWER = 0.35
_READ_UNANSWERED = 0.45
"""Of messages that arrive and are not answered, so many are read."""
_ARRIVES = 0.97
_ENDS_ANYWAY = 0.35
"""Faults that end in time without anybody's doing."""
_ENDS_AFTER_ANSWER = 0.75


@dataclass(frozen=True, slots=True)
class World:
    """What differs from world to world."""

    name: str
    explains: str
    taste: float = 1.2
    """Standard deviation of a person's own taste, in log odds; 0: all of a segment are alike."""
    habit: float = 0.5
    """Standard deviation of a country's and a segment's habit, in log odds."""
    drift: float = 0.0
    """Share of customers whose taste is drawn anew within a year."""
    silent: frozenset[str] = frozenset({"email"})
    """Channels that never report delivery or reading."""
    survey: float = 0.7
    """In so many of the countries that were asked, the channel that the survey names does best."""


WORLDS = (
    World("tastes", "people differ, as people do; mail reports nothing"),
    World("mild tastes", "people differ little", taste=0.5),
    World("no tastes", "every person of a segment is like the others; countries and segments differ", taste=0.0),
    World("all alike", "every channel does equally well with everybody: nothing can be gained", taste=0.0, habit=0.0),
    World("drift", "half of the customers get another taste each year", drift=0.5),
    World(
        "few report",
        "tastes; only SMS and push report, and those that are silent are no worse",
        silent=frozenset({"email", "whatsapp", "telegram"}),
    ),
    World("none reports", "tastes; no channel reports anything", silent=frozenset(CHANNELS)),
    World(
        "no tastes, few report",
        "no tastes; only SMS and push report",
        taste=0.0,
        silent=frozenset({"email", "whatsapp", "telegram"}),
    ),
    World("survey is right", "no tastes, and everywhere the survey's channel does best", taste=0.0, survey=1.0),
)


@dataclass(slots=True)
class Person:
    """One customer and what nobody knows of them."""

    customer: Customer
    profile: str
    segment: str
    answers: dict[str, float]
    """Probability of an answer by channel."""
    patience_h: dict[str, float]
    """Median hours to an answer by channel."""
    stated: str | None
    """What they once said they prefer."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What would come of one message on one channel."""

    delivered: bool
    read: bool
    answered_after_h: float | None
    fixed: bool


def populate(world: World, size: int, seed: int) -> list[Person]:
    """Draw the customers of a world."""
    chance = random.Random(f"{seed}:people")  # noqa: S311 - a simulation
    habits = Habits(world, random.Random(f"{seed}:habits"))  # noqa: S311 - a simulation
    return [_person(world, number, habits, chance) for number in range(size)]


def retaste(world: World, person: Person, habits: "Habits", chance: random.Random) -> Person:
    """Draw a person's taste anew: what drift does."""
    answers = _answers(world, person.customer.country or "", person.segment, habits, chance)
    return replace(person, answers=answers)


def react(person: Person, channel: str, chance: random.Random) -> Reaction:
    """Draw what comes of a message; ``chance`` is the message's own, so that every policy meets the same luck."""
    luck = [chance.random() for _ in range(4)]
    hours = person.patience_h[channel] * math.exp(chance.gauss(0, 0.8))
    delivered = luck[0] < _ARRIVES
    answered = delivered and luck[1] < person.answers[channel] and hours <= 72
    read = answered or (delivered and luck[2] < _READ_UNANSWERED * (0.5 + person.answers[channel]))
    fixed = luck[3] < (_ENDS_AFTER_ANSWER if answered else _ENDS_ANYWAY)
    return Reaction(delivered, read, hours if answered else None, fixed)


class Habits:
    """How well each channel does in a country and a segment, in log odds."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._drawn: dict[tuple[str, str], float] = {}
        if world.habit:
            for country, _ in _COUNTRIES:
                self._follow_survey(country)

    def of(self, group: str, channel: str) -> float:
        """Return the habit of a country or segment."""
        if (group, channel) not in self._drawn:
            self._drawn[group, channel] = self._chance.gauss(0, self._world.habit) if self._world.habit else 0.0
        return self._drawn[group, channel]

    def _follow_survey(self, country: str) -> None:
        asked = next((prior.channel for prior in priors(country, Purpose.FAULT) if prior.channel in CHANNELS), None)
        drawn = sorted((self._chance.gauss(0, self._world.habit) for _ in CHANNELS), reverse=True)
        order = list(CHANNELS)
        self._chance.shuffle(order)
        if asked is not None and self._chance.random() < self._world.survey:
            order.sort(key=lambda channel: channel != asked)
        self._drawn |= {(country, channel): habit for channel, habit in zip(order, drawn, strict=True)}


def _person(world: World, number: int, habits: Habits, chance: random.Random) -> Person:
    country, locale = chance.choice(_COUNTRIES)
    profile = chance.choice(_PROFILES)
    customer = Customer(
        id=f"c{number}",
        name=f"Customer {number}",
        country=country,
        locale=locale,
        email=f"c{number}@example.com",
        addresses=dict.fromkeys(CHANNELS[1:], f"+4930{10_000_000 + number}"),
    )
    segment = segment_of(profile, customer)
    answers = _answers(world, country, segment, habits, chance)
    patience_h = {channel: 6.0 * math.exp(chance.gauss(0, 0.5)) for channel in CHANNELS}
    best = max(answers, key=answers.__getitem__)
    # Two in five were ever asked, and six in ten of them named what they then answer to best.
    stated = (best if chance.random() < 0.6 else chance.choice(CHANNELS)) if chance.random() < 0.4 else None
    return Person(customer, profile, segment, answers, patience_h, stated)


def _answers(world: World, country: str, segment: str, habits: Habits, chance: random.Random) -> dict[str, float]:
    usual = math.log(_USUAL_ANSWER / (1 - _USUAL_ANSWER))
    found = {}
    for channel in CHANNELS:
        taste = chance.gauss(0, world.taste) if world.taste else 0.0
        odds = usual + habits.of(country, channel) + 0.5 * habits.of(segment, channel) + taste
        found[channel] = 1 / (1 + math.exp(-odds))
    return found


def habits_of(world: World, seed: int) -> Habits:
    """Draw the habits of a world again, as ``populate`` drew them."""
    return Habits(world, random.Random(f"{seed}:habits"))  # noqa: S311 - a simulation
