"""Which hosts are this very machine."""

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Tell whether a host's name or address reaches this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
