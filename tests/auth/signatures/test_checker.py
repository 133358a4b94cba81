"""Tests of logins by signature: which keys let whom in, when, from where, and how often."""

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.credentials import RequestSignature
from cmdserver.auth.signatures.checker import SignatureChecker
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.signed_request import read
from cmdserver.core.errors import Busy, Code, LoginRefused
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.model import Caller
from cmdserver.core.site import FleetHost
from cmdserver.limits.nonces import Nonces
from tests.auth.doubles import HERE, IdentityTestCase
from tests.signing import NOW, Asked, Signing

SOURCE = HERE.source


class SignatureCheckerTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = float(NOW)
        self.host = FleetHost("default", "web-1")
        self.nonces = Nonces(NOW - 60, lambda: 1e9, most=2)
        self.used: list[tuple[str, str, str]] = []
        self.signing = Signing(user="bob")
        self.files.add_keys("bob", self.signing.line)
        checker = SignatureChecker(
            self.files, self.nonces, lambda: self.host, lambda: self.now, lambda *use: self.used.append(use)
        )
        self.authenticator = Authenticator([checker], self.login_limit, EventLog(self.ledger), lambda: self.now)

    def tried(self, asked: Asked, source: str = SOURCE) -> Caller | Exception:
        """Try, and return what comes of it."""
        try:
            return self.log_in(RequestSignature(source=source, request=read(asked.message())))
        except WrongSignature as wrong:
            return self.log_in(RequestSignature(source=source, request=None, trouble=str(wrong)))

    def let_in(self, asked: Asked) -> Caller:
        """Try with success."""
        caller = self.tried(asked)
        assert isinstance(caller, Caller), caller
        return caller

    def refused(self, asked: Asked, source: str = SOURCE) -> str:
        """Try in vain; say what the audit file says of it."""
        self.assertIsInstance(self.tried(asked, source), LoginRefused)
        _, method, outcome, reason = self.written[-1]
        self.assertEqual((method, outcome), ("signature", Code.DENIED))
        return reason or ""

    def test_a_login(self) -> None:
        """It is in the audit file with its method and the key; that the key was used is noted."""
        caller = self.let_in(self.signing.ask())

        self.assertEqual((caller.name, caller.method, caller.has_second_factor), ("bob", "signature", False))
        self.assertEqual(self.written, [("bob", "signature", Code.OK, None)])
        (login,) = (event for event in self.ledger.events if isinstance(event, LoggedIn))
        self.assertEqual(login.fingerprint, self.signing.fingerprint)
        self.assertEqual([(user, source) for user, _, source in self.used], [("bob", SOURCE)])

    def test_once(self) -> None:
        """The same request is good once; a wrong one uses nothing up."""
        wrong = self.signing.ask("/reboot")
        wrong.url = "http://host/uptime"
        self.assertEqual(self.refused(wrong), "wrong signature")
        self.let_in(self.signing.ask())

        self.assertEqual(self.refused(self.signing.ask()), "it was used before")
        self.now = NOW + 65
        self.assertEqual(self.refused(self.signing.ask()), "it was used before", "as long as it would be good")

    def test_who_else(self) -> None:
        """Another's key, under a name that has it not; and another name with the same key."""
        stranger = Signing(user="bob")
        self.assertEqual(self.refused(stranger.ask()), "no such key")
        self.files.add_keys("eve", self.signing.line)
        asked = self.signing.ask()
        asked.headers["Signature-Input"] = asked.headers["Signature-Input"].replace("bob:", "eve:")
        self.assertEqual(self.refused(asked), "wrong signature")
        for user in ("../bob", "", "nobody"):
            self.signing.user = user
            self.refused(self.signing.ask())

    def test_options(self) -> None:
        """Those of the key's line hold, as over SSH."""
        for options, source, reason in (
            ('from="10.0.0.0/8"', SOURCE, "not allowed from"),
            ('expiry-time="20200101Z"', SOURCE, "expired"),
            ('from="10.0.0.0/8"', "unix", "not allowed from"),
        ):
            self.rewrite(f"{options} {self.signing.line}")
            self.assertIn(reason, self.refused(self.signing.ask(), source))
        self.assertEqual(self.used, [])
        self.rewrite(f'command="df -h",restrict {self.signing.line}')
        caller = self.let_in(self.signing.ask())
        self.assertEqual((caller.forced_words, caller.permits_pty), (("df", "-h"), False))

    def rewrite(self, line: str) -> None:
        """Have another file of keys."""
        (self.files.directory / "authorized_keys" / "bob").write_text(f"{line}\n")

    def test_for_whom_and_when(self) -> None:
        """For this host, as it is called now, and for a minute by a clock that does not go back."""
        self.host = FleetHost("default", "web-2")
        self.assertIn("this is web-2 in default", self.refused(self.signing.ask()))
        self.host = FleetHost("default", "web-1")
        self.now = NOW + 66
        self.assertIn("expired", self.refused(self.signing.ask()))
        self.now = NOW
        self.assertIn("expired", self.refused(self.signing.ask()), "the clock was set back")

    def test_busy(self) -> None:
        """Where what was used cannot be remembered nobody is let in, and nobody is to blame."""
        for number in range(2):
            self.let_in(self.signing.ask(nonce=f"0123456789abcdef{number}"))
        self.assertIsInstance(self.tried(self.signing.ask()), Busy)
        self.assertEqual(self.written[-1][2], Code.BUSY)

    def test_what_cannot_be_read(self) -> None:
        """Its reason is in the audit file, and nobody's name."""
        asked = self.signing.ask(tag="other")

        self.assertEqual(self.refused(asked), "its tag or its nonce is none of ours")
        self.assertIsNone(self.written[-1][0])
