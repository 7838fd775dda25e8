"""What chat providers post to us: receipts, customers' messages, who shut us out. Believed with their proof alone."""

from collections.abc import Sequence

import structlog
from aiohttp import web

from gateway.commands import ChannelBlocked, Command, CommandRefused, CustomerWrote, ReceiptArrived
from gateway.web.body import read_body
from gateway.web.deps import DEPS
from notifiers.callbacks import CallbackReader, Item
from notifiers.inbound import Blocking, Inbound, Media
from notifiers.receipts import Receipt

LARGEST_BODY = 1024 * 1024
"""Meta and LINE put several things into one post."""

log = structlog.get_logger()


async def answer_challenge(request: web.Request) -> web.StreamResponse:
    """GET /webhooks/{provider}: the provider asks whether this address is ours."""
    answer = _reader(request).challenge(request.query)
    if answer is None:
        raise web.HTTPForbidden(text="That is not the token which was agreed on.")
    return web.Response(text=answer)


async def take(request: web.Request) -> web.StreamResponse:
    """POST /webhooks/{provider}: commit what it says, and answer only then.

    A post that did not get that far is answered with an error, and repeated by the provider; each thing in it has its
    effect once.
    """
    deps, reader = request.app[DEPS], _reader(request)
    body = await read_body(request, LARGEST_BODY)
    now = deps.clock.now()
    if not reader.is_genuine(request.headers, body, now):
        log.warning("webhook.forged", provider=reader.provider, path=request.path)
        raise web.HTTPForbidden(text="This was not signed by the provider for us.")
    reading = reader.read(body, now)
    if not reading.items:
        log.info("webhook.nothing_for_us", provider=reader.provider)
    for item in reading.items:
        try:
            await deps.commands.submit(_command(item))
        except CommandRefused as refused:
            # The provider would only repeat what will be refused again.
            log.warning("webhook.refused", provider=reader.provider, reason=str(refused))
    return web.json_response(dict(reading.response) if reading.response is not None else {})


def _reader(request: web.Request) -> CallbackReader:
    # One provider's name in the address differs from what it is called inside.
    name = {"whatsapp": "whatsapp_cloud"}.get(request.match_info["provider"], request.match_info["provider"])
    reader = request.app[DEPS].callbacks.get(name)
    if reader is None:
        raise web.HTTPNotFound(text="No such provider is set up here.")
    return reader


def _command(item: Item) -> Command:
    match item:
        case Receipt():
            return ReceiptArrived(
                item.provider,
                item.provider_id,
                item.state.value,
                item.error_code,
                item.because,
                item.key,
                item.billed_as,
            )
        case Blocking():
            purposes = tuple(sorted(item.purposes))
            return ChannelBlocked(item.provider, item.channel, item.address, item.blocked, purposes)
        case Inbound():
            return wrote(item)


def wrote(item: Inbound) -> CustomerWrote:
    """Take what a provider says that somebody wrote."""
    return CustomerWrote(
        item.provider,
        item.provider_id,
        item.channel,
        item.address,
        item.text or _named(item.media),
        answers=item.answers,
        opt_out=item.opt_out,
        media=item.media,
        keyword=item.keyword,
        link_code=item.link_code,
    )


def _named(media: Sequence[Media]) -> str:
    """What stands for the words of a message without any: ``[photo]``."""
    return " ".join(f"[{one.kind}]" for one in media)
