"""What Twilio's error codes mean for us, in answers and in receipts alike.

Source: Twilio, "Error and Warning Dictionary", one page a code. A code that is not listed is about the message.
"""

from notifiers.errors import Because

_ADDRESS = {
    "21211": "the number is not valid",
    "21214": "the number cannot be reached",
    "21217": "the number is not valid",
    "21265": "the number is a short code",
    "21408": "the account may not send to this country; allow it in Twilio's geo permissions",
    "21612": "this number cannot be reached from our sender",
    "21614": "the number is not a mobile one",
    "21635": "the number is a landline",
    "30003": "the handset is unreachable",
    "30005": "the number is unknown or no longer in service",
    "30006": "the number is a landline or its carrier is unreachable",
    "63003": "the number is not on this channel",
    "63024": "the number is not on WhatsApp",
}
_OPTED_OUT = {"21610": "the customer has told Twilio to stop messages from this sender"}
_EXPIRED = {"30036": "its validity period ended in Twilio's queue"}
_LATER = {
    "20429": "too many requests at once",
    "14107": "too many messages at once",
    "21611": "the sender's queue is full",
    "30001": "the sender's queue overflowed",
    "63017": "the sender's rate limit is reached",
    "63018": "the sender's rate limit is reached",
}
_MESSAGE = {
    "21606": "the sender is not one of the account's; check notifiers.twilio.sender",
    "21617": "the text is longer than 1,600 characters",
    "21703": "the messaging service has no sender",
    "30002": "the account is suspended",
    "30004": "the carrier or the recipient blocks the sender",
    "30007": "a carrier filtered the message",
    "30008": "the carrier gave no reason",
    "30034": "the sender is not registered for A2P 10DLC",
    "63016": "WhatsApp takes free text only within 24 hours of the customer's own; set whatsapp_content_sid",
}
_BECAUSE = (
    (_ADDRESS, Because.ADDRESS),
    (_OPTED_OUT, Because.OPTED_OUT),
    (_EXPIRED, Because.EXPIRED),
)
_ADVICE = _ADDRESS | _OPTED_OUT | _EXPIRED | _LATER | _MESSAGE
_NOT_DEAD = frozenset({"21408", "21612", "30003"})
"""About reaching it today or from here: the address itself may be fine."""


def because(code: str) -> Because:
    """Say what a message with this code fails on."""
    if code in _NOT_DEAD:
        return Because.MESSAGE
    return next((reason for codes, reason in _BECAUSE if code in codes), Because.MESSAGE)


def advice_for(code: str) -> str:
    """Say it in a sentence."""
    return _ADVICE.get(code, f"it refused the message; see twilio.com/docs/api/errors/{code}")


def safe_to_repeat(code: str) -> bool:
    """Tell whether nothing was accepted and a later try may succeed."""
    return code in _LATER
