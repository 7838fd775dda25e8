"""POST /api/offers/redemptions: tills, as they sell."""

from aiohttp import web
from pydantic import ValidationError

from gateway.commands.offers import RedeemOffers
from gateway.offers.till_file import TillRow
from gateway.web.access import IDENTITY, fields
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError

AT_MOST = 1000


async def redeem(request: web.Request) -> web.StreamResponse:
    """Take in ``{"redemptions": [{"code"…}]}`` and answer each in order with ``result`` and a ``sentence``.

    A code is redeemed once: a second time the result is ``already``, whoever asks.
    """
    sent = (await fields(request)).get("redemptions")
    if not isinstance(sent, list) or not sent or len(sent) > AT_MOST:
        raise FieldError("redemptions", f"redemptions: a list of 1 to {AT_MOST} objects")
    rows = [_checked(index, one) for index, one in enumerate(sent)]
    command = RedeemOffers([row.redemption() for row in rows], by=request[IDENTITY].name)
    return present.answer({"results": await request.app[DEPS].commands.submit(command)})


def _checked(index: int, one: object) -> TillRow:
    try:
        return TillRow.model_validate(one)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("redemptions", index, *first["loc"]))
        raise FieldError(where, f"{where}: {str(first['msg']).removeprefix('Value error, ')}") from error
