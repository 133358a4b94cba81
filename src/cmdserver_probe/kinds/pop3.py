"""A POP3 server: it greets, starts TLS, lets a user in and counts the messages."""

import poplib
import socket

from cmdserver_probe import session
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, Value
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = (poplib.error_proto,)


class _Client(poplib.POP3):
    """The standard library's, on a connection that is there already."""

    def __init__(self, run: Run, sock: socket.socket) -> None:
        self._connected = sock
        super().__init__(run.server_name, run.target.port)

    def _create_socket(self, _: object) -> socket.socket:
        return self._connected


def probe(run: Run) -> Finding:
    """Greet; log in; count."""
    sock = session.begin(run)
    with run.steps.step("greeting"):
        client = _Client(run, sock)
    session.start_tls(run, client, client.stls)

    def log_in(user: str, password: str) -> None:
        client.user(user)
        client.pass_(password)

    if session.log_in(run, log_in):
        with run.steps.step("stat"):
            messages, octets = client.stat()
        values = {"messages": Value(messages), "bytes": Value(octets, "B")}
        finding = Finding(f"{messages} messages, {octets} bytes", values=values)
    else:
        finding = Finding(shown(client.getwelcome()))
    session.leave(run, client, client.quit, FAILURES)
    return finding
