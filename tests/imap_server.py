"""A real IMAP server for tests: Dovecot as a plain user, on a free port of the loopback, mails in a Maildir."""

import getpass
import grp
import imaplib
import os
import subprocess
import tempfile
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Self

from tests.servers import free_port, require

USER, PASSWORD = "help", "very-secret-password"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
{users}
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


_OWNER = (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
"""Whose the mails are: Dovecot refuses to read any as root."""


def _users(folder: Path) -> str:
    """Who its parts run as: whoever runs the tests; as root its own users, who must be able to walk to the folder."""
    if os.getuid() == 0:
        for parent in (folder, *folder.parents[:4]):
            if parent != Path(tempfile.gettempdir()):
                parent.chmod(0o755)
        return ""
    user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
    return f"default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}"


class ImapServer:
    """Dovecot on one folder; may be stopped and started again."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        """``certificate``: (certificate, key) in PEM, for TLS from the first byte."""
        self._program = require("dovecot", "dovecot-imapd")
        self.folder = folder
        self.port = free_port()
        tls_port = free_port() if certificate is not None else 0
        self.tls_port = tls_port
        self._config = folder / "dovecot.conf"
        lines = f"ssl_cert = <{certificate[0]}\nssl_key = <{certificate[1]}" if certificate is not None else ""
        self._config.write_text(
            _CONFIG.format(
                folder=folder,
                ssl="yes" if certificate is not None else "no",
                certificate=lines,
                users=_users(folder),
                uid=_OWNER[0],
                gid=_OWNER[1],
                password=PASSWORD,
                port=self.port,
                tls_port=tls_port,
            ),
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For ``[notifiers.mailbox] url``."""
        return f"imap://{USER}:{PASSWORD}@127.0.0.1:{self.port}/INBOX"

    def start(self) -> None:
        """Start it and wait until it lets its user in."""
        for name in ("run", "state", "home", "mail/new", "mail/cur", "mail/tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for path in (self.folder / "mail", *(self.folder / "mail").iterdir(), self.folder / "home"):
            os.chown(path, *_OWNER)
        self._process = subprocess.Popen([self._program, "-F", "-c", str(self._config)])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with imaplib.IMAP4("127.0.0.1", self.port, timeout=5) as client:
                    client.login(USER, PASSWORD)
                    client.select("INBOX", readonly=True)
                return
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.05)
        raise AssertionError((self.folder / "dovecot.log").read_text(encoding="utf-8")[-3000:])

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def deliver(self, mail: EmailMessage | bytes) -> None:
        """Put one mail into the mailbox, as the server's own delivery would.

        Where somebody else is just making its index anew the server says SERVERBUG, and has kept nothing.
        """
        content = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
        deadline = time.monotonic() + 20
        while True:
            with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
                client.login(USER, PASSWORD)
                status, said = client.append("INBOX", "", imaplib.Time2Internaldate(time.time()), content)
            if status == "OK":
                return
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    def flags(self) -> list[str]:
        """The flags of each mail."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
            client.login(USER, PASSWORD)
            client.select("INBOX", readonly=True)
            _, found = client.fetch("1:*", "(FLAGS)")
            return [one.decode() for one in found if isinstance(one, bytes)]

    def renumber(self) -> None:
        """Lose the index that gives mails their numbers, as a move to another server does; UIDVALIDITY changes."""
        for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"):
            (self.folder / "mail" / name).unlink(missing_ok=True)
