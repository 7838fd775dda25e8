"""What a mail server's status codes say of the address."""


def is_dead_address(code: str) -> bool:
    """Whether a refusal or bounce with this code means that the mailbox is not there, and will not be.

    ``code``: enhanced (``5.1.1``) or a bare reply code. Source: RFC 3463 §3.2 (addressing) and X.2.1, mailbox disabled;
    bare 550, 551, 553 of RFC 5321 §4.2.3.
    """
    if code in ("550", "551", "553", "5.2.1"):
        return True
    return code.startswith("5.1.") and code not in ("5.1.7", "5.1.8")
