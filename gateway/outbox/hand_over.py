"""Handing a message over, and what comes of it.

A message is handed over at most once a channel and key: it is marked before it is written to the provider, in a
transaction that checks consent, expiry and the hold switch again. A crash in between leaves it *unknown*.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.cases import date_messages
from gateway.cases.attachments import to_send
from gateway.cases.causes import shares
from gateway.cases.record import load_case
from gateway.cases.self_help import articles_of
from gateway.cases.timeline import add_entry, touch
from gateway.commands import HandOver, HandOverFailed, ReceiptArrived, SendFailed, Sent, SetConsent
from gateway.outbox import survey
from gateway.outbox.caps import is_capped
from gateway.outbox.checking import addressee, choice_of_one, has_one_address, is_staff_alert, without_code
from gateway.outbox.digest import TEMPLATE as DIGEST
from gateway.outbox.digest import cases_of, gather, said
from gateway.outbox.due import is_behind_a_retry, is_urgent
from gateway.outbox.ending import end_unsent
from gateway.outbox.ladder import call_back, next_choice, send_also, used_channels, went_on
from gateway.outbox.outcomes import SURVEY, note_billing, note_failed, note_receipt, note_sent
from gateway.outbox.owed import OWED, owed_as
from gateway.outbox.pace import LONG_DOWN_S
from gateway.outbox.queue import choose_now, is_held, load_notification, set_state, why_of
from gateway.outbox.reachability import said_to_staff, shut
from gateway.outbox.wording import word
from gateway.people.consent import set_consent
from gateway.store import dialect, schema
from gateway.transaction import Transaction
from gateway.web.links import LinkSigner, twilio_status_url
from notifiers.choice import Choice
from notifiers.errors import Because
from notifiers.message import Brand, Links, Outgoing, Rendered, Thread
from notifiers.receipts import SendState, advance
from notifiers.wording.bidi import direction_of
from notifiers.wording.render import OF_NO_PURPOSE

INBOUND_MAIL = "mail"
"""``inbound.provider`` of a customer's mail; its ``provider_id`` is the Message-ID."""
MOST_ATTEMPTS = 12
URGENT_ATTEMPTS = 3
"""Of what is urgent, while there is another channel to take."""
_REPEATABLE = frozenset({"line", "inbox"})
"""Channels whose provider carries a key out once: what a crash left without an answer is simply sent again."""
_REPEATABLE_FOR = timedelta(hours=23)
"""LINE knows a key for 24 hours."""
_WITH_STEPS = frozenset({"fault_opened", "fault_update"})
_REPORTED_ON = frozenset({"handed_over", "unknown", "accepted", "delivered", "read"})
"""States that a receipt may move; what was buried or discarded stays so."""
_SESSION = timedelta(hours=23, minutes=55)
"""After a customer's own message WhatsApp takes free text for 24 hours; a little less, so that none comes too late."""
_n, _i, _r = schema.notifications.c, schema.inbound.c, schema.receipts.c
_WROTE_SINCE = (
    sa.select(_i.id)
    .where(
        _i.customer_id == sa.bindparam("customer"),
        _i.channel == sa.bindparam("on"),
        _i.received_at > sa.bindparam("since"),
    )
    .limit(1)
)
_RECEIPTS = sa.select(_r.state, _r.because, _r.error_code).where(
    _r.provider == sa.bindparam("by"), _r.provider_id == sa.bindparam("of_id"), _r.received_at >= sa.bindparam("since")
)
_OUR_MAILS = (
    sa.select(_n.provider_id, _n.handed_over_at)
    .where(_n.case_id == sa.bindparam("of_case"), _n.channel == "email", _n.provider_id.is_not(None))
    .order_by(_n.id)
)
_THEIR_MAILS = (
    sa.select(_i.provider_id, _i.received_at)
    .where(_i.case_id == sa.bindparam("of_case"), _i.provider == INBOUND_MAIL)
    .order_by(_i.id)
)
_FIRST_WAIT_S = 15.0
_LONGEST_WAIT_S = 3600.0


def hand_over(tx: Transaction, command: HandOver, links: LinkSigner) -> Outgoing | None:
    """Mark a queued message as handed over and return it ready to send; None where it must not go (now)."""
    row = load_notification(tx, command.notification_id)
    if row is None or row["state"] != "queued" or (is_held(tx) and not is_staff_alert(row)):
        return None
    # Whoever asks may have looked before the attempt failed that gave it a time to wait for.
    if (row["not_before"] is not None and row["not_before"] > tx.now) or is_behind_a_retry(tx, row):
        return None
    if row["expires_at"] is not None and row["expires_at"] <= tx.now:
        end_unsent(tx, row, "expired", "its time had run out", said="expired")
        return None
    if (moot := survey.why_moot(tx, row) or date_messages.why_moot(tx, row)) is not None:
        end_unsent(tx, row, "cancelled", moot)
        return None
    customer = addressee(tx, row)
    if customer is None:
        end_unsent(tx, row, "cancelled", "the customer is gone")
        return None
    purpose = Purpose(row["purpose"])
    choice = choice_of_one(row) or _choice(tx, row, customer, command)
    if choice.withheld or choice.channel is None or choice.address is None:
        end_unsent(tx, row, "withheld", choice.withheld, why=why_of(choice))
        return None
    if choice.not_before is not None and choice.not_before > tx.now:
        set_state(tx, row["id"], "queued", not_before=choice.not_before, why=why_of(choice))
        return None
    if choice.channel in command.paused:
        if choice.channel != row["channel"]:
            set_state(tx, row["id"], "queued", channel=choice.channel, address=choice.address, why=why_of(choice))
        return None
    if is_staff_alert(row):
        rendered, message_links = as_it_stands(row["text"], customer.locale.split("-")[0]), Links()
    else:
        row = gather(tx, row)
        rendered, message_links = render_row(tx, {**row}, customer, choice.channel, links)
    set_state(
        tx,
        row["id"],
        "handed_over",
        channel=choice.channel,
        address=choice.address,
        why=why_of(choice),
        attempts=row["attempts"] + 1,
        handed_over_at=tx.now,
        subject=rendered.subject,
        body=rendered.text,
        reason=None,
    )
    key = f"{row['key']}:{choice.channel}"
    return Outgoing(
        key=key,
        channel=choice.channel,
        address=choice.address,
        rendered=rendered,
        purpose=purpose,
        now=tx.now,
        expires_at=row["expires_at"],
        links=message_links,
        thread=_thread(tx, row),
        status_callback_url=twilio_status_url(tx.config.public_url, key),
        receipt_url=links.receipt_url(key),
        automatic=row["text"] is None,
        session_open=_wrote_today(tx, customer.id, choice.channel),
        files=(*to_send(tx, row["id"]), *date_messages.calendar_of(tx, row)) if choice.channel == "email" else (),
    )


def put_aside(tx: Transaction, command: HandOverFailed) -> None:
    """Make a message that trips a fault of ours a dead letter, so that it keeps back nobody else's."""
    row = load_notification(tx, command.notification_id)
    if row is not None and row["state"] == "queued":
        _bury(tx, row, f"it could not be made ready ({command.fault}); the log says more")


def as_it_stands(text: str, language: str) -> Rendered:
    """A message in somebody's own words, without anything around them; its first line is the subject."""
    return Rendered(text.partition("\n")[0][:100], text, None, language, direction_of(language))


def _choice(tx: Transaction, row: sa.RowMapping, customer: Customer, command: HandOver) -> Choice:
    """Choose as things stand; past a provider that is down where the message cannot wait for it, if there is a way."""
    used = used_channels(tx, row)
    shunned = command.paused if is_urgent(row) else command.down

    def choose(tried: tuple[str, ...]) -> Choice:
        return choose_now(
            tx,
            customer,
            Purpose(row["purpose"]),
            Severity(row["severity"]),
            tried,
            key=row["key"],
            device_id=row["device_id"],
            via=row["facts"].get("via"),
            capped=is_capped(row["template"]) and row["text"] is None and "first_key" not in row["facts"],
            owed=owed_as(row["template"], row["facts"].get("via")),
        )

    choice = choose(used)
    if choice.channel not in shunned:
        return choice
    another = choose((*used, *sorted(shunned)))
    return another if another.channel is not None and not another.withheld else choice


def render_row(
    tx: Transaction, row: Mapping[str, Any], customer: Customer, channel: str, links: LinkSigner
) -> tuple[Rendered, Links]:
    """Put a row of the outbox into words as they would go out now on ``channel``."""
    brand = Brand(tx.config.brand.name, tx.config.brand.support_name, tx.config.public_url)
    if row["template"] == DIGEST and not row["text"]:
        template, facts, case_id = said(tx, row, customer, brand)
        repeats = {"may_repeat": True} if row["facts"].get("may_repeat") else {}
        row = {**row, "template": template, "facts": {**facts, **repeats}, "case_id": case_id}
    about = None if row["template"] in OF_NO_PURPOSE else Purpose(row["purpose"])
    stop_url = links.stop_url(customer.id, row["case_id"], about)
    page_url = links.page_url(customer.id, row["case_id"], about)
    if row["template"] == SURVEY:
        page_url += "#rate"
    # No mail program ends safety warnings in one click: its button leads to the page, which says what they will miss.
    one_click = None if about is Purpose.SAFETY else stop_url
    message_links = Links() if has_one_address(row) else Links(page_url, stop_url, one_click)
    if row["template"] in OWED:
        message_links = Links(page_url)
    facts = {**row["facts"], **({"text": row["text"]} if row["text"] else {}), **_steps(tx, row, customer)}
    template = "agent_reply" if row["text"] else row["template"]
    return word(tx, template, customer, facts, channel, brand, message_links, tx.now), message_links


def _steps(tx: Transaction, row: Mapping[str, Any], customer: Customer) -> dict[str, Any]:
    """The steps of the article for a fault, in place of the rule's own advice."""
    case = load_case(tx, row["case_id"]) if row["case_id"] is not None and row["template"] in _WITH_STEPS else None
    device = tx.registry.devices.get(case["device_id"]) if case is not None else None
    if case is None or device is None:
        return {}
    advice = case["explanation"].get("advice")
    article = articles_of(tx.config, tx.registry.texts).find(
        case["rule"], case["fault"], device.profile, customer.locale, advice
    )
    if article is None:
        return {}
    order = article.in_order(shares(tx.connection, case["rule"])[0] if article.causes else {})
    return {"advice": {article.language: "\n".join(article.steps[index] for index in order)}}


def record_sent(tx: Transaction, command: Sent) -> None:
    """The provider took it; a receipt may even have come before this."""
    row = load_notification(tx, command.notification_id)
    if row is not None and row["provider_id"] is None and row["state"] in ("delivered", "read"):
        # A receipt that named our own key was faster than the answer.
        ids = {"provider": command.provider, "provider_id": command.provider_id, "accepted_at": tx.now}
        set_state(tx, row["id"], row["state"], **ids)
        return
    if row is None or row["state"] not in ("handed_over", "unknown"):
        return
    values = {"provider": command.provider, "provider_id": command.provider_id, "accepted_at": tx.now}
    reports = _reports(tx, command.provider, command.provider_id, row["handed_over_at"])
    state = reduce(advance, (SendState(report["state"]) for report in reports), SendState(command.state))
    if state is SendState.FAILED:
        failed = next(report for report in reports if report["state"] == "failed")
        _heed_failure(tx, row, Because(failed["because"] or "message"), command.provider, failed["error_code"] or "")
        _next_channel(tx, row, f"{command.provider} reported a failure before it had answered")
        return
    set_state(tx, row["id"], state.value, **values, **_times(tx, state), **without_code(row))
    note_sent(tx, row, state)
    if state.reached:
        call_back(tx, row)
    for case_id in cases_of(row):
        case = load_case(tx, case_id)
        first = {} if case is None or case["first_response_at"] else {"first_response_at": tx.now}
        touch(tx, case_id, **first)


def record_failure(tx: Transaction, command: SendFailed, chance: random.Random) -> None:
    """Decide what a failed send comes to: later again, another channel, or a person's task."""
    row = load_notification(tx, command.notification_id)
    if row is None or row["state"] != "handed_over":
        return
    if command.outcome == "try_later":
        has_another = is_urgent(row) and next_choice(tx, row) is not None
        if row["attempts"] >= (URGENT_ATTEMPTS if has_another else MOST_ATTEMPTS):
            _next_channel(tx, row, f"gave up after {row['attempts']} attempts: {command.reason}")
            return
        # The sender keeps to what the provider asked for; the message is looked at again when it may go another way.
        wait_s = 0.75 * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (row["attempts"] - 1))
        if command.retry_after_s is not None:
            wait_s = min(command.retry_after_s, wait_s if has_another else LONG_DOWN_S)
        # Some of the wait is chance, so that a provider that comes back is not met by everybody at once.
        not_before = tx.now + timedelta(seconds=wait_s * (1 + 2 / 3 * chance.random()))
        set_state(tx, row["id"], "queued", not_before=not_before, reason=command.reason)
    elif command.outcome == "unknown":
        set_state(tx, row["id"], "unknown", reason=command.reason)
        _after_unknown(tx, row)
    else:
        _heed_failure(tx, row, command.because, row["channel"], command.code)
        _next_channel(tx, row, command.reason)


def record_receipt(tx: Transaction, command: ReceiptArrived) -> bool:
    """Move a message forward by a provider's report; tell whether the report was new.

    A report may come before the answer to the send itself; it is kept, and ``record_sent`` finds it.
    """
    row = {
        "provider": command.provider,
        "provider_id": command.provider_id,
        "state": command.state,
        "error_code": command.error_code,
        "because": command.because.value,
        "received_at": tx.now,
    }
    new = dialect.insert_new(tx.connection, schema.receipts, row, unique=["provider", "provider_id", "state"])
    n = schema.notifications
    query = sa.select(n).where(n.c.provider == command.provider, n.c.provider_id == command.provider_id)
    found = tx.connection.execute(query).mappings().first()
    if not new and not _is_of_an_earlier_sending(tx, row, found):
        return False
    if found is None and command.key is not None:
        found = _by_key(tx, command)
    if found is None or found["state"] not in _REPORTED_ON:
        return True
    if command.billed_as is not None:
        note_billing(tx, found["id"], found["channel"], command.billed_as)
    state = advance(SendState(found["state"]), SendState(command.state))
    if state is SendState.FAILED:
        _heed_failure(tx, found, command.because, command.provider, command.error_code or "")
        _next_channel(tx, found, f"{command.provider} reported a failure ({command.error_code or 'no code'})")
    elif state.value != found["state"]:
        set_state(tx, found["id"], state.value, **_times(tx, state))
        note_receipt(tx, found["id"], found["channel"], state)
        if state.reached:
            call_back(tx, found)
        if found["case_id"] is not None:
            touch(tx, found["case_id"])
    return True


def _is_of_an_earlier_sending(tx: Transaction, report: Mapping[str, Any], row: sa.RowMapping | None) -> bool:
    """Whether the same was reported before a person sent the message again, under the same id; it is noted anew."""
    if row is None or row["handed_over_at"] is None:
        return False
    r = schema.receipts.c
    same = [r[name] == report[name] for name in ("provider", "provider_id", "state")]
    again = sa.update(schema.receipts).where(*same, r.received_at < row["handed_over_at"])
    return bool(tx.connection.execute(again.values(**report)).rowcount)


def _by_key(tx: Transaction, command: ReceiptArrived) -> sa.RowMapping | None:
    """The send that a receipt names by our own key; one whose answer was lost was accepted after all."""
    row_key, _, channel = (command.key or "").rpartition(":")
    n = schema.notifications
    query = sa.select(n).where(n.c.key == row_key, n.c.channel == channel, n.c.state.in_(_REPORTED_ON))
    found = tx.connection.execute(query).mappings().first()
    if found is None or found["state"] != "unknown":
        return found
    values = {"provider": command.provider, "provider_id": command.provider_id, "accepted_at": tx.now, "reason": None}
    set_state(tx, found["id"], "accepted", **values)
    return load_notification(tx, found["id"])


def _heed_failure(tx: Transaction, row: sa.RowMapping, because: Because, provider: str, code: str) -> None:
    """Remember what a failure says of the person or the address, so that it is not tried in vain again."""
    customer = tx.registry.customers.get(row["customer_id"])
    if customer is None or customer.address(row["channel"]) != row["address"]:
        return
    if because is Because.NO_MARKETING:
        marketing = tuple(purpose for purpose in Purpose if purpose.needs_opt_in)
        set_consent(tx, SetConsent(customer.id, marketing, granted=False, source=f"stop by {provider}"))
    reason = {Because.ADDRESS: "dead", Because.OPTED_OUT: "blocked"}.get(because)
    if reason is None:
        return
    shut(tx, customer, row["channel"], row["address"], reason, provider, code)
    if row["case_id"] is not None:
        add_entry(tx, row["case_id"], "note", body={"text": said_to_staff(row["channel"], reason)})


def _wrote_today(tx: Transaction, customer_id: str, channel: str) -> bool:
    asked = {"customer": customer_id, "on": channel, "since": tx.now - _SESSION}
    return tx.connection.execute(_WROTE_SINCE, asked).first() is not None


def mark_unknown_after_crash(tx: Transaction) -> int:
    """At start: whatever was handed over without an answer being stored is unknown. Return how many."""
    n = schema.notifications
    rows = tx.connection.execute(sa.select(n).where(n.c.state == "handed_over")).mappings().all()
    again = [r for r in rows if r["channel"] in _REPEATABLE and r["handed_over_at"] > tx.now - _REPEATABLE_FOR]
    for row in again:
        set_state(tx, row["id"], "queued", reason="the gateway stopped before the provider's answer was stored")
    unclear = [row for row in rows if row not in again]
    for row in unclear:
        set_state(tx, row["id"], "unknown", reason="the gateway stopped before the provider's answer was stored")
        _after_unknown(tx, row)
    return len(unclear)


def _after_unknown(tx: Transaction, row: sa.RowMapping) -> None:
    """Safety and critical go on to the next channel at once and say that they may repeat; others wait for a person."""
    if is_urgent(row):
        choice = next_choice(tx, row)
        if choice is not None:
            send_also(tx, row, choice, "the channel before gave no clear answer")
            return
    if row["case_id"] is not None:
        add_entry(tx, row["case_id"], "unknown", notification_id=row["id"], body={"channel": row["channel"]})


def _next_channel(tx: Transaction, row: sa.RowMapping, reason: str) -> None:
    """This channel failed for good: go on to the next one the customer can be reached on, else a dead letter."""
    note_failed(tx, row)
    if went_on(tx, row):
        set_state(tx, row["id"], "cancelled", reason=f"{reason}; it went out on another channel already")
        return
    choice = next_choice(tx, row)
    if choice is None:
        _bury(tx, row, reason)
        return
    values = {"tried": [*row["tried"], row["channel"]], "channel": choice.channel, "address": choice.address}
    cleared = {"attempts": 0, "not_before": choice.not_before, "provider": None, "provider_id": None}
    set_state(tx, row["id"], "queued", reason=reason, **values, **cleared)


def _bury(tx: Transaction, row: sa.RowMapping, reason: str) -> None:
    set_state(tx, row["id"], "dead", reason=reason)
    if row["case_id"] is not None:
        add_entry(tx, row["case_id"], "dead", notification_id=row["id"], body={"reason": reason})


def _reports(tx: Transaction, provider: str, provider_id: str, since: datetime) -> Sequence[sa.RowMapping]:
    # A mail has the same id each time it is sent: what bounced before a person sent it again says nothing of now.
    asked = {"by": provider, "of_id": provider_id, "since": since}
    return tx.connection.execute(_RECEIPTS, asked).mappings().all()


def _times(tx: Transaction, state: SendState) -> dict[str, Any]:
    if state is SendState.DELIVERED:
        return {"delivered_at": tx.now}
    return {"read_at": tx.now} if state is SendState.READ else {}


def _thread(tx: Transaction, row: sa.RowMapping) -> Thread | None:
    """Mails of one case hang together, ours and the customer's: each answers the last."""
    if row["case_id"] is None:
        return None
    of_case = {"of_case": row["case_id"]}
    mails = [*tx.connection.execute(_OUR_MAILS, of_case), *tx.connection.execute(_THEIR_MAILS, of_case)]
    earlier = tuple(provider_id for provider_id, _ in sorted(mails, key=lambda mail: mail[1]))
    return Thread(in_reply_to=earlier[-1], references=earlier[-10:]) if earlier else None
