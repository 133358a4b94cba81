"""What the protocols with a greeting and a login share: TLS before or after the greeting, and a polite end."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from cmdserver_probe import password, tls
from cmdserver_probe.connection import connect
from cmdserver_probe.errors import NONSENSE, ProbeFailed
from cmdserver_probe.run import Run

#: How long the answer to a farewell is waited for: the result is there already.
FAREWELL_SECONDS = 1.0


class Client(Protocol):
    """What the standard library's clients have in common."""

    @property
    def sock(self) -> socket.socket | None:
        """The connection, or what TLS has made of it."""


def begin(run: Run) -> socket.socket:
    """Connect, and start TLS if that comes first; as steps."""
    sock = connect(run)
    return tls.handshake(run, sock) if run.options.tls else sock


def start_tls(run: Run, client: Client, ask: Callable[[ssl.SSLContext], object]) -> None:
    """Ask for TLS and start it, if it comes after the greeting; as a step.

    What the target said before in clear is forgotten by the clients (RFC 3207, section 4.2; CVE-2011-0411).
    """
    if run.options.starttls:
        context = tls.context(run)
        with run.steps.step("tls"):
            ask(context)
            if not isinstance(client.sock, ssl.SSLSocket):
                raise ProbeFailed("the target does not start TLS")
            tls.examine(run, client.sock)


def log_in(run: Run, show: Callable[[str, str], object]) -> bool:
    """Log in, if there is a user, and where the password may go; as a step. Tell whether there is one."""
    if run.options.user is None:
        return False
    with run.steps.step("login"):
        password.may_be_sent(run)
        try:
            show(run.options.user, run.password)
        except UnicodeEncodeError:
            raise ProbeFailed("the protocol has no way to send such letters in a name or password") from None
    return True


def leave(run: Run, client: Client, farewell: Callable[[], object], failures: tuple[type[Exception], ...]) -> None:
    """Say farewell, as a step; whether the target answers to that matters to nobody."""
    with run.steps.step("quit"), suppress(OSError, *NONSENSE, *failures):
        if client.sock is not None:
            client.sock.settimeout(FAREWELL_SECONDS)
        farewell()
