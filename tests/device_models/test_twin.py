from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_models.twin import Twin

T0 = datetime(2026, 3, 1, tzinfo=UTC)
VALUES = st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(), st.booleans(), st.text(max_size=3)))
SAID = st.lists(st.tuples(st.integers(0, 9), VALUES), max_size=8)


@given(SAID)
def test_the_latest_value_of_each_field_wins_in_whatever_order_they_come(
    said: list[tuple[int, dict[str, int]]],
) -> None:
    twin = Twin()
    expected: dict[str, tuple[int, object]] = {}
    for second, values in said:
        twin = twin.after(values, T0 + timedelta(seconds=second))
        for name, value in values.items():
            if name not in expected or expected[name][0] <= second:
                expected[name] = (second, value)
    assert dict(twin.values) == {name: value for name, (_, value) in expected.items()}
    assert dict(twin.observed_at) == {name: T0 + timedelta(seconds=s) for name, (s, _) in expected.items()}
    assert Twin.from_json(twin.to_json()) == twin


def test_a_duplicate_has_the_same_values_of_the_same_time_and_type() -> None:
    twin = Twin().after({"a": 1, "b": "x"}, T0)
    assert twin.says({"a": 1}, T0)
    assert not twin.says({"a": True}, T0)
    assert not twin.says({"a": 2}, T0)
    assert not twin.says({"a": 1}, T0 + timedelta(seconds=1))
    assert not twin.says({"c": 1}, T0)
