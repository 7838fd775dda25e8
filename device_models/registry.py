"""What the company knows before a device speaks: devices, their owners, shops and offers.

These are read from CSV, JSON and the API (``gateway import``), so they are pydantic models; a wrong
field raises ``pydantic.ValidationError`` naming it.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel import Locale, UnknownLocaleError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)

from device_models.purpose import Purpose

STORED: Mapping[str, bool] = MappingProxyType({"stored": True})
"""Validation context of what the store holds already: what was taken in once is not refused later."""
_BY_NUMBER = frozenset({"sms", "voice", "whatsapp"})
IMPORTED = "import"
"""The source of what the company's file says without a source."""


def _words(value: object) -> object:
    """Split a CSV cell at white space; leave JSON's lists as they are."""
    return value.split() if isinstance(value, str) else value


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


def _keepable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character, which no database of text keeps")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"'{name}' is no IANA time zone, such as Europe/Berlin") from error
    return name


def _locale(tag: str) -> str:
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"'{tag}' is no BCP 47 locale, such as pt-BR") from error
    return tag


def _number(number: str, info: ValidationInfo) -> str:
    """Return a number in E.164; one without a + is of the customer's country."""
    if info.context is STORED:
        return number
    country = info.data.get("country")
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        hint = "" if country else ", or name the customer's country"
        raise ValueError(f"is no phone number; write it in E.164, such as +491511234567{hint}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError("is no possible phone number; write it in E.164, such as +491511234567")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _addresses(value: object) -> object:
    return _pairs(value, "channel=id, such as telegram=123456")


def _choices(value: object) -> object:
    return _pairs(value, "purpose=channel, such as offer=email")


def _origins(value: object) -> object:
    """Read ``offer=app/2026-01-12T09:30:00Z`` of a CSV cell; the time may be absent."""
    pairs = _pairs(value, "what=source/time, such as offer=app/2026-01-12T09:30:00Z")
    if not isinstance(value, str) or not isinstance(pairs, dict):
        return pairs
    parts = {what: said.rpartition("/") if "/" in said else (said, "", None) for what, said in pairs.items()}
    return {what: {"source": source, "at": at} for what, (source, _, at) in parts.items()}


def _pairs(value: object, form: str) -> object:
    """Read ``name=value name=value`` of a CSV cell; leave JSON's objects as they are."""
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in value.split()]
    wrong = next((name for name, equals, text in pairs if not equals or not text), None)
    if wrong is not None:
        raise ValueError(f"'{wrong}' is not of the form {form}")
    return {name: text for name, _, text in pairs}


def check_quiet_hours(value: str) -> str:
    """Return ``value`` if it is of the form ``22:00-07:00``; raises ValueError otherwise."""
    begins, dash, ends = value.partition("-")
    try:
        if not dash or time.fromisoformat(begins) == time.fromisoformat(ends):
            raise ValueError
    except ValueError as error:
        raise ValueError(f"'{value}' is not of the form 22:00-07:00") from error
    return value


Kept = Annotated[str, Field(max_length=2000), AfterValidator(_keepable)]
Text = Annotated[Kept, Field(min_length=1)]
Id = Annotated[Kept, Field(min_length=1, max_length=200, pattern=r"^[^\s/+#][^\n\r\t]*$")]
OptionalText = Annotated[Kept | None, BeforeValidator(_empty_is_none)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
ZoneName = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone, such as Europe/Berlin."""
Words = Annotated[frozenset[Kept], BeforeValidator(_words)]


class Record(BaseModel):
    """What all records share: unknown columns are errors, empty CSV cells are absent, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: Id
    """The company's own; a device's is the one that its topics carry."""

    @model_validator(mode="wrap")
    @classmethod
    def _drop_empty(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return validate(data)
        record = validate({k: v for k, v in data.items() if v != "" and v is not None})
        # An emptied cell says something, unlike a column that is not there.
        record.model_fields_set.update(data.keys() & cls.model_fields.keys())
        return record


class Device(Record):
    """A product in the field, by the id that its topics carry."""

    profile: Kept = "generic"
    """Name of the ``DeviceProfile``."""
    customer_id: OptionalText = None
    """The owner; None opens cases for staff only."""
    name: OptionalText = None
    """The customer's own name for it: "Garage freezer"."""
    model: OptionalText = None
    serial: OptionalText = None
    firmware: OptionalText = None
    site: OptionalText = None
    hub: OptionalText = None
    """The id of the device that it speaks through, such as a Zigbee bridge; None: it speaks for itself."""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    warranty_until: date | None = None
    """The last day of the warranty, for staff; no rule goes by it."""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.model or self.id


class Origin(BaseModel):
    """Where a consent, an address or a setting of a customer comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Text
    """``app``, ``contract``, ``stop by sms``."""
    at: AwareDatetime | None = None
    """When it was given; None: not known."""
    own: bool = False
    """They said so here, to us: no import changes it."""


class Customer(Record):
    """A person who owns devices and how they want to be reached."""

    name: Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166-1 alpha-2."""
    locale: Annotated[str, AfterValidator(_locale)] = "en"
    timezone: ZoneName = "UTC"
    segment: OptionalText = None
    """What kind of customer the company counts them as: ``restaurant``, ``household``."""
    tier: OptionalText = None
    """Of their contract: ``gold``. Service levels look at both."""
    email: Annotated[Kept, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None = None
    phone: Kept | None = None
    """In E.164, as are the numbers among ``addresses``; one without a + is of ``country``."""
    preferred_channel: OptionalText = None
    addresses: Annotated[dict[Kept, Kept], BeforeValidator(_addresses)] = Field(default_factory=dict)
    """Address by channel, beyond e-mail and phone: ``{"whatsapp": "+49…", "telegram": "123"}``."""
    channel_choices: Annotated[dict[Purpose, Kept], BeforeValidator(_choices)] = Field(default_factory=dict)
    """Their own choice by purpose, before ``preferred_channel``: ``{"fault": "whatsapp", "offer": "email"}``."""
    quiet_hours: Annotated[str, AfterValidator(check_quiet_hours)] | None = None
    """``22:00-07:00`` in ``timezone``."""
    consents: Annotated[frozenset[Purpose], BeforeValidator(_words)] = frozenset()
    """Purposes agreed to; only offer and news need it."""
    objections: Annotated[frozenset[Purpose], BeforeValidator(_words)] = frozenset()
    """Purposes objected to (STOP); they win over ``consents``."""
    consent_source: OptionalText = None
    """Of an import: where its consents and addresses come from that have no origin of their own. Not kept as such."""
    consented_at: AwareDatetime | None = None
    """As ``consent_source``: since when."""
    origins: Annotated[dict[Kept, Origin], BeforeValidator(_origins)] = Field(default_factory=dict)
    """By purpose (its consent or objection), channel (the address there) or field (a setting)."""
    left_at: AwareDatetime | None = None
    """When they stopped being a customer, as the company has it; for the report of churn, messages do not go by it."""

    @field_validator("phone")
    @classmethod
    def _phone_in_e164(cls, phone: str | None, info: ValidationInfo) -> str | None:
        return None if phone is None else _number(phone, info)

    @field_validator("addresses")
    @classmethod
    def _numbers_in_e164(cls, addresses: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        # What comes back from a provider is E.164: written otherwise, a STOP from there would find nobody.
        return {channel: _number(own, info) if channel in _BY_NUMBER else own for channel, own in addresses.items()}

    def allows(self, purpose: Purpose) -> bool:
        """Tell whether this person may be contacted for ``purpose`` at all."""
        if purpose in self.objections:
            return False
        return purpose in self.consents or not purpose.needs_opt_in

    def address(self, channel: str) -> str | None:
        """Return where ``channel`` reaches this person, None if it does not."""
        if channel in self.addresses:
            return self.addresses[channel]
        own = {"email": self.email, "sms": self.phone, "whatsapp": None, "voice": self.phone, "inbox": self.id}
        return own.get(channel)

    def origin(self, what: str) -> Origin | None:
        """Return where a consent (by purpose), an address (by channel) or a setting (by field) is from."""
        given = self.consent_source is not None or self.consented_at is not None
        general = Origin(source=self.consent_source or IMPORTED, at=self.consented_at) if given else None
        return self.origins.get(what, general)

    @property
    def zone(self) -> ZoneInfo:
        """Their time zone."""
        return ZoneInfo(self.timezone)


class Shop(Record):
    """A place that sells or repairs."""

    name: Text
    latitude: Latitude
    longitude: Longitude
    radius_m: Annotated[float, Field(gt=0, le=50_000)] = 150.0
    opening_hours: OptionalText = None
    """OpenStreetMap's ``opening_hours`` syntax, in the shop's own zone; None: always open."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    address: OptionalText = None
    phone: OptionalText = None
    url: OptionalText = None
    services: Words = frozenset()


class Offer(Record):
    """Something worth telling a customer who is near a shop."""

    title: Text
    text: Text
    locale: Annotated[str, AfterValidator(_locale)] = "en"
    shops: Words = frozenset()
    """Ids of the shops it holds in; empty: all."""
    profiles: Words = frozenset()
    """Profiles of the devices it is for; empty: all."""
    occasion: OptionalText = None
    """Why now: ``maintenance_due``, ``consumable_low``, ``accessory``, ``after_fault``; None: just because."""
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    codes: Annotated[tuple[Kept, ...], BeforeValidator(_words)] = ()
    """Single-use codes; empty: none is printed."""
    budget: Annotated[int, Field(ge=0)] | None = None
    """How many may be sent in all; None: no bound."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until is not after valid_from")
        return self

    def valid_at(self, at: datetime) -> bool:
        """Tell whether the offer holds at ``at``."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )
