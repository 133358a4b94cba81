"""Tests of TLS: who is believed, and what a certificate says."""

import re
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe import tls
from cmdserver_probe.errors import CannotTell
from cmdserver_probe.report import Finding, State, TLSDetails
from tests.odd_certificates import ODD, TELETEX, Odd, alternative, name
from tests.probe.certificates import odd_context, server_context, write_authority
from tests.probe.doubles import a_run
from tests.probe.targets import Behaviour, closing, dialogue, drain, serving, with_tls
from tests.probe.test_hostile import probed


def details(days: float) -> TLSDetails:
    """Make what TLS has shown, with so many days left."""
    return TLSDetails(version="", cipher="", is_verified=True, names=[], ends="", days=days, chain=[])


class ContextTests(SynchronousTestCase):
    def test_certificates_are_verified(self) -> None:
        """Unless somebody says otherwise."""
        strict, lenient = (tls.context(a_run(f"tls h{more}")) for more in ("", " --insecure"))

        self.assertEqual((strict.verify_mode, strict.check_hostname), (ssl.CERT_REQUIRED, True))
        self.assertEqual((lenient.verify_mode, lenient.check_hostname), (ssl.CERT_NONE, False))

    def test_a_wrong_file_of_authorities(self) -> None:
        """It is said which."""
        for path in ("/nowhere/ca.pem", __file__):
            with self.assertRaisesRegex(CannotTell, f"--ca-file {path}: "):
                tls.context(a_run(f"tls h --ca-file {path}"))


class AddDaysTests(SynchronousTestCase):
    def _state(self, days: float, options: str, state: State = State.OK) -> tuple[State, str]:
        run = a_run(f"tls h {options}")
        run.tls = details(days)
        finding = tls.add_days(run, Finding("so", state))
        return finding.state, str(finding.values["certificate_days"])

    def test_states(self) -> None:
        """A certificate that ends soon is as bad as the options say."""
        options = "--warning-days 14 --critical-days 7"

        self.assertEqual(self._state(14.5, options), (State.OK, "14.5;14:;7:"))
        self.assertEqual(self._state(13.9, options), (State.WARNING, "13.9;14:;7:"))
        self.assertEqual(self._state(6.9, options), (State.CRITICAL, "6.9;14:;7:"))
        self.assertEqual(self._state(-1.0, ""), (State.OK, "-1"))
        self.assertEqual(self._state(13.9, options, State.CRITICAL)[0], State.CRITICAL)

    def test_without_tls(self) -> None:
        """There is nothing to add."""
        finding = Finding("so")
        self.assertIs(tls.add_days(a_run("tls h"), finding), finding)


def _probed(behave: Behaviour, line: str) -> tuple[State, str, TLSDetails | None]:
    with serving(behave) as port:
        run, finding = probed(line, port)
    return finding.state, finding.text, run.tls


def test_a_good_certificate(tmp_path: Path) -> None:
    """The days, the names and the chain, from the target's to the authority's."""
    ca = write_authority(tmp_path)
    state, text, shown = _probed(
        with_tls(server_context("127.0.0.1", "a.example"), closing), f"tls 127.0.0.1:{{port}} --ca-file {ca}"
    )

    assert state is State.OK, text
    assert text.startswith("valid for 365."), text
    assert shown is not None
    assert (shown.is_verified, list(shown.names), len(shown.chain)) == (True, ["127.0.0.1", "a.example"], 2)


@pytest.mark.parametrize(
    ("days", "options", "state"),
    [
        (10.0, "", State.WARNING),
        (5.0, "", State.CRITICAL),
        (10.0, "--warning-days 9", State.OK),
        (5.0, "--warning-days 4", State.OK),
        (20.0, "--critical-days 30", State.CRITICAL),
    ],
)
def test_a_certificate_that_ends_soon(tmp_path: Path, days: float, options: str, state: State) -> None:
    """Fourteen days and seven, if nothing is said."""
    ca = write_authority(tmp_path)
    behave = with_tls(server_context("127.0.0.1", days=days), closing)

    assert _probed(behave, f"tls 127.0.0.1:{{port}} --ca-file {ca} {options}")[0] is state


@pytest.mark.parametrize(
    ("context", "options", "said"),
    [
        (lambda: server_context("127.0.0.1", days=-1), "", "certificate has expired"),
        (lambda: server_context("192.0.2.1"), "", "certificate is not valid for '127.0.0.1'"),
        (lambda: server_context("127.0.0.1"), "--server-name b.example", "certificate is not valid for 'b.example'"),
        (lambda: server_context("127.0.0.1", by=trustme.CA()), "", "unable to get local issuer certificate"),
    ],
)
@pytest.mark.parametrize(
    "kind", ["tls 127.0.0.1:{port}", "pop3 127.0.0.1:{port} --tls", "http https://127.0.0.1:{port}/"]
)
def test_a_bad_certificate(tmp_path: Path, kind: str, context: object, options: str, said: str) -> None:
    """It is CRITICAL at once, and why is said; insecurely it is looked at all the same."""
    ca = write_authority(tmp_path)
    assert callable(context)
    behave = with_tls(context(), closing)
    state, text, shown = _probed(behave, f"{kind} --ca-file {ca} {options}")

    assert (state, shown) == (State.CRITICAL, None)
    assert "the certificate is refused: " in text
    assert said in text
    assert _probed(behave, f"{kind} --ca-file {ca} {options} --insecure")[2] is not None


#: The address of the target, and what cryptography does not read and OpenSSL does.
_HERE, _X400 = (0x87, bytes([127, 0, 0, 1])), (0xA3, b"")


@pytest.mark.parametrize(
    "odd",
    [
        Odd(version=b"\x09"),
        Odd(extensions=alternative(_HERE, _X400)),
        Odd(subject=name(b"M\xfcller", TELETEX), extensions=alternative(_HERE)),
    ],
)
@pytest.mark.parametrize("kind", ["tls 127.0.0.1:{port}", "http https://127.0.0.1:{port}/"])
def test_a_certificate_that_cannot_be_read(tmp_path: Path, kind: str, odd: Odd) -> None:
    """It is the target's mistake, not this program's; at which step, and why, is said."""
    with serving(with_tls(odd_context(odd, tmp_path), closing)) as port:
        run, finding = probed(f"{kind} --insecure", port)

    assert (finding.state, run.steps.current) == (State.CRITICAL, "tls"), finding.text
    assert re.match(r"its certificate cannot be read \(\w.*\)$", finding.text), finding.text


@pytest.mark.filterwarnings("ignore")  # as the program does
@pytest.mark.parametrize("odd", ODD)
def test_odd_certificates(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in one, it is read, or that is said; also of those that no server here can be made to show."""
    key = ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setattr(tls, "chain", lambda _: [ODD[odd][0].sign(key, name(b"somebody"), key)])
    with serving(with_tls(server_context("127.0.0.1"), closing)) as port:
        _, finding = probed("tls 127.0.0.1:{port} --insecure", port)

    is_unreadable = finding.text.startswith("its certificate cannot be read (")
    assert finding.state is (State.CRITICAL if is_unreadable else State.OK), finding.text


@pytest.mark.parametrize(
    ("odd", "names", "subject"),
    [
        (Odd(extensions=alternative(_HERE, _X400)), [], "CN=ann"),
        (Odd(subject=name(b"M\xfcller", TELETEX), extensions=alternative(_HERE)), ["127.0.0.1"], "[cannot be read]"),
    ],
)
def test_names_that_cannot_be_read(tmp_path: Path, odd: Odd, names: list[str], subject: str) -> None:
    """Of a certificate that was verified they are left out: it is good."""
    ca = write_authority(tmp_path)
    behave = with_tls(odd_context(odd, tmp_path), closing)
    state, text, shown = _probed(behave, f"tls 127.0.0.1:{{port}} --ca-file {ca}")

    assert state is State.OK, text
    assert shown is not None
    assert (shown.is_verified, shown.names, shown.chain[0]) == (True, names, subject)
    assert "nobody" not in text
    assert (", for 127.0.0.1, " in text) == bool(names)


GREETINGS = {
    "pop3": dialogue((b"", b"+OK hello\r\n"), (b"CAPA", b"+OK\r\nSTLS\r\n.\r\n"), (b"STLS", b"+OK go\r\n")),
    "imap": dialogue(
        (b"", b"* OK hello\r\n"),
        (b"CAPABILITY", b"* CAPABILITY IMAP4REV1 STARTTLS\r\nTAG OK so\r\n"),
        (b"STARTTLS", b"TAG BAD no\r\n"),
    ),
    "smtp": dialogue((b"", b"220 hello\r\n"), (b"EHLO", b"250-h\r\n250 AUTH PLAIN\r\n"), (b"QUIT", b"221 bye\r\n")),
    "ftp": dialogue((b"", b"220 hello\r\n"), (b"AUTH", b"534 no\r\n")),
}


@pytest.mark.parametrize("kind", [*GREETINGS, "http"])
def test_no_password_for_a_stranger(tmp_path: Path, kind: str) -> None:
    """Who has a wrong certificate is told nothing at all."""
    heard = []
    (tmp_path / "password").write_text("secret-word\n")
    target = "https://127.0.0.1:{port}/" if kind == "http" else "127.0.0.1:{port} --tls"
    options = f"--user probe --password-file {tmp_path}/password --ca-file {write_authority(tmp_path)}"
    behave = with_tls(server_context("127.0.0.1", by=trustme.CA()), lambda client: heard.append(drain(client)))
    with serving(behave) as port:
        run, finding = probed(f"{kind} {target} {options}", port)

    assert (finding.state, run.steps.current, heard) == (State.CRITICAL, "tls", [])


@pytest.mark.parametrize("kind", GREETINGS)
def test_a_target_that_does_not_start_tls(tmp_path: Path, kind: str) -> None:
    """It is not asked to let a user in: somebody on the way may have taken the offer out (a downgrade)."""
    (tmp_path / "password").write_text("secret-word\n")
    with serving(GREETINGS[kind]) as port:
        run, finding = probed(
            f"{kind} 127.0.0.1:{{port}} --starttls --user probe --password-file {tmp_path}/password", port
        )

    assert (finding.state, run.steps.current) == (State.CRITICAL, "tls"), finding.text
    assert "login" not in run.steps.finished


def test_a_password_that_is_repeated(tmp_path: Path) -> None:
    """Not everybody who reads the result may know it."""
    (tmp_path / "password").write_text("secret-word\n")
    turns = dialogue((b"", b"+OK hello\r\n"), (b"USER", b"+OK\r\n"), (b"PASS", b"-ERR secret-word is wrong\r\n"))
    with serving(turns) as port:
        run, finding = probed(f"pop3 127.0.0.1:{{port}} --user probe --password-file {tmp_path}/password", port)

    assert (finding.state, run.steps.current) == (State.CRITICAL, "login")
    assert finding.text == "the target says: -ERR secret-word is wrong"  # `main` hides it where it is printed
