import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from notifiers.errors import TryLater, Undeliverable, Unknown
from notifiers.message import Accepted
from notifiers.receipts import Receipt, SendState
from notifiers.transports.webhook import WebhookTransport, id_of, parse_receipt, secret_key, sign, verify
from tests.notifiers.making import LINKS, NOW, outgoing
from tests.notifiers.servers import Answer, http_server

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def test_the_signature_is_that_of_the_specifications_example() -> None:
    # Standard Webhooks, the vector that its libraries are tested with.
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_message_is_posted_signed() -> None:
    async with http_server(Answer(204)) as server:
        transport = WebhookTransport(f"{server.url}/hook?a=1", [SECRET, OLD], ["push"])
        accepted = await transport.send(
            outgoing(channel="push", address="customer-17", expires_at=NOW + timedelta(hours=1))
        )
        await transport.close()

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/hook?a=1")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert len(request.headers["webhook-signature"].split()) == 2
    for secret in (SECRET, OLD):
        assert verify([secret], request.headers, request.body, NOW)
    envelope = orjson.loads(request.body)
    assert (envelope["type"], envelope["timestamp"]) == ("notification.created", "2025-03-03T14:32:00Z")
    assert envelope["data"] == {
        "id": request.headers["webhook-id"],
        "channel": "push",
        "to": "customer-17",
        "purpose": "fault",
        "title": "Garage freezer: Freezer too warm",
        "text": "Your freezer “Garage freezer” has warmed to −8.3 °C.",
        "language": "en",
        "direction": "ltr",
        "page_url": LINKS.page_url,
        "stop_url": LINKS.stop_url,
        "status_callback_url": None,
        "expires_at": "2025-03-03T15:32:00Z",
    }
    assert accepted == Accepted("webhook", request.headers["webhook-id"], "accepted", "http_204")


def test_each_attempt_has_the_same_id_and_no_full_stop_in_it() -> None:
    assert id_of("case:1:x.y") == id_of("case:1:x.y") != id_of("case:1:x.z")
    assert "." not in id_of("case:1:x.y")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Undeliverable), (404, Undeliverable), (410, Undeliverable), (301, Undeliverable), (401, TryLater),
     (429, TryLater), (503, TryLater), (500, Unknown), (504, Unknown)],
)  # fmt: skip
async def test_each_refusal_says_what_to_do_next(status: int, error: type[Exception]) -> None:
    async with http_server(Answer(status, headers=(("Location", "/elsewhere"),))) as server:
        transport = WebhookTransport(server.url, [SECRET])
        with pytest.raises(error, match=f"http_{status}"):
            await transport.send(outgoing(channel="webhook", address="c"))
        await transport.close()

    # A redirect is not followed: the second place never agreed to get this.
    assert len(server.requests) == 1


async def test_what_is_expired_is_not_sent() -> None:
    async with http_server(Answer(204)) as server:
        transport = WebhookTransport(server.url, [SECRET])
        with pytest.raises(Undeliverable, match="expired"):
            await transport.send(outgoing(channel="webhook", address="c", expires_at=NOW))

    assert server.requests == []


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "abc", "whsec_!!!", SECRET.removeprefix("whsec_")])
def test_a_secret_of_another_form_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and the base64") as refused:
        WebhookTransport("https://x.example", [secret])

    assert not secret.removeprefix("whsec_") or secret.removeprefix("whsec_") not in str(refused.value)


def test_a_webhook_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        WebhookTransport("https://x.example", [])


def _signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    timestamp = int(at.timestamp())
    signed = sign(secret_key(secret), "msg_1", timestamp, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(timestamp), "webhook-signature": f"v2,x {signed}"}


def test_a_genuine_webhook_is_believed_with_either_secret() -> None:
    assert verify([OLD, SECRET], _signed(b"{}", NOW), b"{}", NOW)
    assert verify([OLD, SECRET], _signed(b"{}", NOW, OLD), b"{}", NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_early_webhook_is_refused(seconds: int) -> None:
    assert not verify([SECRET], _signed(b"{}", NOW), b"{}", NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "١٢"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,ünï"},
    ],
)
def test_a_forged_webhook_is_refused(change: dict[str, str]) -> None:
    assert not verify([SECRET], _signed(b"{}", NOW) | change, b"{}", NOW)


def test_another_body_or_secret_is_refused() -> None:
    assert not verify([SECRET], _signed(b"{}", NOW), b"{ }", NOW)
    assert not verify([OLD], _signed(b"{}", NOW), b"{}", NOW)
    assert not verify([], _signed(b"{}", NOW), b"{}", NOW)


def test_a_receipt_is_read() -> None:
    payload = {"type": "notification.failed", "timestamp": "2025-03-03T15:00:00+01:00", "data": {"id": "msg_1"}}

    at = datetime(2025, 3, 3, 14, 0, tzinfo=UTC)
    assert parse_receipt(payload, NOW) == Receipt("webhook", "msg_1", SendState.FAILED, at, None)
    payload = {"type": "notification.read", "timestamp": "soon", "data": {"id": "msg_1", "error_code": 7}}
    assert parse_receipt(payload, NOW) == Receipt("webhook", "msg_1", SendState.READ, NOW, "7")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "notification.created", "data": {"id": "x"}},
        {"type": "order.read", "data": {"id": "x"}},
        {"type": "notification.read", "data": {"id": 7}},
        {"type": "notification.read", "data": []},
        {"type": None},
    ],
)
def test_what_is_no_receipt_is_none(payload: dict[str, object]) -> None:
    assert parse_receipt(payload, NOW) is None
