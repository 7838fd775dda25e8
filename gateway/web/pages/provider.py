"""Logging in at the company's identity provider, coming back from it, and logging out there as well."""

import hmac
from datetime import timedelta

import orjson
import structlog
from aiohttp import web
from yarl import URL

from gateway.commands import CommandRefused
from gateway.commands.accounts import BindOutside, EndOutsideSessions, SignInOutside
from gateway.people.outside import user_of
from gateway.web.access import IDENTITY, fields, form_of, identify, read
from gateway.web.auth import new_token
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import refusal
from gateway.web.oidc import LoginRefused, Proved, Provider, ProviderUnreachable, name_in, role_in, teams_in
from gateway.web.pages.case import done
from gateway.web.pages.login import after_login, new_session, set_cookie
from gateway.web.pages.shell import show
from gateway.web.render import html
from gateway.web.second_factor import Sealer

PROVIDER = web.AppKey("provider", Provider)
FLOW_SEALER = web.AppKey("flow_sealer", Sealer)
_FLOW_COOKIE = "provider"
_HINT_COOKIE = "provider_hint"
_WITHIN = timedelta(minutes=15)
"""From the button to the provider's answer: people look for their phone."""
_HINT_LIFE = timedelta(hours=13)
_LARGEST_COOKIE = 3800

log = structlog.get_logger()


async def begin(request: web.Request) -> web.StreamResponse:
    """GET /login/provider: to the provider, with what its answer is known by in a cookie that only we can read."""
    provider = _provider(request)
    state, nonce, verifier = new_token(), new_token(), new_token()
    try:
        answer = web.HTTPSeeOther(URL(await provider.begin(state, nonce, verifier), encoded=True))
    except ProviderUnreachable as error:
        return _problem(request, str(error), status=503)
    flow = orjson.dumps([state, nonce, verifier, request.query.get("next", "/")]).decode()
    set_cookie(request, answer, _FLOW_COOKIE, request.app[FLOW_SEALER].seal(flow), _WITHIN)
    raise answer


async def come_back(request: web.Request) -> web.StreamResponse:
    """GET /login/provider/back: ``code`` and ``state``, or ``error``, as the provider sends the browser back."""
    provider = _provider(request)
    try:
        proved, next_path = await _proved(request, provider)
        name, role = name_in(proved.claims, provider.settings), role_in(proved.claims, provider.settings)
    except LoginRefused as refused:
        log.warning("login.provider_refused", reason=str(refused))
        return _problem(request, str(refused), status=403)
    except ProviderUnreachable as error:
        return _problem(request, str(error), status=503)
    logged_in = await identify(request)
    if logged_in is not None and await read(request, user_of, proved.issuer, proved.subject) is None:
        request[IDENTITY] = logged_in
        return await _ask_to_connect(request, proved, name)
    token, session = new_session(request, name, way="provider")
    new_role = role or provider.settings.default_role if provider.settings.people == "anyone" else None
    teams = teams_in(proved.claims, provider.settings)
    command = SignInOutside(proved.issuer, proved.subject, name, role, new_role, session, teams)
    try:
        user = await request.app[DEPS].commands.submit(command)
    except CommandRefused as refused:
        log.warning("login.provider_refused", reason="user")
        said = refusal(str(refused))
        return _problem(request, f"{said[:1].upper()}{said[1:]}.", status=403)
    log.info("login.succeeded", user=user, way="provider")
    answer = after_login(request, token, next_path)
    answer.del_cookie(_FLOW_COOKIE)
    hint = request.app[FLOW_SEALER].seal(proved.id_token)
    if len(hint) <= _LARGEST_COOKIE:
        set_cookie(request, answer, _HINT_COOKIE, hint, _HINT_LIFE)
    raise answer


async def connect(request: web.Request) -> web.StreamResponse:
    """POST /me/provider: ``proof`` as the page had it; from now on this user may log in at the provider."""
    proof = request.app[FLOW_SEALER].open(str((await fields(request)).get("proof") or ""), max_age_s=600)
    if proof is None:
        raise FieldError("proof", "That took too long. Begin again under your account.")
    issuer, subject = orjson.loads(proof)
    await request.app[DEPS].commands.submit(BindOutside(request[IDENTITY].name, issuer, subject))
    return done(request, "/me")


async def show_logged_out(request: web.Request) -> web.StreamResponse:
    """GET /logged-out: out of here; the provider still knows the person until they log out there too."""
    provider = request.app.get(PROVIDER)
    ends = None
    if provider is not None:
        try:
            ends = (await provider.endpoints()).end_session
        except ProviderUnreachable:
            log.info("oidc.no_end_session")
    label = provider.settings.label if provider else ""
    return html(request, "logged_out.html", {"label": label, "ends": ends is not None})


async def log_out_there(request: web.Request) -> web.StreamResponse:
    """GET /logout/provider: to the provider's own log-out. Source: OpenID Connect RP-Initiated Logout 1.0."""
    provider = _provider(request)
    try:
        ends = (await provider.endpoints()).end_session
    except ProviderUnreachable as error:
        return _problem(request, str(error), status=503)
    if ends is None:
        raise web.HTTPNotFound(text="The provider has no address for logging out.")
    asked = {
        "client_id": provider.settings.client_id,
        "post_logout_redirect_uri": f"{request.app[DEPS].public_url}/login",
    }
    hint = request.app[FLOW_SEALER].open(request.cookies.get(_HINT_COOKIE, ""))
    answer = web.HTTPSeeOther(URL(ends).update_query({**asked, **({"id_token_hint": hint} if hint else {})}))
    answer.del_cookie(_HINT_COOKIE)
    raise answer


async def logged_out_there(request: web.Request) -> web.StreamResponse:
    """POST /login/provider/log-out: the provider's own word (``logout_token``) that somebody logged out there."""
    provider = _provider(request)
    try:
        subject = await provider.logged_out((await form_of(request)).get("logout_token", ""))
    except LoginRefused as refused:
        return web.json_response({"error": "invalid_request", "error_description": str(refused)}, status=400)
    except ProviderUnreachable as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    await request.app[DEPS].commands.submit(EndOutsideSessions(provider.settings.issuer, subject))
    return web.Response(headers={"Cache-Control": "no-store"})


async def _proved(request: web.Request, provider: Provider) -> tuple[Proved, str]:
    """Check that this browser began what comes back, and change its code for a proof. Raises LoginRefused."""
    flow = request.app[FLOW_SEALER].open(request.cookies.get(_FLOW_COOKIE, ""), int(_WITHIN.total_seconds()))
    if flow is None:
        raise LoginRefused("That took too long, or began in another browser. Begin again.")
    state, nonce, verifier, next_path = orjson.loads(flow)
    if not hmac.compare_digest(state.encode(), request.query.get("state", "").encode("utf-8", "replace")):
        raise LoginRefused("This answer belongs to another log-in, perhaps in another tab. Begin again.")
    issuer = request.query.get("iss")
    if issuer != provider.settings.issuer and (issuer is not None or (await provider.endpoints()).names_itself):
        raise LoginRefused("This answer is from another provider. Begin again.")
    if error := request.query.get("error"):
        if error == "access_denied":
            raise LoginRefused("The provider let nobody in: you turned it down, or may not use this.")
        known = error if error.isascii() and error.replace("_", "").isalnum() and len(error) <= 40 else "an error"
        raise LoginRefused(f"The provider answered {known}. Begin again; if it stays, tell an admin.")
    if not (code := request.query.get("code")):
        raise LoginRefused("The provider sent nothing to log in with. Begin again.")
    return await provider.prove(code, nonce, verifier), next_path


async def _ask_to_connect(request: web.Request, proved: Proved, name: str) -> web.StreamResponse:
    """Whoever is logged in here says themselves that they are the one there; a link of somebody else's cannot."""
    proof = request.app[FLOW_SEALER].seal(orjson.dumps([proved.issuer, proved.subject]).decode())
    label = request.app[PROVIDER].settings.label
    return await show(request, "connect_provider.html", "me", proof=proof, label=label, there=name)


def _provider(request: web.Request) -> Provider:
    provider = request.app.get(PROVIDER)
    if provider is None:
        raise web.HTTPNotFound(text="No identity provider is set up here.")
    return provider


def _problem(request: web.Request, detail: str, status: int) -> web.Response:
    """Say why nobody is logged in, and offer to begin again."""
    deps = request.app[DEPS]
    context = {
        "detail": refusal(detail),
        "label": request.app[PROVIDER].settings.label,
        "local_login": deps.local_login,
    }
    answer = html(request, "provider_problem.html", context, status=status)
    answer.del_cookie(_FLOW_COOKIE)
    return answer
