"""Where a mailbox is, read from its URL."""

import pytest

from gateway.errors import StartRefused
from gateway.inbound.mailbox import MailboxAddress


def test_a_url_names_server_user_and_folder() -> None:
    address = MailboxAddress.parse("imaps://help%40acme.example:p%2Fw@imap.example.com/Support/Fault?ca=own.pem")

    assert (address.host, address.port, address.tls) == ("imap.example.com", 993, True)
    assert (address.username, address.password, address.folder) == ("help@acme.example", "p/w", "Support/Fault")
    assert address.ca_file == "own.pem"
    assert "p/w" not in repr(address)
    assert MailboxAddress.parse("imap://a:b@127.0.0.1").folder == "INBOX"


@pytest.mark.parametrize(
    "url",
    [
        "imap://a:secret@imap.example.com/",
        "imaps://a@imap.example.com/",
        "imaps://imap.example.com/",
        "pop3://a:secret@imap.example.com/",
        "imaps://a:secret@imap.example.com/?tls=no",
        "imaps://a:secret@[/",
        "secret",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(StartRefused, match=r"notifiers\.mailbox\.url") as refused:
        MailboxAddress.parse(url)

    assert "secret" not in str(refused.value)
