"""What providers tell us: Twilio's receipts and inbound messages, believed only with Twilio's signature."""

import structlog
from aiohttp import web

from gateway.commands import CommandRefused, ReceiptArrived
from gateway.web.body import read_body
from gateway.web.callbacks import wrote
from gateway.web.deps import DEPS
from gateway.web.links import read_status_key
from notifiers.transports.twilio_callbacks import Form, parse_form, parse_inbound, parse_receipt
from notifiers.transports.twilio_errors import because

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
LARGEST_BODY = 64 * 1024

log = structlog.get_logger()


async def twilio_status(request: web.Request) -> web.StreamResponse:
    """POST /webhooks/twilio/status: a message moved on."""
    receipt = parse_receipt(await _genuine_form(request), request.app[DEPS].clock.now())
    if receipt is None:
        log.info("webhook.not_understood", provider="twilio", kind="status")
        return _twiml()
    # The key is part of the signed address: it finds a send whose own answer was lost.
    key = read_status_key(request.query.get("key"))
    code = receipt.error_code
    command = ReceiptArrived(receipt.provider, receipt.provider_id, receipt.state.value, code, because(code or ""), key)
    await request.app[DEPS].commands.submit(command)
    return _twiml()


async def twilio_inbound(request: web.Request) -> web.StreamResponse:
    """POST /webhooks/twilio/inbound: a customer wrote."""
    inbound = parse_inbound(await _genuine_form(request))
    if inbound is None:
        log.info("webhook.not_understood", provider="twilio", kind="inbound")
        return _twiml()
    try:
        await request.app[DEPS].commands.submit(wrote(inbound))
    except CommandRefused as refused:
        # Twilio would only repeat what will be refused again.
        log.warning("webhook.refused", provider="twilio", reason=str(refused))
    return _twiml()


async def _genuine_form(request: web.Request) -> Form:
    """Read the form and check its signature over the URL as the public knows it, not as a proxy rewrote it.

    Raises HTTPForbidden where it was not signed by Twilio for this account.
    """
    deps = request.app[DEPS]
    body = await read_body(request, LARGEST_BODY)
    try:
        form = parse_form(body)
    except ValueError:
        form = []
    url = deps.public_url.rstrip("/") + request.path_qs
    given = request.headers.get("X-Twilio-Signature", "")
    if deps.twilio_verify is None or not form or not deps.twilio_verify(url, form, given):
        log.warning("webhook.forged", provider="twilio", path=request.path, configured=deps.twilio_verify is not None)
        raise web.HTTPForbidden(text="The signature is not Twilio's for this account and address.")
    return form


def _twiml() -> web.Response:
    return web.Response(text=EMPTY_TWIML, content_type="text/xml")
