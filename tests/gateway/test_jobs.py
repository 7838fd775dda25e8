"""Jobs that read the teams' calendars: each by itself, and one that is configured no more takes its dates along."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from gateway.commands.desk import OfferSlots
from gateway.config import Config
from gateway.jobs import Jobs
from gateway.store.desk import service_slots
from tests.gateway.making import T0, Gateway, gateway
from tests.gateway.test_subscriptions import HandClock, Hands


def jobs_of(made: Gateway, *feeds: tuple[str, Path]) -> Jobs:
    config = Config.model_validate({"dates": [{"team": team, "feed": str(feed)} for team, feed in feeds]})
    rest = {name: Mock() for name in ("history", "stream", "registry", "committed", "health")}
    return Jobs(config, HandClock(made), Hands(made), made.store, profiles={}, transports=(), **rest)


async def test_a_calendar_that_cannot_be_read_keeps_no_other_from_being_read(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "bad.ics").write_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\n")
    (tmp_path / "good.csv").write_text("starts_at,ends_at\n2026-03-03T09:00Z,2026-03-03T10:00Z\n")
    with gateway(store_url, tmp_path) as made:
        planned: dict[str, Any] = {}
        scheduler = Mock(every=lambda _interval, name, job: planned.update({name: job}))
        jobs_of(made, ("Berlin", tmp_path / "bad.ics"), ("Berlin", tmp_path / "good.csv")).plan(scheduler)
        for name in ("dates 1", "dates 2"):
            await planned[name]()
        assert [(row["team"], row["feed"]) for row in made.rows(service_slots)] == [
            ("Berlin", str(tmp_path / "good.csv"))
        ]


async def test_a_calendar_that_is_configured_no_more_offers_nothing(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("starts_at,ends_at\n2026-03-03T09:00Z,2026-03-03T10:00Z\n")
    with gateway(store_url, tmp_path) as made:
        jobs = jobs_of(made, ("Berlin", tmp_path / "kept.csv"))
        span = (T0.replace(hour=12), T0.replace(hour=13))
        made.submit(OfferSlots("Rome", (("r1", *span),), "gone.csv"))
        made.submit(OfferSlots("Berlin", (("b1", *span),), str(tmp_path / "kept.csv")))
        await jobs.forget_dates()
        assert [row["id"] for row in made.rows(service_slots)] == ["b1"]
