"""Addresses as logs and lists may show them: recognisable to who knows them, useless to who does not."""

_ELLIPSIS = "…"


def mask(address: str) -> str:
    """Hide all of an address but its ends: ``a…@x.de``, ``+49…67``, ``1…``.

    A mail's domain stays, since it tells which provider is failing; of a number the first three characters
    (about the country) and the last two; of anything else the first character.
    """
    # A mailbox may hold a quoted @, so the domain begins after the last one (RFC 5321 §4.1.2).
    mailbox, at, domain = address.strip().rpartition("@")
    if at and mailbox and domain:
        return f"{mailbox[0]}{_ELLIPSIS}@{domain}"
    scheme, colon, rest = address.strip().rpartition(":")
    prefix = f"{scheme}:" if colon and scheme.isalpha() else ""
    rest = rest if prefix else address.strip()
    if rest.startswith("+") and len(rest) > 8:
        return f"{prefix}{rest[:3]}{_ELLIPSIS}{rest[-2:]}"
    return f"{prefix}{rest[:1]}{_ELLIPSIS}" if rest else ""
