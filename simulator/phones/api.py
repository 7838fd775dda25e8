"""The provider's HTTP API: Twilio's Messages resource."""

import base64
import binascii
import hmac

from aiohttp import web

from simulator.phones import twilio_wire as wire
from simulator.phones.provider import Provider


class MessagesApi:
    """Answers ``/2010-04-01/Accounts/{sid}/Messages…`` for one account."""

    def __init__(self, provider: Provider, account_sid: str, auth_token: str) -> None:
        """Serve ``provider`` to whoever knows the account's token."""
        self._provider = provider
        self._account_sid = account_sid
        self._expected = f"{account_sid}:{auth_token}".encode()
        base = f"/{wire.API_VERSION}/Accounts/{{account}}/Messages"
        self.routes = [
            web.post(f"{base}.json", self._create),
            web.get(f"{base}.json", self._list),
            web.get(f"{base}/{{sid}}.json", self._fetch),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        wanted = wire.parse_send(form, self._provider.templates)
        answer = wanted if isinstance(wanted, wire.ApiError) else self._provider.accept(wanted)
        return _error(answer) if isinstance(answer, wire.ApiError) else web.json_response(answer, status=201)

    async def _fetch(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        found = self._provider.find(request.match_info["sid"])
        return web.json_response(found) if found is not None else _error(wire.not_found(request.path))

    async def _list(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        size = request.query.get("PageSize", "50")
        limit = min(int(size), 1000) if size.isdecimal() else 50
        found = self._provider.list(request.query.get("To"), request.query.get("From"), limit)
        page = {"messages": found, "page": 0, "page_size": limit, "start": 0, "end": max(0, len(found) - 1)}
        uri = request.path_qs
        return web.json_response({**page, "uri": uri, "first_page_uri": uri, "next_page_uri": None})

    def _refusal(self, request: web.Request) -> web.Response | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            login = base64.b64decode(given, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            login = b""
        if not hmac.compare_digest(login, self._expected):
            response = _error(wire.UNAUTHORIZED)
            response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
            return response
        if request.match_info["account"] != self._account_sid:
            return _error(wire.not_found(request.path))
        return None


def _error(error: wire.ApiError) -> web.Response:
    return web.json_response(error.as_dict(), status=error.status)
