"""Self-service first: a customer tries a step, and the gateway watches what the device says meanwhile.

Once per episode, on fresh data alone, they are told unasked that it gets better; after that, or whenever they ask, a
person takes over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.profile import GENERIC
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.cases.causes import shares
from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry
from gateway.commands import CommandRefused, StepTried, WatchSteps
from gateway.config import Config
from gateway.outbox.queue import enqueue
from gateway.people.registry import Registry
from gateway.store import dialect, schema
from gateway.store.self_help import tried_steps, watches
from gateway.texts.own import NOTHING, OwnTexts
from gateway.transaction import Transaction
from gateway.web.twin import twin_of
from notifiers.wording.article import Article, Articles, load_articles
from rules.respond import Notify, device_facts
from rules.response.improving import Watch, advance, begin, is_improving

_FRESH_INTERVALS = 3
_WATCHED_FOR = timedelta(hours=6)
"""What has not got better by then did not get better by that step."""


@lru_cache(maxsize=4)
def _loaded(directories: tuple[Any, ...], shipped: bool) -> Articles:
    return load_articles(directories, shipped=shipped)


@lru_cache(maxsize=4)
def _with_own(directories: tuple[Any, ...], shipped: bool, texts: OwnTexts) -> Articles:
    return Articles([*texts.articles, *_loaded(directories, shipped)])


def articles_of(config: Config, texts: OwnTexts = NOTHING) -> Articles:
    """Return the company's articles, and those that ship here where the rules that ship here are in force.

    Raises ValueError for one that is wrong.
    """
    if not texts.articles:
        return _loaded(config.notifiers.articles, config.rules.builtin)
    return _with_own(config.notifiers.articles, config.rules.builtin, texts)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a case's article, as its customer sees it."""

    index: int
    text: str
    tried: bool


@dataclass(frozen=True, slots=True)
class Help:
    """The article for a case, in one language."""

    article: Article
    steps: Sequence[Step]
    """In the order to try them: what it oftenest was stands first among those that look for a cause."""

    @property
    def next_step(self) -> Step | None:
        """The first that nobody tried."""
        return next((step for step in self.steps if not step.tried), None)


def help_of_case(config: Config, registry: Registry, connection: sa.Connection, case: Any, locale: str) -> Help | None:
    """Find the article for a case and which of its steps were tried; None where there is none.

    ``case``: with ``id``, ``rule``, ``fault``, ``profile`` and ``explanation``.
    """
    profile, advice = case.profile or GENERIC.name, case.explanation.get("advice")
    article = articles_of(config, registry.texts).find(case.rule, case.fault, profile, locale, advice)
    if article is None:
        return None
    tried = set(connection.execute(sa.select(tried_steps.c.step).where(tried_steps.c.case_id == case.id)).scalars())
    order = article.in_order(shares(connection, case.rule)[0] if article.causes else {})
    return Help(article, [Step(index, article.steps[index], index in tried) for index in order])


def step_tried(tx: Transaction, command: StepTried) -> bool:
    """Write down that a step was tried and watch the device from now on; tell whether that is new.

    Raises CommandRefused where the case is not theirs, is over, or has no such step.
    """
    case = load_case(tx, command.case_id)
    customer = tx.registry.customers.get(command.customer_id)
    if case is None or customer is None or case["customer_id"] != customer.id:
        raise CommandRefused(f"case {command.case_id} is not this customer's")
    if case["state"] != "open":
        raise CommandRefused(f"case {command.case_id} is over")
    device = tx.registry.devices.get(case["device_id"])
    profile = device.profile if device else GENERIC.name
    advice = case["explanation"].get("advice")
    article = articles_of(tx.config, tx.registry.texts).find(
        case["rule"], case["fault"], profile, customer.locale, advice
    )
    if article is None or not 0 <= command.step < len(article.steps):
        raise CommandRefused("there is no such step")
    row = {
        "case_id": case["id"],
        "step": command.step,
        "article": article.name,
        "customer_id": customer.id,
        "via": command.via,
        "at": tx.now,
    }
    if not dialect.insert_new(tx.connection, tried_steps, row, unique=["case_id", "step"]):
        return False
    body = {"step": command.step + 1, "text": article.steps[command.step], "article": article.name}
    add_entry(tx, case["id"], "tried", "customer", body=body)
    _watch_from_now(tx, case, customer, command.via)
    return True


def watch_steps(tx: Transaction, command: WatchSteps) -> int:
    """Look at every value that is watched; return how many customers are told that it gets better."""
    rows = tx.connection.execute(sa.select(watches).where(watches.c.ended_at.is_(None))).mappings().all()
    return sum(_look(tx, row) for row in rows)


def _watch_from_now(tx: Transaction, case: sa.RowMapping, customer: Customer, via: str) -> None:
    told = sa.select(watches.c.told).where(watches.c.case_id == case["id"])
    if tx.connection.execute(told).scalar():
        return
    explanation: Mapping[str, Any] = case["explanation"]
    field, limit, direction = (explanation.get(name) for name in ("field", "limit", "direction"))
    reading = _reading(tx, case["device_id"], field)
    if reading is None or not isinstance(limit, int | float) or direction not in ("above", "below"):
        return
    side: Literal["above", "below"] = "above" if direction == "above" else "below"
    row = {
        "case_id": case["id"],
        "customer_id": customer.id,
        "via": via,
        "field": field,
        "state": _as_json(begin(side, float(limit), *reading)),
        "began_at": tx.now,
        "ended_at": None,
        "told": False,
    }
    dialect.upsert(tx.connection, watches, [row])


def _look(tx: Transaction, row: sa.RowMapping) -> bool:
    case = load_case(tx, row["case_id"])
    customer = tx.registry.customers.get(row["customer_id"])
    if case is None or case["state"] != "open" or customer is None or tx.now - row["began_at"] > _WATCHED_FOR:
        _write(tx, row["case_id"], ended_at=tx.now)
        return False
    reading = _reading(tx, case["device_id"], row["field"])
    watch = _from_json(row["state"])
    if reading is None:
        return False
    watch = advance(watch, *reading)
    device = tx.registry.devices.get(case["device_id"])
    profile = tx.profiles.get(device.profile, GENERIC) if device else GENERIC
    if not is_improving(watch, tx.now, profile.reporting_interval * _FRESH_INTERVALS):
        _write(tx, row["case_id"], state=_as_json(watch))
        return False
    _write(tx, row["case_id"], state=_as_json(watch), ended_at=tx.now, told=True)
    add_entry(tx, case["id"], "improving", body={"field": row["field"], "from": watch.worst, "to": watch.last})
    _tell(tx, case, customer, row, watch)
    return True


def _tell(tx: Transaction, case: sa.RowMapping, customer: Customer, row: sa.RowMapping, watch: Watch) -> None:
    """Say it where they are; whoever tried the step on their page hears it on their channel too."""
    facts = {
        **case["explanation"],
        **device_facts(tx.registry.devices.get(case["device_id"]), tx.profiles),
        "values": {row["field"]: watch.last},
        "severity": case["severity"],
        "purpose": case["purpose"],
        "case_id": case["id"],
    }
    enqueue(
        tx,
        Notify(
            key=f"case:{case['id']}:fault_improving:{case['reopened']}",
            template="fault_improving",
            customer_id=customer.id,
            device_id=case["device_id"],
            case_id=case["id"],
            purpose=Purpose(case["purpose"]),
            severity=Severity.INFO,
            facts=facts,
            mode="auto",
            expires_at=tx.now + timedelta(minutes=30),
        ),
        via=None if row["via"] == "page" else row["via"],
    )


def _reading(tx: Transaction, device_id: str, field: object) -> tuple[float, datetime] | None:
    """The field's last value and when the device measured it; None where there is no such number."""
    if not isinstance(field, str):
        return None
    s = schema.device_states
    twin = twin_of(tx.connection.execute(sa.select(s.c.state).where(s.c.device_id == device_id)).scalar())
    value, at = twin.values.get(field), twin.observed_at.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or at is None:
        return None
    return float(value), at


def _write(tx: Transaction, case_id: int, **values: Any) -> None:
    tx.connection.execute(sa.update(watches).where(watches.c.case_id == case_id).values(**values))


def _as_json(watch: Watch) -> dict[str, Any]:
    return {name: rfc3339(v) if isinstance(v, datetime) else v for name, v in asdict(watch).items()}


def _from_json(state: Mapping[str, Any]) -> Watch:
    times = {name: datetime.fromisoformat(state[name]) for name in ("worst_at", "last_at")}
    return Watch(**{**state, **times})
