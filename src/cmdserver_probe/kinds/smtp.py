"""A mail server: it greets, knows EHLO, starts TLS and lets a user in. No mail is sent."""

import smtplib
import socket

from cmdserver_probe import session
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = (smtplib.SMTPException,)


class _Client(smtplib.SMTP):
    """The standard library's, on a connection that is there already."""

    def __init__(self, run: Run, sock: socket.socket) -> None:
        self._connected = sock
        address = sock.getsockname()[0]
        # RFC 5321, section 4.1.3. To look up a name for this host may take longer than all else.
        literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        super().__init__(run.server_name, run.target.port, local_hostname=literal)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._connected

    def connect(self, *where: object, **how: object) -> tuple[int, bytes]:
        """Read the greeting, and keep it."""
        code, self.greeting = super().connect(*where, **how)  # type: ignore[arg-type]
        return code, self.greeting


def probe(run: Run) -> Finding:
    """Greet; start TLS; log in."""
    sock = session.begin(run)
    with run.steps.step("greeting"):
        try:
            client = _Client(run, sock)
        except smtplib.SMTPConnectError as error:
            raise ProbeFailed(_refused(error)) from None
    with run.steps.step("ehlo"):
        client.ehlo_or_helo_if_needed()
    session.start_tls(run, client, lambda context: client.starttls(context=context))
    session.log_in(run, client.login)
    session.leave(run, client, client.quit, FAILURES)
    return Finding(shown(client.greeting))


def _refused(error: smtplib.SMTPConnectError) -> str:
    said = error.smtp_error
    text = shown(said)
    return f"that is no SMTP: {text}" if error.smtp_code < 0 else f"the target says: {error.smtp_code} {text}"
