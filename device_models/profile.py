"""A device profile: what a kind of product measures, how often it speaks, its error codes and its service plan."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from device_models.duration import Duration
from device_models.localized import Localized
from device_models.purpose import Purpose, Severity


class PositionOf(StrEnum):
    """Whose position a device reports: its owner's (a phone), or a thing's (an e-bike, a freezer)."""

    PERSON = "person"
    THING = "thing"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldSpec(_Model):
    """One measured value."""

    title: Localized
    unit: str = ""
    """UCUM; limits in rules and the twin are in this unit. Empty: a count or a text."""
    minimum: float | None = None
    """Physical bounds: a value outside is a sensor's fault, not a sample."""
    maximum: float | None = None
    nominal: float | None = None
    decimals: int = Field(default=1, ge=0, le=6)
    type: Literal["number", "text", "bool"] | None = None
    """What ``rules check`` compares with; None: a number where there is a unit or a bound, otherwise unknown."""
    aliases: tuple[str, ...] = ()
    """Other names the same value arrives under, such as ``DS18B20.Temperature``."""


class ErrorCode(_Model):
    """What one code of the maker's catalogue means."""

    title: Localized
    severity: Severity = Severity.MAJOR
    purpose: Purpose = Purpose.FAULT
    advice: Localized = Field(default_factory=dict)
    """What the customer can do."""


class ServicePlan(_Model):
    """One recurring service: due at whichever of its limits is reached first."""

    title: Localized
    every: Duration | None = None
    """Calendar time since the last service."""
    every_hours: float | None = Field(default=None, gt=0)
    """Running hours since the last service, by ``hours_field``."""
    hours_field: str = "running_hours"
    every_cycles: float | None = Field(default=None, gt=0)
    cycles_field: str = "cycles"
    every_km: float | None = Field(default=None, gt=0)
    km_field: str = "odometer_km"
    notice: Duration = timedelta(days=14)
    """How long before the date the customer is told."""
    advice: Localized = Field(default_factory=dict)


class CommandSpec(_Model):
    """A command that staff may send to a device of this kind."""

    title: Localized
    payload: dict[str, Any] = Field(default_factory=dict)
    """What is published, as JSON."""
    explains: str = ""
    """What it does, for staff."""


class SequenceSpec(_Model):
    """A counter with which devices of a kind number their messages."""

    field: str = "seq"
    modulo: int | None = Field(default=None, ge=256)
    """Where it begins again at 0, such as 65536; None: never."""


class DeviceProfile(_Model):
    """A kind of product."""

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: Localized
    """What a customer calls it: "freezer", "heat pump"."""
    position_of: PositionOf = PositionOf.THING
    reporting_interval: Duration = timedelta(minutes=5)
    """How often a healthy device is heard."""
    lateness: Duration = timedelta(0)
    """How late samples may arrive and still give the cases they would have given live."""
    fields: dict[str, FieldSpec] = Field(default_factory=dict)
    chart: tuple[str, ...] = ()
    """Fields that a case's chart shows where its rule names none."""
    error_field: str = "code"
    """The field of an error event, or of a status, that carries codes."""
    errors: Annotated[dict[str, ErrorCode], BeforeValidator(lambda v: _text_keys(v))] = Field(default_factory=dict)
    maintenance: dict[str, ServicePlan] = Field(default_factory=dict)
    firmware_field: str = "firmware"
    """The field in which a device says which firmware runs on it; what the registry knows follows."""
    model_field: str = "model"
    """Likewise its model."""
    sequence: SequenceSpec | None = None
    """How messages are numbered; what is missing gives ``sequence_missed`` and ``sequence_restarts``, None: they are
    not."""
    commands: dict[str, CommandSpec] = Field(default_factory=dict)
    """What staff may send to it; empty: nothing."""


def _text_keys(value: Any) -> Any:
    """YAML reads a code such as 17 as a number; codes are compared as text."""
    return {str(code): meaning for code, meaning in value.items()} if isinstance(value, dict) else value


GENERIC = DeviceProfile(name="generic", title={"en": "device", "de": "Gerät", "ar": "الجهاز"})
"""The profile of a device that nobody described."""
