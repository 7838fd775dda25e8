import csv
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from gateway.people.csv_cells import CsvSyntaxError, rows_of
from gateway.people.importing import ImportResult, Kind, read_records
from gateway.people.json_places import place_of


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def _read(name: str, text: str | bytes, kind: Kind = "devices", **options: Any) -> ImportResult:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_records(path, kind, **options)

    return _read


def _errors(result: ImportResult) -> list[str]:
    return [str(error).rpartition("/")[2] for error in result.errors]


def test_devices_come_from_csv(read: Any) -> None:
    result = read("d.csv", 'id,profile,customer_id,name,latitude\nf-1,freezer,c-1,"Garage, left",52.5\nf-2,,,,\n')
    assert result.errors == ()
    assert result.records == (
        Device(id="f-1", profile="freezer", customer_id="c-1", name="Garage, left", latitude=52.5),
        Device(id="f-2"),
    )


def test_a_text_that_no_database_keeps_is_named_with_its_place(read: Any) -> None:
    found = read("d.csv", f"id,name,serial\nf-1,a\0b,s\nf-2,b,{'s' * 2001}\n")
    assert [error.partition(": ")[0] for error in _errors(found)] == ["d.csv:2:5", "d.csv:3:7"]


def test_customers_come_with_consents_addresses_and_quiet_hours(read: Any) -> None:
    text = (
        "id;name;country;locale;timezone;email;phone;addresses;quiet_hours;consents;consent_source;consented_at\n"
        "c-1;Lena Kühn;DE;de-DE;Europe/Berlin;lena@example.com;+4915112345678;whatsapp=+4915112345678 telegram=7;"
        "22:00-07:00;offer news;shop form;2026-01-05T10:00:00Z\n"
    )
    (customer,) = read("c.csv", text, "customers").records
    assert isinstance(customer, Customer)
    assert customer.consents == {Purpose.OFFER, Purpose.NEWS}
    assert customer.addresses == {"whatsapp": "+4915112345678", "telegram": "7"}
    assert (customer.name, customer.quiet_hours) == ("Lena Kühn", "22:00-07:00")


def test_numbers_are_kept_in_one_form_whatever_their_channel_and_way_of_writing(read: Any) -> None:
    # As in a JSON file or from the API, where an address may hold spaces.
    people: list[dict[str, Any]] = [
        {"country": None, "phone": "+49 151 12345678", "addresses": {"whatsapp": "+49 151 12345678"}},
        {"country": "DE", "phone": "0151 12345678", "addresses": "whatsapp=0151/12345678 telegram=0151"},
        {"country": "DE", "phone": "004915112345678", "addresses": {"voice": "0151-12345678"}},
    ]
    rows = [{"id": str(number), "name": "A", **person} for number, person in enumerate(people)]
    found = read("c.json", json.dumps(rows), "customers")
    assert found.errors == ()
    assert {customer.phone for customer in found.records} == {"+4915112345678"}
    assert [customer.addresses for customer in found.records] == [
        {"whatsapp": "+4915112345678"},
        {"whatsapp": "+4915112345678", "telegram": "0151"},
        {"voice": "+4915112345678"},
    ]


@pytest.mark.parametrize("address", ["whatsapp=notanumber", "whatsapp=0151", "sms=+49"])
def test_an_address_that_is_no_number_where_one_is_meant_is_named_with_its_place(read: Any, address: str) -> None:
    [error] = _errors(read("c.csv", f"id,name,addresses\n1,A,{address}\n", "customers"))
    assert error.startswith("c.csv:2:5: addresses: is no ")


def test_a_table_in_another_encoding_is_read_as_it_says(read: Any) -> None:
    text = "id;name\n1;Lena Kühn\n".encode("cp1252")
    assert read("c.csv", text, "customers").errors != ()
    assert read("c.csv", text, "customers", encoding="cp1252").records[0].name == "Lena Kühn"
    with pytest.raises(ValueError, match="'klingon' is no encoding known here"):
        read("c.csv", text, "customers", encoding="klingon")


def test_offers_and_shops_come_from_json_and_json_lines(read: Any) -> None:
    offers = [{"id": "o-1", "title": "Seal", "text": "New door seal", "shops": "s-1 s-2", "budget": 5}]
    (offer,) = read("o.json", json.dumps(offers), "offers").records
    assert isinstance(offer, Offer)
    assert offer.shops == {"s-1", "s-2"}
    assert offer.budget == 5
    shop = '{"id": 7, "name": "A\u2028B", "latitude": 1, "longitude": 2}\n'
    lines = f"{shop}\n{shop.replace('7', '8')}"
    assert [shop.id for shop in read("s.jsonl", lines, "shops").records] == ["7", "8"]


def test_points_of_geojson_are_shops_with_longitude_first(read: Any) -> None:
    feature = {
        "type": "Feature",
        "id": 12,
        "properties": {"name": "Mitte", "services": ["repair", "sales"]},
        "geometry": {"type": "Point", "coordinates": [13.4, 52.5]},
    }
    for data in (feature, {"type": "FeatureCollection", "features": [feature]}):
        for name in ("s.geojson", "s.json"):
            (shop,) = read(name, json.dumps(data), "shops").records
            assert isinstance(shop, Shop)
            assert (shop.id, shop.latitude, shop.longitude) == ("12", 52.5, 13.4)
            assert shop.services == {"repair", "sales"}


def test_a_mapping_reads_other_peoples_columns_and_ignores_the_rest(read: Any) -> None:
    mapping = {"Nr": "id", "Label": "name", "geo.lat": "latitude", "geo.lon": "longitude"}
    data = [{"Nr": 5, "Label": "X", "geo": {"lat": 1.5, "lon": 2.5}, "opened": 1999}]
    result = read("s.json", json.dumps(data), "shops", mapping=mapping)
    assert result.records == (Shop(id="5", name="X", latitude=1.5, longitude=2.5),)
    assert result.ignored == ("opened",)
    table = "Nr,Label,geo.lat,geo.lon,opened\n5,X,1.5,2.5,1999\n"
    assert read("s.csv", table, "shops", mapping=mapping).records == result.records


def test_an_empty_field_drops_a_column(read: Any) -> None:
    assert read("d.csv", "id,colour\na,red\n", mapping={"colour": ""}).records == (Device(id="a"),)


def test_each_mistake_in_csv_is_named_with_line_column_and_field(read: Any) -> None:
    text = 'id,name,latitude,longitude\na,"first\nline",91,0\nb,B,x,0\n,C,1,2\nd,D,1\ne,E,1,2\ne,E,1,2\n'
    result = read("s.csv", text, "shops")
    assert _errors(result) == [
        "s.csv:3:7: latitude: Input should be less than or equal to 90",
        "s.csv:4:5: latitude: Input should be a valid number, unable to parse string as a number",
        "s.csv:5:1: id: is missing",
        "s.csv:6:1: has 3 cells where the header has 4",
        "s.csv:8:1: id: 'e' stands already in line 7",
    ]
    assert [shop.id for shop in result.records] == ["e"]


def test_each_mistake_in_json_is_named_with_line_column_and_field(read: Any) -> None:
    text = """[
 {"id": "a", "name": "A", "latitude": 91, "longitude": 0},
 {"name": "B", "latitude": 1, "longitude": 2},
 5,
 {"id": "d", "name": "D",
  "geo": {"lat": 1, "lon": "west"}},
 {"id": "e", "country": "Germany", "name": "E", "latitude": 1, "longitude": 1}
]"""
    mapping = {"geo.lat": "latitude", "geo.lon": "longitude"}
    assert _errors(read("s.json", text, "shops", mapping=mapping)) == [
        "s.json:2:39: latitude: Input should be less than or equal to 90",
        "s.json:3:2: id: is missing",
        "s.json:4:2: is no object",
        "s.json:6:28: longitude: Input should be a valid number, unable to parse string as a number",
        "s.json:7:25: country: is no ISO 3166-1 alpha-2 code, such as DE",
    ]


def test_each_mistake_in_geojson_is_named_with_its_place(read: Any) -> None:
    text = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "a", "properties": {"name": "A"}, "geometry": {"type": "LineString"}},
{"type": "Feature", "id": "b", "properties": {"name": "B"}, "geometry": {"type": "Point", "coordinates": [13.4, 95]}},
{"type": "Feature", "id": "c", "properties": {"name": "C", "radius_m": -5},
 "geometry": {"type": "Point", "coordinates": [13.4, 52.5]}},
7]}"""
    assert _errors(read("s.geojson", text, "shops")) == [
        "s.geojson:2:73: geometry: is no Point",
        "s.geojson:3:113: latitude: Input should be less than or equal to 90",
        "s.geojson:4:72: radius_m: Input should be greater than 0",
        "s.geojson:6:1: is no Feature",
    ]


def test_a_column_that_is_no_field_is_said_once_with_what_to_do(read: Any) -> None:
    for name, text in (
        ("d.csv", "id,colour\na,red\nb,blue\n"),
        ("d.jsonl", '{"id":"a","colour":1}\n{"id":"b","colour":2}'),
    ):
        (error,) = read(name, text).errors
        assert error.field == "colour"
        assert "map it with --map colour=FIELD or drop it with --map colour=" in error.message


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("d.csv", "", "d.csv:1:1: is empty; the first line names the columns"),
        ("d.csv", 'id\n"a', "d.csv:2:1: a quoted cell does not end"),
        ("d.csv", 'id\n"a"b', "d.csv:2:4: a quote must be doubled inside a quoted cell"),
        ("d.csv", "id,id\na,b", "d.csv:1:4: id: names a second column so"),
        (
            "d.csv",
            b"id\n\xff",
            "d.csv:2:1: is not UTF-8 (byte 4); save it as UTF-8, or name its --encoding",
        ),
        ("d.json", "[1,", "d.json:1:4: is no JSON: Expecting value"),
        ("d.json", '{"id": NaN}', "d.json:1:1: is no JSON: NaN is no JSON number"),
        ("d.json", "5", "d.json:1:1: is no object"),
        ("d.jsonl", '{"id":"a"}\n{', "d.jsonl:2:2: is no JSON: Expecting property name enclosed in double quotes"),
        ("d.geojson", "[]", "d.geojson:1:1: is neither a FeatureCollection nor a Feature"),
        ("d.geojson", '{"type": "FeatureCollection"}', "d.geojson:1:1: is neither a FeatureCollection nor a Feature"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_it_breaks(read: Any, name: str, text: str | bytes, error: str) -> None:
    assert _errors(read(name, text)) == [error]


def test_a_mapping_to_something_that_is_no_field_is_refused(read: Any) -> None:
    (error,) = _errors(read("d.csv", "a\n1\n", mapping={"a": "colour"}))
    assert error.startswith("d.csv:1:1: colour: is no field; the fields are id, profile, ")


def test_a_mapped_column_that_the_file_does_not_have_is_a_mistake(read: Any) -> None:
    assert _errors(read("d.csv", "id\n1\n", mapping={"nr": "serial"})) == [
        "d.csv:1:1: nr: is mapped, but the file has no such column"
    ]


def test_a_required_field_that_no_column_gives_is_said_once(read: Any) -> None:
    assert _errors(read("s.csv", "id,latitude\na,1\nb,2\n", "shops")) == [
        "s.csv:1:1: name: is required, and no column gives it",
        "s.csv:1:1: longitude: is required, and no column gives it",
    ]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(read: Any) -> None:
    result = read("d.csv", b"\xef\xbb\xbfid,name\r\na,A\r\nb,B\r\n\r\n")
    assert [(device.id, device.name) for device in result.records] == [("a", "A"), ("b", "B")]


def test_a_suffix_that_tells_no_format_asks_for_one(read: Any) -> None:
    with pytest.raises(ValueError, match="say --format"):
        read("d.txt", "id\na\n")
    assert read("d.txt", "id\na\n", file_format="csv").records == (Device(id="a"),)


_CELLS = st.lists(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8), min_size=2, max_size=4
    ),
    min_size=1,
    max_size=5,
)


@given(_CELLS)
def test_what_pythons_own_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    header = ["a"] * len(rows[0])
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([header, *rows])
    read_back = [[cell.text for cell in row] for row in rows_of(out.getvalue())]
    assert read_back == [row for row in [header, *rows] if any(cell.strip() for cell in row)]


@given(_CELLS)
def test_a_cell_stands_where_it_says(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["a"] * len(rows[0]), *rows])
    lines = out.getvalue().split("\n")
    for row in rows_of(out.getvalue()):
        for cell in row:
            at = lines[cell.line - 1][cell.column - 1 :]
            assert at.startswith(
                (cell.text.split("\n")[0].replace('"', '""'), '"' + cell.text.split("\n")[0].replace('"', '""'))
            )


@given(st.text(max_size=40))
def test_any_text_is_rows_or_a_syntax_error_with_its_place(text: str) -> None:
    with suppress(CsvSyntaxError):
        assert all(rows_of(text))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([None, 2]))
def test_every_value_of_a_json_text_is_found_where_it_stands(data: Any, indent: int | None) -> None:
    text = " " + json.dumps(data, indent=indent, ensure_ascii=False)
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        found, _ = json.JSONDecoder().raw_decode(text, place_of(text, path))
        assert found == value
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting.extend(((*path, key), child) for key, child in children)


_STORES = Path(__file__).parents[3] / "shared" / "data" / "stores"


@pytest.mark.parametrize(
    ("name", "mapping", "count"),
    [
        (
            "starbucks_beijing.csv",
            {"Store_Number": "id", "Store_Name": "name", "Latitude": "latitude", "Longitude": "longitude"},
            236,
        ),
        ("bestbuy_us_without_ca.json", {"location.lat": "latitude", "location.lon": "longitude"}, 1396),
    ]
    if _STORES.is_dir()
    else [],
)
def test_public_lists_of_shops_are_read_through_a_mapping(name: str, mapping: dict[str, str], count: int) -> None:
    result = read_records(_STORES / name, "shops", mapping)
    assert result.errors == ()
    assert len(result.records) == count
    assert all(isinstance(shop, Shop) and shop.latitude > 18 for shop in result.records)


def test_opening_hours_that_cannot_be_read_are_a_mistake_of_their_row(tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    path.write_text("id,name,latitude,longitude,opening_hours\na,A,1,2,Mo-Fr 09:00-18:00\nb,B,1,2,after lunch\n")
    result = read_records(path, "shops")
    assert [record.id for record in result.records] == ["a"]
    [error] = result.errors
    assert (error.line, error.field) == (3, "opening_hours")
