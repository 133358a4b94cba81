"""An IMAP server: it greets, starts TLS, lets a user in and counts the messages in INBOX."""

import imaplib
import socket

from cmdserver_probe import session
from cmdserver_probe.connection import RECEIVED_OCTETS
from cmdserver_probe.errors import ProbeFailed, TooMuch
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, Value
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = (imaplib.IMAP4.error,)


class _Client(imaplib.IMAP4):
    """The standard library's, on a connection that is there already."""

    def __init__(self, run: Run, sock: socket.socket) -> None:
        self._connected = sock
        super().__init__(run.server_name, run.target.port)

    def _create_socket(self, _: object) -> socket.socket:
        return self._connected

    def read(self, size: int) -> bytes:
        """Read a literal, but do not make room for as much as a target may claim to send."""
        if size > RECEIVED_OCTETS:
            raise TooMuch(f"the target wants to send {size} octets at once")
        return super().read(size)


def probe(run: Run) -> Finding:
    """Greet; log in; look into INBOX without changing anything."""
    sock = session.begin(run)
    with run.steps.step("greeting"):
        client = _Client(run, sock)
        greeting = client.welcome
    session.start_tls(run, client, client.starttls)
    if session.log_in(run, lambda user, password: _log_in(client, user, password)):
        with run.steps.step("examine"):
            messages = _count(client)
        finding = Finding(f"{messages} messages", values={"messages": Value(messages)})
    else:
        finding = Finding(shown(greeting))
    session.leave(run, client, client.logout, FAILURES)
    return finding


def _log_in(client: _Client, user: str, password: str) -> None:
    if "AUTH=PLAIN" in client.capabilities:  # RFC 4616: any letters
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
    elif "LOGINDISABLED" in client.capabilities:
        raise ProbeFailed("the target wants TLS before a login (LOGINDISABLED)")
    else:
        client.login(user, password)


def _count(client: _Client) -> int:
    status, data = client.select("INBOX", readonly=True)
    if status != "OK":
        raise ProbeFailed(f"the target says: {shown(data[0] or b'')}")
    return int(data[0] or b"")
