"""An FTP server: it greets, starts TLS (RFC 4217) and lets a user in. No file is looked at."""

import ftplib
import socket
import ssl

from cmdserver_probe import session
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = (ftplib.Error,)


class _Client(ftplib.FTP):
    """The standard library's, on a connection that is there already."""

    #: All octets are letters in it, so that rubbish is shown as such.
    encoding = "latin-1"

    def begin(self, run: Run, sock: socket.socket) -> None:
        """Take a connection, and read the greeting."""
        self.host = run.server_name
        self._take(sock)
        self.welcome = self.getresp()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Ask for TLS and start it."""
        assert self.sock is not None  # noqa: S101  (there is one since the beginning)
        self.voidcmd("AUTH TLS")
        self._take(context.wrap_socket(self.sock, server_hostname=self.host))

    def _take(self, sock: socket.socket) -> None:
        self.sock = sock
        self.af = sock.family
        self.file = sock.makefile("r", encoding=self.encoding)


def probe(run: Run) -> Finding:
    """Greet; start TLS; log in."""
    sock = session.begin(run)
    client = _Client()
    with run.steps.step("greeting"):
        client.begin(run, sock)
        if not (client.welcome or "").startswith("2"):
            raise ProbeFailed(f"the target says: {shown(client.welcome or '')}")
    session.start_tls(run, client, client.start_tls)
    session.log_in(run, client.login)
    session.leave(run, client, client.quit, FAILURES)
    return Finding(shown(client.welcome or ""))
