"""`cmdserver-probe` and real mail servers: dovecot's POP3 and IMAP, aiosmtpd's SMTP."""

import grp
import json
import os
import pwd
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.integration.daemon import free_port
from tests.integration.probe_program import PASSWORD, place, probe, started

__all__ = ["place"]

pytestmark = pytest.mark.slow

POP3, POP3S, IMAP, IMAPS = (free_port() for _ in range(4))
MESSAGE = b"From: a@example.org\nSubject: hello\n\nhello\n"

#: As root, dovecot gives its rights away; as anybody else, it has none to give.
DOVECOT = """
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
protocols = imap pop3
ssl = yes
ssl_cert = <{place}/cert.pem
ssl_key = <{place}/key.pem
ssl_dh =
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{place}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={place}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {pop3s}
    ssl = yes
  }}
}}
"""


def _configuration(place: Path) -> str:
    mine, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    is_root = os.getuid() == 0
    owner = place.stat().st_uid if not is_root else pwd.getpwnam("nobody").pw_uid
    gid = place.stat().st_gid if not is_root else pwd.getpwnam("nobody").pw_gid
    return DOVECOT.format(
        place=place, password=PASSWORD, uid=owner, gid=gid, imap=IMAP, imaps=IMAPS, pop3=POP3, pop3s=POP3S,
        internal="dovecot" if is_root else mine,
        group="dovecot" if is_root else group,
        login="dovenull" if is_root else mine,
    )  # fmt: skip


@pytest.fixture(scope="module")
def dovecot(place: Path) -> Iterator[str]:
    """Start dovecot with three messages; give the options that log in."""
    for directory in ("mail", "mail/new", "mail/cur", "mail/tmp"):
        (place / directory).mkdir()
        (place / directory).chmod(0o777)
    for number in range(3):
        (place / "mail/new" / f"1.{number}.host").write_bytes(MESSAGE)
        (place / "mail/new" / f"1.{number}.host").chmod(0o666)
    (place / "conf").write_text(_configuration(place))
    with started(["dovecot", "-F", "-c", str(place / "conf")], POP3):
        yield f"--user probe --password-file {place}/password"


TLS = {"clear": (POP3, IMAP, ""), "STARTTLS": (POP3, IMAP, "--starttls"), "TLS": (POP3S, IMAPS, "--tls")}


@pytest.mark.parametrize("how", TLS)
def test_pop3(dovecot: str, place: Path, how: str) -> None:
    """The administrator's question: how much is in that mailbox?"""
    port, _, options = TLS[how]
    trust = f"--ca-file {place}/ca.pem" if options else ""
    result = probe(f"pop3 localhost:{port} {options} {trust} {dovecot}")

    octets = 3 * (len(MESSAGE) + MESSAGE.count(b"\n"))
    assert (result.status, result.errors) == (0, ""), result.output
    assert result.first_line.startswith(f"OK - pop3 localhost:{port}: 3 messages, {octets} bytes in "), result.output
    tls, days = (["tls"], ["certificate_days"]) if options else ([], [])
    assert sorted(result.labels) == sorted(
        ["time", "resolve", "connect", *tls, "greeting", "login", "stat", "quit", "messages", "bytes", *days]
    )


@pytest.mark.parametrize("how", TLS)
def test_imap(dovecot: str, place: Path, how: str) -> None:
    """The same by IMAP, as JSON."""
    _, port, options = TLS[how]
    trust = f"--ca-file {place}/ca.pem" if options else ""
    result = probe(f"imap localhost:{port} {options} {trust} {dovecot} --json")
    found = json.loads(result.output)

    assert (result.status, found["state"], found["values"]["messages"]) == (0, "OK", 3)
    assert (found["tls"] is None) == (how == "clear")
    if how != "clear":
        assert (found["tls"]["verified"], found["tls"]["names"]) == (True, ["localhost", "127.0.0.1"])


@pytest.mark.usefixtures("dovecot")
@pytest.mark.parametrize("kind", ["pop3", "imap"])
def test_without_a_login(kind: str) -> None:
    """The greeting is an answer."""
    result = probe(f"{kind} localhost:{POP3 if kind == 'pop3' else IMAP}")

    assert (result.status, "Dovecot" in result.first_line) == (0, True), result.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pop3 localhost:{pop3} {wrong}", "login: the target says: -ERR [AUTH] Authentication failed."),
        ("imap localhost:{imap} {wrong}", "login: [AUTHENTICATIONFAILED] Authentication failed."),
        ("pop3 localhost:{pop3s} --tls {login}", "tls: the certificate is refused: unable to get local issuer"),
        ("imap localhost:{imap} --starttls {login}", "tls: the certificate is refused: unable to get local issuer"),
        ("imap localhost:{pop3}", "greeting: "),
        ("pop3 localhost:{imap}", "greeting: the target says: * OK"),
        ("pop3 localhost:{pop3} --tls", "tls: the target does not speak TLS"),
        ("pop3 localhost:{imaps} --tls --insecure", "greeting: "),
    ],
)
def test_what_fails(dovecot: str, place: Path, line: str, said: str) -> None:
    """It is CRITICAL, with the step, and the password is in no output."""
    wrong = f"--user probe --password-file {place}/wrong-password"
    ports = {"pop3": POP3, "pop3s": POP3S, "imap": IMAP, "imaps": IMAPS}
    result = probe(line.format(login=dovecot, wrong=wrong, **ports))

    assert (result.status, result.errors) == (2, ""), result.output
    assert said in result.first_line
    assert PASSWORD not in result.output


@pytest.mark.usefixtures("dovecot")
def test_somebody_elses_password_file(place: Path) -> None:
    """That everybody may read it is said below the result."""
    (place / "open").write_text(f"{PASSWORD}\n")
    (place / "open").chmod(0o644)
    result = probe(f"pop3 localhost:{POP3} --user probe --password-file {place}/open")

    assert result.status == 0
    assert "may read" in result.output.splitlines()[1]


class Mail(Controller):
    """A mail server that lets a user in, after STARTTLS only."""

    def __init__(self, place: Path, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
        super().__init__(Sink(), hostname="127.0.0.1", port=port, tls_context=context, authenticator=self._judge)

    def _judge(self, _server: object, _session: object, _envelope: object, _mechanism: str, data: object) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and data == LoginPassword(b"probe", PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)


@pytest.fixture(scope="module")
def mail_port(place: Path) -> Iterator[int]:
    """Start a mail server in a thread."""
    server = Mail(place, free_port())
    server.start()
    yield server.port
    server.stop()


def test_smtp(mail_port: int, place: Path) -> None:
    """Greeting, EHLO, STARTTLS and a login."""
    login = f"--user probe --password-file {place}/password"
    clear = probe(f"smtp localhost:{mail_port}")
    full = probe(f"smtp localhost:{mail_port} --starttls --ca-file {place}/ca.pem {login}")

    assert (clear.status, full.status) == (0, 0), full.output
    assert "Python SMTP" in clear.first_line
    assert full.labels == ["time", "resolve", "connect", "greeting", "ehlo", "tls", "login", "quit", "certificate_days"]


def test_smtp_that_fails(mail_port: int, place: Path) -> None:
    """A wrong password, and none where the certificate is not believed."""
    wrong = probe(
        f"smtp localhost:{mail_port} --starttls --ca-file {place}/ca.pem --user probe"
        f" --password-file {place}/wrong-password"
    )
    stranger = probe(f"smtp localhost:{mail_port} --starttls --user probe --password-file {place}/password")

    assert (wrong.status, stranger.status) == (2, 2)
    assert "login: the target says: 535 5.7.8" in wrong.first_line
    assert "tls: the certificate is refused" in stranger.first_line
