"""Groups of customers that are left out on purpose, so that what is done for the others can be measured."""

import hashlib


def in_holdout(customer_id: str, share: float, experiment: str) -> bool:
    """Tell whether a customer is left out of ``experiment``.

    The same customer always is or is not, on every machine and after every restart. Experiments are independent of each
    other, and who is left out at a small share is left out at a larger one as well.

    Args:
        customer_id: the person.
        share: of all customers, 0 to 1.
        experiment: ``channels``, ``offers``, ….
    """
    digest = hashlib.blake2b(f"{experiment}\0{customer_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64
