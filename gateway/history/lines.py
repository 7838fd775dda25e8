"""How samples are written to InfluxDB: measurements, tags, and a field name that says its type. Pure.

InfluxDB gives a field one type in a measurement and drops what comes in another. Devices differ, and one field may be
a number here and a text there, so the type is part of the name: ``temperature`` is always a float,
``door:bool`` a float 0 or 1, ``state:text`` a string.
"""

from collections.abc import Iterable, Sequence

from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from gateway.history import MAX_TEXT, Sample, SeriesKind, classify, storable
from gateway.history import thinning as th

MEASUREMENT = "device"
POSITION_MEASUREMENT = "position"
DEVICE_TAG = "device_id"
POSITION_FIELDS = ("latitude", "longitude", "accuracy_m", "altitude_m", "speed_m_s", "course_deg")

_SUFFIX = {SeriesKind.NUMBER: ":number", SeriesKind.BOOL: ":bool", SeriesKind.TEXT: ":text"}


def stored_name(field: str, kind: SeriesKind) -> str:
    """Name a field in InfluxDB; a number keeps its own name unless that name reads like one of the suffixes."""
    if kind is SeriesKind.NUMBER and not field.endswith(tuple(_SUFFIX.values())):
        return field
    return field + _SUFFIX[kind]


def field_of(stored: str) -> str:
    """Return the device's own name for a stored one."""
    return next((stored.removesuffix(end) for end in _SUFFIX.values() if stored.endswith(end)), stored)


def points(sample: Sample) -> Iterable[Point]:
    """Turn a sample into one point for its values and one for its position, as far as it has them."""
    at_us = th.to_us(sample.observed_at)
    status = Point(MEASUREMENT).tag(DEVICE_TAG, storable(sample.device_id)).time(at_us, WritePrecision.US)
    some = False
    for field, value in sample.values.items():
        kind, number = classify(value)
        if kind is None:
            continue
        some = True
        shown = storable(str(value)[:MAX_TEXT]) if kind is SeriesKind.TEXT else number
        status.field(stored_name(storable(field), kind), shown)
    if some:
        yield status
    if sample.position is not None:
        place = Point(POSITION_MEASUREMENT).tag(DEVICE_TAG, storable(sample.device_id)).time(at_us, WritePrecision.US)
        for field, coordinate in sample.position.as_dict().items():
            place.field(field, float(coordinate))
        yield place


def lines(samples: Sequence[Sample]) -> list[str]:
    """Write samples as line protocol, microseconds."""
    return [point.to_line_protocol() for sample in samples for point in points(sample)]
