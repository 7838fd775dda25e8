"""What the Cloud API's error codes mean for us, in answers and in statuses alike.

Source: developers.facebook.com, WhatsApp Business Platform, "Error codes". A code that is not listed is about the
message.
"""

from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown
from notifiers.transports.http import Answer, refusal, retry_after_s

_NAME = "whatsapp_cloud"
_NO_MARKETING = {"131050": "the customer has told WhatsApp to stop marketing messages from us"}
_LATER = {
    "4": ("the app's rate limit is reached", None),
    "80007": ("the account's rate limit is reached", None),
    "130429": ("the number's rate limit is reached", None),
    "131016": ("the service is overloaded", None),
    "131048": ("messages are limited after complaints; look at the number's quality", 3600.0),
    # One message each six seconds to the same person.
    "131056": ("too many messages to the same person", 6.0),
    "131057": ("the account is being maintained", 300.0),
    "133004": ("the server is temporarily unavailable", None),
}
_SETTINGS = {
    "0": "it does not know our token; check notifiers.whatsapp.token",
    "3": "the token lacks a permission; check notifiers.whatsapp.token",
    "10": "the token lacks a permission; check notifiers.whatsapp.token",
    "190": "the token has expired; set a new notifiers.whatsapp.token",
    "131005": "the token lacks a permission; check notifiers.whatsapp.token",
    "131031": "the account is locked; see its quality page",
    "131042": "the account's payment method does not work",
    "133010": "the number is not registered; check notifiers.whatsapp.phone_number_id",
}
_MESSAGE = {
    "130472": "the customer is part of an experiment of WhatsApp's and gets no marketing messages",
    "131021": "the recipient is our own number",
    "131026": "the number has no WhatsApp that takes this message",
    "131030": "the number is not among those that a test account may write to",
    "131047": "the customer has not written for 24 hours: only a template is taken",
    "131049": "WhatsApp withheld it to limit marketing messages to this person",
    "131051": "it does not know this type of message",
    "132000": "the template has other variables; it needs one, {{1}}",
    "132001": "there is no such template in this language; check notifiers.whatsapp.template",
    "132005": "the text is too long for the template",
    "132007": "the template's text breaks WhatsApp's rules",
    "132012": "the template's variable has another form",
    "132015": "the template is paused for its low quality",
    "132016": "the template is disabled for its low quality",
}
_SETTINGS_WAIT_S = 300.0


def because(code: str) -> Because:
    """Say what a message with this code fails on.

    131026 has too many reasons (an old app, terms not accepted) for the number to be called dead.
    """
    return Because.NO_MARKETING if code in _NO_MARKETING else Because.MESSAGE


def advice_for(code: str) -> str:
    """Say it in a sentence."""
    known = _NO_MARKETING | _SETTINGS | _MESSAGE | {number: advice for number, (advice, _) in _LATER.items()}
    return known.get(code, "it refused the message; look the code up among WhatsApp's error codes")


def refused(answer: Answer) -> NotifierError:
    """Say what an answer that is no 2xx means: by Meta's own code where it is clear, else by the HTTP status."""
    error = answer.json().get("error")
    number = error.get("code") if isinstance(error, dict) else None
    code = str(number) if isinstance(number, int) else ""
    if code in _LATER:
        advice, wait_s = _LATER[code]
        wait_s = retry_after_s(answer.headers) or wait_s
        return TryLater(_NAME, code, advice, wait_s, about_recipient=code == "131056")
    if code in _SETTINGS or (code.isdecimal() and 200 <= int(code) <= 299):
        return TryLater(_NAME, code, advice_for(code), _SETTINGS_WAIT_S)
    if code in ("1", "2", "131000") or answer.status >= 500:
        # "Something went wrong": nobody says when.
        return Unknown(_NAME, code or f"http_{answer.status}", "it failed after the message was written")
    if code and answer.status not in (401, 403, 408, 425, 429):
        return Undeliverable(_NAME, code, advice_for(code), because(code))
    return refusal(_NAME, answer, code)
