"""Mail to staff about their own account: from the company's own server, in the background, beside the outbox.

The outbox keeps what is said to customers; a link that lets a person in must be in no table. What is not sent when the
process ends is gone: whoever waits for it asks again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from aiohttp import web

from device_models.purpose import Purpose
from gateway.config import Email
from gateway.ending import end
from gateway.web.access import read
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import say, speaking
from gateway.web.queries import people
from notifiers.errors import NotifierError, TryLater
from notifiers.mail.compose import parse_mailbox
from notifiers.message import Outgoing, Rendered
from notifiers.transports.smtp import SmtpTransport

WAITS_S = (2.0, 10.0, 60.0, 300.0)
"""Between tries while the server takes no mail; then it is given up and logged."""
_GOODBYE_S = 2.0

log = structlog.get_logger()


class StaffMail:
    """Sends to staff; made on the event loop, where ``[notifiers.email]`` is set up."""

    def __init__(self, settings: Email, now: Callable[[], datetime], waits_s: Sequence[float] = WAITS_S) -> None:
        """Raises ValueError where the settings cannot be read."""
        self._transport = SmtpTransport(settings.url.get_secret_value(), settings.sender, connections=1)
        self._now = now
        self._waits_s = waits_s
        self._tasks: set[asyncio.Task[object]] = set()

    def later(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something in the background, so that no answer's time tells whether there was anything to do."""
        task = asyncio.create_task(work, name="staff-mail")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def send(self, address: str, subject: str, text: str, language: str = "en") -> bool:
        """Hand one mail over, trying again while the server is away; False where it was given up."""
        rendered = Rendered(subject, text, None, language, "rtl" if language == "ar" else "ltr")
        key = secrets.token_hex(16)
        for wait_s in (*self._waits_s, None):
            try:
                await self._transport.send(Outgoing(key, "email", address, rendered, Purpose.SAFETY, self._now()))
            except TryLater as later:
                if wait_s is None:
                    log.warning("staff_mail.given_up", code=later.code)
                    return False
                await asyncio.sleep(wait_s)
            except NotifierError as error:
                log.warning("staff_mail.given_up", code=error.code)
                return False
            else:
                return True
        return False

    async def close(self) -> None:
        """Let what is being sent come to its end for a moment, then stop."""
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=_GOODBYE_S)
            await end(*slow)
        await self._transport.close()

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Nobody waits for it; without this line its failure would be seen by nobody.
            log.error("staff_mail.failed", error=repr(error))


STAFF_MAIL = web.AppKey("staff_mail", StaffMail)


def email_in(sent: Mapping[str, Any]) -> str | None:
    """Read the field ``email``, None where it is empty. Raises FieldError."""
    text = str(sent.get("email") or "").strip()
    if not text:
        return None
    try:
        return parse_mailbox(text).spec
    except ValueError as error:
        raise FieldError("email", "This is no mail address; write it like mia@example.com.") from error


def tell(request: web.Request, address: str, language: str | None, write: Callable[[], tuple[str, str]]) -> None:
    """Mail somebody in the background, where mail is set up; ``write`` says subject and text in their ``language``."""
    mail = request.app.get(STAFF_MAIL)
    if mail is not None:
        subject, text, spoken = in_language(request, language, write)
        mail.later(mail.send(address, subject, text, spoken))


def in_language(
    request: web.Request, language: str | None, write: Callable[[], tuple[str, str]]
) -> tuple[str, str, str]:
    """Return subject, text and language; where somebody chose none it is the installation's."""
    with speaking(language or request.app[DEPS].notifiers.staff_language) as voice:
        return *write(), voice.language


async def tell_of_password(request: web.Request, name: str) -> None:
    """Let a user know that their password was changed: if it was not they, they hear of it."""
    address, brand = await read(request, people.email_of, name), request.app[DEPS].brand
    language = await read(request, people.language_of, name)
    if address is not None:
        tell(request, address, language, lambda: password_mail(brand, name))


def password_mail(brand: str, name: str) -> tuple[str, str]:
    """Write what somebody is told whose password was changed."""
    text = say(
        "Hello {1},\n\nyour password at {2} was changed just now.\n\nIf it was not you, tell an admin at once.\n",
        name,
        brand,
    )
    return say("{1}: your password was changed", brand), text


def invitation_mail(brand: str, name: str, by: str, url: str) -> tuple[str, str]:
    """Write what somebody is mailed who was invited."""
    text = say(
        "Hello {1},\n\n{2} invites you to work at {3}. Set your password here, within three days:\n\n{4}\n\n"
        "The link works once.\n",
        name,
        by,
        brand,
        url,
    )
    return say("{1}: you are invited", brand), text


def reset_mail(brand: str, name: str, url: str) -> tuple[str, str]:
    """Write the mail with the link to a new password."""
    text = say(
        "Hello {1},\n\nsomebody, most likely you, asked for a new password at {2}. Set it here, within an hour:\n\n"
        "{3}\n\nThe link works once. Wherever you are logged in, you will be logged out.\n\n"
        "If it was not you, do nothing: your password stays as it is.\n",
        name,
        brand,
        url,
    )
    return say("{1}: set a new password", brand), text


def moved_mail(brand: str, name: str) -> tuple[str, str]:
    """Write what the address before is told."""
    text = say(
        "Hello {1},\n\nmail about your account at {2} goes to another address from now on.\n\n"
        "If it was not you, tell an admin at once.\n",
        name,
        brand,
    )
    return say("{1}: your mail address was changed", brand), text


def moving_mail(brand: str, name: str, by: str) -> tuple[str, str]:
    """Write what the address before is told while the new one is still to be confirmed."""
    text = say(
        "Hello {1},\n\n{2} asked that mail about your account at {3} go to another address. It does as soon as "
        "somebody there confirms it.\n\nIf that is not what you want, tell an admin at once.\n",
        name,
        by,
        brand,
    )
    return say("{1}: your mail address is to be changed", brand), text


def confirming_mail(brand: str, name: str, by: str, url: str) -> tuple[str, str]:
    """Write what the new address is asked."""
    text = say(
        "Hello {1},\n\n{2} asked that mail about your account at {3} come to this address. Confirm it here, within a "
        "day:\n\n{4}\n\nIf this is not your account, do nothing.\n",
        name,
        by,
        brand,
        url,
    )
    return say("{1}: confirm your mail address", brand), text


async def run_staff_mail(app: web.Application) -> AsyncIterator[None]:
    """Have it for as long as the application runs, where mail is set up."""
    settings, mail = app[DEPS].notifiers.email, None
    if settings is not None:
        mail = app[STAFF_MAIL] = StaffMail(settings, app[DEPS].clock.now)
    yield
    if mail is not None:
        await mail.close()
