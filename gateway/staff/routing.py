"""Which team, and who of it, a case goes to: by what they know and speak, where it is, and how much they have. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a team."""

    name: str
    languages: frozenset[str] = frozenset()
    """Those they answer in (``de``); empty: whichever."""
    at_most: int | None = None
    """Open cases that they are given; None: no bound."""
    on_duty: bool = True
    load: int = 0
    """Open cases that they have and that do not rest."""


@dataclass(frozen=True, slots=True)
class Team:
    """Who takes which cases. Each condition that is given must hold; an empty one always does."""

    name: str
    rules: frozenset[str] = frozenset()
    profiles: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    """Countries of the customers (ISO 3166-1 alpha-2)."""
    assigns: bool = False
    """Whether a case goes to one of them at once, instead of waiting for whoever takes it."""
    fallback: str | None = None
    members: tuple[Member, ...] = ()

    @property
    def on_duty(self) -> bool:
        """Whether anybody is."""
        return any(member.on_duty for member in self.members)


@dataclass(frozen=True, slots=True)
class Need:
    """What a case asks of whoever works on it; None where nobody knows."""

    rule: str
    profile: str | None = None
    language: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a case goes."""

    team: str
    agent: str | None = None
    why: Mapping[str, Any] = field(default_factory=dict)
    """What decided: the team's conditions that held, ``instead_of`` a team without anybody on duty, the agent's
    ``load`` and ``language``, or ``nobody``: why no agent was chosen."""


def route(teams: Sequence[Team], need: Need) -> Route | None:
    """Return the team and agent that ``need`` goes to; None where no team is for it.

    ``teams`` come in the order in which they are tried. Where nobody of the team is on duty its fallback takes over,
    and that one's; where none of them has anybody, the team itself keeps the case.
    """
    own = whose(teams, need)
    if own is None:
        return None
    by_name = {team.name: team for team in teams}
    team, passed = own, {own.name}
    while not team.on_duty and team.fallback in by_name and team.fallback not in passed:
        team = by_name[team.fallback]
        passed.add(team.name)
    if not team.on_duty:
        team = own
    why: dict[str, Any] = dict(_held(own, need))
    if team is not own:
        why["instead_of"] = own.name
    agent = _agent(team.members, need) if team.assigns else None
    if agent is not None:
        why |= {"load": agent.load, **({"language": need.language} if need.language in agent.languages else {})}
    elif team.assigns:
        why["nobody"] = "full" if team.on_duty else "off duty"
    return Route(team.name, agent.name if agent else None, why)


def whose(teams: Sequence[Team], need: Need) -> Team | None:
    """Return the first team that ``need`` fits."""
    return next((team for team in teams if _fits(team, need)), None)


def with_one_more(teams: Sequence[Team], agent: str) -> list[Team]:
    """Return the teams as they are once ``agent``, of whichever of them, has been given another case."""
    return [
        replace(
            team,
            members=tuple(replace(m, load=m.load + 1) if m.name == agent else m for m in team.members),
        )
        for team in teams
    ]


def _fits(team: Team, need: Need) -> bool:
    return all(has in allowed for allowed, has in _wanted(team, need) if allowed)


def _held(team: Team, need: Need) -> Iterable[tuple[str, str | None]]:
    names = ("rule", "profile", "language", "region")
    return [(name, has) for name, (allowed, has) in zip(names, _wanted(team, need), strict=True) if allowed]


def _wanted(team: Team, need: Need) -> tuple[tuple[frozenset[str], str | None], ...]:
    return (
        (team.rules, need.rule),
        (team.profiles, need.profile),
        (team.languages, need.language),
        (team.regions, need.region),
    )


def _agent(members: Iterable[Member], need: Need) -> Member | None:
    """Choose the least loaded of those on duty who speak the language; where nobody does, of all on duty."""
    free = [m for m in members if m.on_duty and (m.at_most is None or m.load < m.at_most)]
    able = [m for m in free if not m.languages or need.language is None or need.language in m.languages]
    return min(able or free, key=lambda m: (m.load, m.name), default=None)
