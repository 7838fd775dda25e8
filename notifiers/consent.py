"""Whether a person may be contacted for a purpose, and what a STOP or START changes."""

from device_models.purpose import Purpose
from device_models.registry import Customer
from notifiers.reasons import Reason
from notifiers.replies import Reply


def consent(customer: Customer, purpose: Purpose) -> tuple[bool, Reason]:
    """Tell whether ``customer`` may be contacted for ``purpose``, and why.

    An objection wins over a consent; offers and news need a consent, the rest only the absence of an objection.
    """
    facts = {"purpose": purpose.value}
    if purpose in customer.objections:
        return False, Reason("consent.objected", facts)
    if not purpose.needs_opt_in:
        return True, Reason("consent.not_needed", facts)
    if purpose not in customer.consents:
        return False, Reason("consent.missing", facts)
    since = f" on {customer.consented_at:%Y-%m-%d}" if customer.consented_at else ""
    by = f" through {customer.consent_source}" if customer.consent_source else ""
    return True, Reason("consent.given", {**facts, "source": f"{by}{since}"})


def purposes_of(reply: Reply, answered: Purpose | None) -> frozenset[Purpose]:
    """Tell which purposes a STOP or START is about.

    Purposes named in the reply (STOP OFFERS) decide; STOP ALL is about every one; a bare STOP is about what the
    person was answering, so that it never mutes a safety notice by way of an offer. Where nobody knows what was
    answered (``answered`` None) it is about everything but safety.
    """
    if reply.purposes:
        return reply.purposes
    if reply.everything:
        return frozenset(Purpose)
    if answered is not None:
        return frozenset({answered})
    return frozenset(Purpose) - {Purpose.SAFETY}
