"""What is handed over next, on both databases."""

from pathlib import Path

from gateway import commands as c
from gateway.outbox.due import Wanted, first_in_line
from tests.gateway.making import TOO_WARM, Gateway
from tests.gateway.test_ladder import opened
from tests.gateway.test_sender import people, queue


def lines(made: Gateway, *wanted: Wanted, skip: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
    with made.store.read() as connection:
        rows = first_in_line(connection, made.now, wanted, skip)
    return [(row["customer_id"], row["severity"]) for row in rows]


def test_the_next_of_each_line_is_read_by_channel_and_what_is_urgent_first(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path, TOO_WARM) as made:
        people(made, 90)
        for i in range(80):
            queue(made, "p0" if i < 70 else f"p{i}")
        queue(made, "p85", severity="critical")
        queue(made, "eve", channel="email")
        sms, email = Wanted("sms", 3), Wanted("email", 3)
        # However much one has, and whoever's message is on its way: nobody else is kept back.
        assert lines(made, sms, email) == [("p85", "critical"), ("p0", "info"), ("p70", "info"), ("eve", "info")]
        assert lines(made, sms, email, skip=(("p0", "sms"), ("p85", "sms")))[:2] == [("p70", "info"), ("p71", "info")]
        assert lines(made, Wanted("sms", 3, urgent_only=True), email) == [("p85", "critical"), ("eve", "info")]
        # A channel that nobody serves any more gives its messages up to another.
        assert ("eve", "info") in lines(made, sms)
        made.submit(c.Hold(True, by="Mia"))
        assert lines(made, sms, email) == []
