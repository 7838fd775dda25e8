"""Who is in a crowd: the devices that began to fail, found by device, by crowd and by customer."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A device in a crowd."""

    key: str
    """Of the crowd."""
    device_id: str
    customer_id: str | None
    counted_at: datetime
    """When it began to fail last."""
    faults: frozenset[str] = frozenset()
    """Dedupe keys of its faults that last."""
    incident: int | None = None
    """The case of the incident that it is part of."""
    told: bool = False
    """Its owner heard of the fault before it became part."""

    @property
    def failing(self) -> bool:
        """Whether a fault of it lasts."""
        return bool(self.faults)


class Roster:
    """Members; the last word on each counts."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._of_device: defaultdict[str, dict[str, Member]] = defaultdict(dict)
        self._of_crowd: defaultdict[str, dict[str, Member]] = defaultdict(dict)
        self._of_customer: defaultdict[tuple[str, str | None], dict[str, Member]] = defaultdict(dict)
        for member in members:
            self.put(member)

    def put(self, member: Member) -> None:
        """Take in a member, in place of what was known of it."""
        before = self.get(member.key, member.device_id)
        if before is not None:
            del self._of_customer[before.key, before.customer_id][before.device_id]
        self._of_device[member.device_id][member.key] = member
        self._of_crowd[member.key][member.device_id] = member
        self._of_customer[member.key, member.customer_id][member.device_id] = member

    def get(self, key: str, device_id: str) -> Member | None:
        """Return a device's membership of one crowd."""
        return self._of_device[device_id].get(key) if device_id in self._of_device else None

    def of_device(self, device_id: str) -> list[Member]:
        """Return all memberships of a device."""
        return list(self._of_device[device_id].values()) if device_id in self._of_device else []

    def of_crowd(self, key: str) -> list[Member]:
        """Return the members of a crowd."""
        return list(self._of_crowd[key].values()) if key in self._of_crowd else []

    def of_customer(self, key: str, customer_id: str) -> list[Member]:
        """Return a customer's devices in a crowd."""
        return list(self._of_customer[key, customer_id].values()) if (key, customer_id) in self._of_customer else []
