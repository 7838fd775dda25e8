"""Charts show what was measured, say it in words, and are well-formed whatever a device sends."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Browser, Page

from device_models.purpose import Severity
from gateway.history import Series, SeriesKind
from gateway.history import thinning as th
from gateway.history.axes import time_ticks, unit_label, value_scale, write_number, write_span
from gateway.history.chart import Wording, chart
from gateway.history.label_place import Room, place_of

BERLIN = ZoneInfo("Europe/Berlin")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATIC = Path(__file__).parents[2] / "gateway" / "web" / "static"


def minute(n: float) -> datetime:
    return T0 + timedelta(minutes=n)


def series(points: dict[float, float], **changes: Any) -> Series:
    pairs = [(th.to_us(minute(n)), value) for n, value in sorted(points.items())]
    thinned = th.thin(pairs, th.to_us(T0), th.to_us(minute(60)), 1000, None)
    rest = {"device_id": "d", "field": "t", "since": T0, "until": minute(60), "unit": "Cel", **changes}
    return thinned.series(**rest)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  (our own markup)


def words(svg: str) -> list[str]:
    return [node.text or "" for node in parse(svg).iter() if node.tag.endswith("text")]


def lines(svg: str) -> list[str]:
    """Paths of the series itself."""
    return [str(n.get("d")) for n in parse(svg).iter() if n.get("stroke", "").startswith("var(--series") and n.get("d")]


WARMING = series({n: -18.0 + max(0, n - 40) * 0.5 for n in range(60) if not 10 <= n < 25})


def test_the_description_says_what_a_glance_tells() -> None:
    svg = chart(
        WARMING,
        title="Temperature",
        zone=BERLIN,
        limit=-12,
        direction="above",
        firing=[(minute(52), None)],
        now=minute(59),
    )
    assert parse(svg).get("aria-label") == (
        "Temperature from 13:00 to 14:00. Lowest −18.0 °C at 13:40, highest −8.5 °C at 13:59. "
        "Last −8.5 °C at 13:59. Limit −12.0 °C, wrong above it. Firing from 13:52 to 13:59. "
        "No data from 13:09 to 13:25."
    )


def test_a_gap_is_not_bridged() -> None:
    before, after = lines(chart(WARMING, title="T", zone=BERLIN))
    assert before.count("L") == 9
    assert after.count("L") == 34
    assert "no data" in words(chart(WARMING, title="T", zone=BERLIN))


def test_the_limits_words_stand_where_the_curve_does_not_run() -> None:
    room = Room(40, 400, 26, 180)
    rising = [[(40.0, 150.0), (100.0, 130.0), (400.0, 40.0)]]
    # It begins just below the line at 140: at the left the words would lie on it.
    assert place_of(140, 80, room, rising, below=True) == (400 - 6 - 80, 154)
    assert place_of(140, 80, room, [], below=True) == (46, 154)
    # No room below the line.
    assert place_of(175, 80, room, [], below=True) == (46, 170)
    everywhere = [[(40.0 + x, 140.0 + 20 * (-1) ** x) for x in range(360)]]
    assert place_of(140, 80, room, everywhere, below=True) == (46, 154)


def test_a_limit_outside_the_values_is_on_the_chart_with_severity_in_shape_and_word() -> None:
    svg = chart(series({0: 1.0, 5: 2.0}), title="T", zone=BERLIN, limit=40.0, severity=Severity.CRITICAL, decimals=0)
    assert "▲ limit 40 °C" in words(svg)
    dashed = next(node for node in parse(svg).iter() if node.get("stroke-dasharray"))
    assert "--critical" in str(dashed.get("stroke"))
    y = float(str(dashed.get("d")).split()[1].split("H")[0])
    assert 26 <= y <= 240 - 26


def test_times_are_the_viewers() -> None:
    assert "13:30" in words(chart(WARMING, title="T", zone=BERLIN))
    tokyo = words(chart(WARMING, title="T", zone=ZoneInfo("Asia/Tokyo")))
    assert "21:30" in tokyo
    assert "1 Mar 2026 · Asia/Tokyo" in tokyo


def test_one_sample_is_a_dot_and_a_flat_series_a_line_with_an_axis_around_it() -> None:
    assert lines(chart(series({5: 21.0}), title="T", zone=BERLIN)) == []
    flat = series({0: 230.0, 30: 230.0, 59: 230.0})
    (path,) = lines(chart(flat, title="U", zone=BERLIN))
    heights = {part.split()[1] for part in path.replace("L", " L").removeprefix("M").split(" L")}
    assert len(heights) == 1


def test_a_customers_chart_says_what_it_is_given_without_dates_or_data_for_a_cursor() -> None:
    day = series({n: n / 60 for n in range(60) if not 10 <= n < 30}, since=T0 - timedelta(hours=23))
    wording = Wording(
        "Les 24 dernières heures\u00a0: 0,5.", limit="Limite 0,5\u00a0°C", no_data="aucun relevé", decimal=","
    )
    svg = chart(day, title="Température", zone=BERLIN, limit=0.5, firing=[(minute(40), None)], wording=wording)
    root, drawn = parse(svg), words(svg)
    assert root.get("aria-label") == wording.described
    assert root.get("role") == "img"
    assert not [name for name in root.attrib if name.startswith("data-")]
    assert "◆ Limite 0,5\u00a0°C" in drawn
    assert "0,50" in drawn
    assert "00:00" in drawn
    assert not [word for word in drawn if "Mar" in word or "Berlin" in word]
    assert "firing" not in svg


def test_an_empty_series_says_what_will_appear() -> None:
    svg = chart(series({}), title="Temperature", zone=BERLIN)
    assert "Temperature appears here as soon as the device sends it." in words(svg)
    assert "data-points" not in svg


def test_a_truth_value_is_drawn_in_steps_with_words() -> None:
    svg = chart(series({0: 0.0, 10: 1.0, 20: 0.0}, kind=SeriesKind.BOOL), title="Door open", zone=BERLIN)
    assert {"yes", "no"} <= set(words(svg))
    assert all("L" not in path for path in lines(svg))


def test_a_text_is_a_band_of_its_values() -> None:
    changes = ((minute(-5), "idle"), (minute(20), "cooling"))
    state = Series("d", "state", T0, minute(60), SeriesKind.TEXT, changes=changes)
    svg = chart(state, title="State", zone=BERLIN)
    assert {"idle", "cooling"} <= set(words(svg))
    assert parse(svg).get("aria-label") == "State: cooling since 13:20. It changed once."


@given(
    points=st.dictionaries(
        st.floats(0, 59.99), st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=40
    ),
    said=st.text(max_size=20),
    limit=st.none() | st.floats(-1e9, 1e9),
    width=st.integers(0, 2000),
    kind=st.sampled_from([SeriesKind.NUMBER, SeriesKind.BOOL]),
)
def test_any_series_gives_well_formed_markup_without_nan(
    points: dict[float, float], said: str, limit: float | None, width: int, kind: SeriesKind
) -> None:
    if kind is SeriesKind.BOOL:
        points = {at: float(value > 0) for at, value in points.items()}
    svg = chart(
        series(points, kind=kind, unit=said),
        title=said,
        zone=BERLIN,
        limit=limit,
        width=width,
        annotations=[(T0, said)],
    )
    parse(svg)
    coordinates = " ".join(
        node.get(key, "") for node in parse(svg).iter() for key in ("d", "x", "y", "cx", "cy", "width")
    )
    assert "nan" not in coordinates
    assert "inf" not in coordinates


@given(st.lists(st.tuples(st.floats(-10, 59), st.text(max_size=300)), min_size=1, max_size=10))
def test_any_text_gives_well_formed_markup(said: list[tuple[float, str]]) -> None:
    changes = tuple((minute(n), text) for n, text in sorted(said))
    parse(chart(Series("d", "s", T0, minute(60), SeriesKind.TEXT, changes=changes), title="S", zone=BERLIN))


@given(st.floats(-1e12, 1e12), st.floats(0, 1e9), st.integers(2, 12))
def test_a_value_axis_holds_its_values_with_a_sane_number_of_ticks(low: float, length: float, most: int) -> None:
    scale = value_scale(low, low + length, most)
    rounding = (length + abs(low) * 1e-9) * 1e-6
    assert scale.low <= low + rounding
    assert scale.high >= low + length - rounding
    assert 2 <= len(scale.ticks) <= most + 2


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  (zone is given)
    st.timedeltas(timedelta(seconds=2), timedelta(days=3000)),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"]),
    st.integers(2, 12),
)
def test_time_ticks_lie_within_in_order_at_round_times(
    since: datetime, length: timedelta, zone: str, most: int
) -> None:
    ticks = time_ticks(since, since + length, ZoneInfo(zone), most)
    assert len(ticks) <= max(2, most)
    times = [tick.at for tick in ticks]
    assert times == sorted(set(times))
    assert all(since <= at <= since + length for at in times)
    if length >= timedelta(minutes=10):
        assert all(at.second == 0 for at in times)


def test_ticks_stay_round_when_the_clocks_change() -> None:
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)
    labels = [tick.label for tick in time_ticks(night, night + timedelta(hours=12), BERLIN, 7)]
    assert labels == ["29 Mar", "04:00", "06:00", "08:00", "10:00", "12:00"]


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [(-8.25, 1, "−8.2"), (-0.04, 1, "0.0"), (1234.5, 0, "1234"), (-1234567.0, 0, "−1\u202f234\u202f567")],
)
def test_numbers_are_written_for_people(value: float, decimals: int, written: str) -> None:
    assert write_number(value, decimals) == written


def test_spans_and_units_are_written_for_people() -> None:
    assert write_span(T0, minute(60), BERLIN) == "1 Mar 2026"
    assert write_span(T0 - timedelta(days=400), T0, BERLIN) == "25 Jan 2025 – 1 Mar 2026"
    assert [unit_label(unit) for unit in ("Cel", "1", "%", "{door}")] == ["°C", "", "%", "door"]


def _script() -> str:
    """chart.js as one script with what it imports: this page has no address to fetch it from."""
    imported = (STATIC / "words.js").read_text().replace("export ", "")
    return imported + (STATIC / "chart.js").read_text().replace('import { t } from "./words.js";', "")


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with await browser.new_context(viewport={"width": 760, "height": 400}) as context:
        yield await context.new_page()


@pytest.mark.asyncio(loop_scope="session")
async def test_keys_and_pointer_read_the_samples(page: Page) -> None:
    svg = chart(WARMING, title="Temperature", zone=BERLIN)
    style, script = (STATIC / "chart.css").read_text(), _script()
    await page.set_content(f"<style>{style}</style><body>{svg}<script type=module>{script}</script>")
    slider = page.get_by_role("slider", name="Temperature: read the samples")
    await slider.focus()
    await page.keyboard.press("ArrowLeft")
    assert await slider.get_attribute("aria-valuetext") == "13:58, −9.0 °C"
    await page.keyboard.press("Home")
    assert await slider.get_attribute("aria-valuetext") == "13:00, −18.0 °C"
    assert await page.locator(".chart-cursor > .at").evaluate("e => getComputedStyle(e).visibility") == "visible"
    box = await page.locator(".chart-cursor > .reach").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 53 / 60, box["y"] + 50)
    assert await slider.get_attribute("aria-valuetext") == "13:53, −11.5 °C"
    assert await slider.get_attribute("aria-valuemax") == str(len(json.loads(str(parse(svg).get("data-points")))) - 1)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_chart_that_comes_later_gets_its_cursor_too(page: Page) -> None:
    script = _script()
    await page.set_content(f"<body><main></main><script type=module>{script}</script>")
    svg = chart(WARMING, title="Temperature", zone=BERLIN)
    await page.evaluate("svg => { document.querySelector('main').innerHTML = svg }", svg)
    await page.get_by_role("slider", name="Temperature: read the samples").wait_for(state="attached", timeout=5000)
