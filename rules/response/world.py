"""What response sees of the world, and what it may do in it: the types between the pure rules and the gateway."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from device_models.contact import Contact
from device_models.profile import DeviceProfile
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.kinds.fleet import FleetRule
from rules.response.alike import Census
from rules.response.changed import Past
from rules.response.crowd import Crowd
from rules.response.roster import Member, Roster
from rules.response.silence import Silence
from rules.response.withheld import KnownAlert
from rules.transition import Transition

if TYPE_CHECKING:
    from rules.response.storm import StormLimits


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What response needs to know of a case."""

    id: int
    dedupe_key: str
    rule: str
    device_id: str
    customer_id: str | None
    kind: str
    purpose: Purpose
    severity: Severity
    open: bool
    on_arrival: bool
    opened_at: datetime
    resolved_at: datetime | None = None
    reopened: int = 0
    told: bool = False
    """The opening message was handed over to a provider: they know, and want to hear the end."""
    told_customers: frozenset[str] = frozenset()
    """Of an incident: who was told."""


@dataclass(slots=True)
class World:
    """What the inputs of one batch may touch, as it stands before them; ``absorb`` keeps it true within the batch."""

    rules: Mapping[str, BaseRule]
    profiles: Mapping[str, DeviceProfile]
    devices: Mapping[str, Device]
    customers: Mapping[str, Customer]
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    """The open case of each dedupe key, else the one resolved last."""
    next_case_id: int = 1
    alerts: dict[str, dict[str, KnownAlert]] = field(default_factory=dict)
    """What response knows of alerts, by device and dedupe key."""
    site_sizes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many devices of a site a rule watches, by site and rule; of those sites that may be gone."""
    hub_sizes: Mapping[str, int] = field(default_factory=dict)
    """How many devices behind a hub are watched for silence, by hub; of those hubs that may be gone."""
    silences: Sequence[Silence] = ()
    """Those that may be in force; which are is theirs to say."""
    contacts: Mapping[str, Sequence[Contact]] = field(default_factory=dict)
    """Who hears of a device besides its owner, by device."""
    storm: "StormLimits | None" = None
    """When openings are held; None: never."""
    census: Census = field(default_factory=lambda: Census({}))
    """How many devices are alike."""
    crowds: dict[str, Crowd] = field(default_factory=dict)
    """By key, those that the batch may touch."""
    roster: Roster = field(default_factory=Roster)
    """Their members that the batch may touch: all of them where an incident may open."""
    watched_since: Mapping[str, datetime] = field(default_factory=dict)
    """When each fleet rule began to watch."""
    past: Past = field(default_factory=Past)
    """What changed lately; filled where an incident may open."""
    fleets: Mapping[str, Sequence[FleetRule]] = field(init=False)
    """The fleet rules that count the faults of a rule, by its id."""

    def __post_init__(self) -> None:
        """Look up once what every fact asks for."""
        self.fleets = fleets_by_rule(self.rules)

    def alert(self, transition: Transition) -> KnownAlert | None:
        """What was known of a transition's alert before it."""
        return self.alerts.get(transition.device_id, {}).get(transition.dedupe_key)

    def all_alerts(self) -> Iterable[KnownAlert]:
        """Everything that is known of alerts."""
        return (alert for of_device in self.alerts.values() for alert in of_device.values())

    def owner(self, device_id: str) -> Customer | None:
        """The customer a device belongs to."""
        device = self.devices.get(device_id)
        return self.customers.get(device.customer_id) if device and device.customer_id else None

    def hearers(self, device_id: str, purpose: Purpose) -> list[Customer]:
        """Who is told of a device for a purpose, its owner first; nobody where it has no owner."""
        owner = self.owner(device_id)
        if owner is None:
            return []
        others = (c.customer_id for c in self.contacts.get(device_id, ()) if purpose in c.purposes)
        known = [self.customers[other] for other in others if other in self.customers and other != owner.id]
        return [owner, *known]


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case opens itself."""

    case: CaseRecord
    transition: Transition
    previous_case_id: int | None


@dataclass(frozen=True, slots=True)
class ReopenCase:
    """The fault is back within the rule's ``reopen_within``."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class AddToCase:
    """The fault fires while its case is open; ``case.severity`` may have risen."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class RecoverCase:
    """The rule cleared: the case resolves itself."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell a customer; how is the notifiers' choice."""

    key: str
    """Idempotency key: the same fact never makes a second message."""
    template: str
    customer_id: str
    device_id: str
    case_id: int | None
    purpose: Purpose
    severity: Severity
    facts: Mapping[str, Any]
    refresh: bool = False
    """Where a message with this key still waits, what it says is replaced."""
    mode: str | None = None
    """The rule's own ``off`` | ``approve`` | ``auto``; None: the company's default for the purpose."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel what this case has not handed over yet."""

    case_id: int
    reason: str
    customer_id: str | None = None
    """Only what is for this customer."""


@dataclass(frozen=True, slots=True)
class JoinIncident:
    """A case that turns out to be part of an incident ends; its fault goes on there."""

    case: CaseRecord
    incident_id: int


@dataclass(frozen=True, slots=True)
class KeepAlert:
    """Remember the last word of an alert, and what withholds it."""

    alert: KnownAlert


@dataclass(frozen=True, slots=True)
class KeepCrowd:
    """Remember how many devices that are alike fail."""

    crowd: Crowd


@dataclass(frozen=True, slots=True)
class KeepMember:
    """Remember a device of a crowd."""

    member: Member


@dataclass(frozen=True, slots=True)
class Record:
    """A fact that response itself found: an incident of a fleet rule began or is over."""

    transition: Transition
    case_id: int | None


Action = (
    OpenCase
    | ReopenCase
    | AddToCase
    | RecoverCase
    | Notify
    | Withdraw
    | KeepAlert
    | JoinIncident
    | KeepCrowd
    | KeepMember
    | Record
)


def fleets_by_rule(rules: Mapping[str, BaseRule]) -> dict[str, list[FleetRule]]:
    """Return the fleet rules that count the faults of a rule, by its id, in the order of the rule files."""
    found: dict[str, list[FleetRule]] = {}
    for rule in rules.values():
        if isinstance(rule, FleetRule):
            for name in rule.of:
                found.setdefault(name, []).append(rule)
    return found


def absorb(world: World, actions: Sequence[Action]) -> None:
    """Bring ``world`` up to date with ``actions``, so that the next input of the batch sees them."""
    for action in actions:
        if isinstance(action, OpenCase | ReopenCase | AddToCase | RecoverCase | JoinIncident):
            world.cases[action.case.dedupe_key] = action.case
        if isinstance(action, KeepAlert):
            transition = action.alert.transition
            world.alerts.setdefault(transition.device_id, {})[transition.dedupe_key] = action.alert
        if isinstance(action, KeepCrowd):
            world.crowds[action.crowd.key] = action.crowd
        if isinstance(action, KeepMember):
            world.roster.put(action.member)
        if isinstance(action, OpenCase):
            world.next_case_id = max(world.next_case_id, action.case.id + 1)
