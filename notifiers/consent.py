"""Whether a person may be contacted for a purpose."""

from device_models.purpose import Purpose
from device_models.registry import Customer
from notifiers.reasons import Reason


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
    origin = customer.origin(purpose.value)
    facts |= {"source": origin.source} if origin else {}
    facts |= {"on": f"{origin.at:%Y-%m-%d}"} if origin and origin.at else {}
    return True, Reason("consent.given", facts)
