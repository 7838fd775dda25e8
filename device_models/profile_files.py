"""Device profiles from YAML, with errors that name file, line, column and field."""

from collections.abc import Iterator

from device_models.profile import DeviceProfile
from device_models.units import suggestion
from device_models.yaml_lines import Document, FileError, InvalidFileError, load_yaml


def parse_profile(text: str, filename: str) -> DeviceProfile:
    """Read one profile; ``filename`` is only named in errors. Raises InvalidFileError with everything found wrong."""
    document = load_yaml(text, filename)
    profile = document.validate(DeviceProfile)
    errors = [*_texts(profile, document), *_fields(profile, document), *_plans(profile, document)]
    if errors:
        raise InvalidFileError(errors)
    return profile


def _texts(profile: DeviceProfile, document: Document) -> Iterator[FileError]:
    """Customers read these texts; English is what every other language falls back to."""
    titled = [
        (("title",), profile.title),
        *((("fields", name, "title"), spec.title) for name, spec in profile.fields.items()),
        *((("errors", code, "title"), meaning.title) for code, meaning in profile.errors.items()),
        *((("errors", code, "advice"), meaning.advice) for code, meaning in profile.errors.items() if meaning.advice),
        *((("maintenance", name, "title"), plan.title) for name, plan in profile.maintenance.items()),
        *((("maintenance", name, "advice"), plan.advice) for name, plan in profile.maintenance.items() if plan.advice),
    ]
    for loc, localized in titled:
        if "en" not in localized:
            yield document.error(loc, "has no English text (en), which other languages fall back to")


def _fields(profile: DeviceProfile, document: Document) -> Iterator[FileError]:
    known: dict[str, str] = dict.fromkeys(profile.fields, "")
    for name, spec in profile.fields.items():
        at = ("fields", name)
        if (hint := suggestion(spec.unit)) is not None:
            yield document.error((*at, "unit"), f"'{spec.unit}' is no UCUM unit; write {hint}")
        low, high = spec.minimum, spec.maximum
        if low is not None and high is not None and low >= high:
            yield document.error((*at, "maximum"), f"{high:g} is not above the minimum {low:g}")
        elif spec.nominal is not None and not (
            (low is None or low <= spec.nominal) and (high is None or spec.nominal <= high)
        ):
            yield document.error((*at, "nominal"), f"{spec.nominal:g} lies outside minimum and maximum")
        for index, alias in enumerate(spec.aliases):
            if alias in known:
                owner = f"an alias of {known[alias]}" if known[alias] else "a field itself"
                yield document.error((*at, "aliases", index), f"'{alias}' is already {owner}")
            known.setdefault(alias, name)
    for index, name in enumerate(profile.chart):
        if name not in profile.fields:
            yield document.error(("chart", index), f"'{name}' is no field of this profile")


def _plans(profile: DeviceProfile, document: Document) -> Iterator[FileError]:
    for name, plan in profile.maintenance.items():
        limits = (
            ("every_hours", plan.every_hours, "hours_field", plan.hours_field),
            ("every_cycles", plan.every_cycles, "cycles_field", plan.cycles_field),
            ("every_km", plan.every_km, "km_field", plan.km_field),
        )
        if plan.every is None and all(limit is None for _, limit, _, _ in limits):
            yield document.error(("maintenance", name), "has no every, every_hours, every_cycles or every_km")
        for key, limit, field_key, field in limits:
            if limit is not None and field not in profile.fields:
                loc = ("maintenance", name, field_key)
                yield document.error(loc, f"{key} counts by '{field}', which is no field of this profile")
