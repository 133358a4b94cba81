"""Tests of the checkers, behind an authenticator: who is believed, and what nobody is told."""

import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import cast

import bcrypt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import CancelledError, Deferred, succeed

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.checkers import PasswordChecker, PublicKeyChecker, TokenChecker
from cmdserver.auth.credential_formats import Token, token_digest
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.credentials import BearerToken, Certificate, Credentials, Password, ProxiedUser, PublicKey
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import PasswordVerifier
from cmdserver.auth.source_restrictions import parse_networks
from cmdserver.core.errors import (
    Busy,
    Code,
    Fault,
    LoginRefused,
    Unavailable,
)
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.files.last_uses import key_id, token_id
from tests.auth.doubles import ADA, HERE, NO_SECOND_FACTORS, NOON, IdentityTestCase, password


def string(data: bytes) -> bytes:
    """Spell a string as SSH does (RFC 4251, section 5)."""
    return len(data).to_bytes(4, "big") + data


def repeated(secret: bytes) -> Password:
    """Show ada's name and a password as HTTP Basic does, with every request."""
    return Password(name="ada", password=secret, source=HERE.source, is_repeated=True)


class PasswordTests(IdentityTestCase):
    def test_right_password(self) -> None:
        """The caller has the name, and the listener and source of the arrival."""
        caller = self.log_in(password("ada", b"right"))

        self.assertEqual(caller, Caller(name="ada", protocol="line", source="192.0.2.1", method="password"))
        self.assertEqual(self.written, [("ada", "password", Code.OK, None)])

    def test_refusals_are_alike(self) -> None:
        """A wrong password, no user, no user's name at all: the same error, and the reason for us alone."""
        for name, secret in (("ada", b"wrong"), ("eve", b"right"), ("../ada", b"right"), ("", b"")):
            error = self.log_in(password(name, secret))
            self.assertIsInstance(error, LoginRefused)
            self.assertEqual(str(error), "Login failed.")

        self.assertEqual(
            [reason for *_, reason in self.written], ["wrong password", "no such user", "no such user", "no such user"]
        )

    def test_unknown_users_cost_the_same(self) -> None:
        """A hash is computed for nobody, at the cost of the known ones'."""
        self.log_in(password("eve", b"x"))
        self.log_in(password("ada", b"x"))

        self.assertEqual([(hashed, cost) for _, hashed, _, cost in self.verifier.asked], [(None, 4), (ADA, 4)])

    def test_changed_file_counts(self) -> None:
        """A password that was changed counts from the next login on."""
        self.files.set_password("ada", bcrypt.hashpw(b"new", bcrypt.gensalt(4)))

        self.assertIsInstance(self.log_in(password("ada", b"right")), LoginRefused)
        self.assertIsInstance(self.log_in(password("ada", b"new")), Caller)

    def test_a_repeated_password_is_computed_once(self) -> None:
        """A client that sends its password with every request has it computed once a minute, and each login written."""
        for now in (0.0, 1.0, 59.0, 61.0):
            self.now = now
            self.assertIsInstance(self.log_in(repeated(b"right")), Caller)

        self.assertEqual(len(self.verifier.asked), 2)
        self.assertEqual([outcome for _, _, outcome, _ in self.written], [Code.OK] * 4)

    def test_a_repeated_password_is_forgotten_when_it_is_changed(self) -> None:
        """What was right a moment ago is wrong as soon as the file says otherwise, or the user is gone."""
        self.log_in(repeated(b"right"))
        self.files.set_password("ada", bcrypt.hashpw(b"new", bcrypt.gensalt(4)))
        self.assertIsInstance(self.log_in(repeated(b"right")), LoginRefused)
        self.log_in(repeated(b"new"))
        self.files.remove_user("ada")

        self.assertIsInstance(self.log_in(repeated(b"new")), LoginRefused)

    def test_wrong_passwords_are_computed_each_time(self) -> None:
        """To repeat a guess is not cheaper, nor is a password that was given only once remembered."""
        for _ in range(2):
            self.log_in(repeated(b"wrong"))
            self.log_in(password("ada", b"right"))

        self.assertEqual(len(self.verifier.asked), 4)

    def test_what_is_remembered_is_for_those_who_repeat(self) -> None:
        """Whoever shows a password once has it computed, whoever else has shown it before."""
        self.log_in(repeated(b"right"))
        self.log_in(password("ada", b"right"))

        self.assertEqual(len(self.verifier.asked), 2)

    def test_too_many_hashes(self) -> None:
        """When no more can be checked, that is said, and written down."""
        self.verifier.trouble = Busy("too many", 3)

        self.assertIsInstance(self.log_in(password("ada", b"right")), Busy)
        self.assertEqual([outcome for _, _, outcome, _ in self.written], [Code.BUSY])

    def test_mistakes_of_ours(self) -> None:
        """The client is told an id; the log has the rest under it."""
        self.verifier.trouble = RuntimeError("secret")
        error = self.log_in(password("ada", b"right"))

        self.assertIsInstance(error, Fault)
        self.assertNotIn("secret", str(error))
        self.assertEqual([str(failure.value) for failure in self.flushLoggedErrors(RuntimeError)], ["secret"])

    def test_cancelled_login_is_told_to_nobody(self) -> None:
        """Who gives up hears no more, and lets the check go; that it tried is written down."""
        waiting: Deferred[bool] = Deferred()
        self.verifier.verify = lambda *_, **__: waiting  # type: ignore[method-assign]
        login = self.authenticator.log_in(HERE, password("ada", b"right"))
        login.addErrback(lambda _: None)
        login.cancel()

        self.assertTrue(waiting.called)
        self.assertEqual(self.written, [("ada", "password", Code.DENIED, "gave up before it was decided")])


class TokenTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.files.add_token(Token(name="mon", sha256=token_digest("good"), commands=frozenset({"uptime"})))
        self.files.add_token(Token(name="old", sha256=token_digest("old"), expires=NOON))

    def test_token(self) -> None:
        """A token says itself whose it is, and what it is good for."""
        caller = self.log_in(BearerToken(secret="good", source="192.0.2.1"))

        assert isinstance(caller, Caller)
        self.assertEqual((caller.name, caller.method, caller.commands), ("mon", "token", frozenset({"uptime"})))

    def test_uses(self) -> None:
        """Whose token it was, which, and from where, of those that let somebody in."""
        uses: list[tuple[str, str, str]] = []
        checker = TokenChecker(self.files, lambda: NOON, lambda *use: uses.append(use))
        for secret in ("good", "old", "bad"):
            checker.requestAvatarId(BearerToken(secret=secret, source="192.0.2.1")).addErrback(lambda _: None)

        self.assertEqual([("mon", token_id(token_digest("good")), "192.0.2.1")], uses)

    def test_refusals(self) -> None:
        """Unknown and expired tokens are refused alike, and written down apart, without the token."""
        for secret in ("bad", "old", ""):
            self.assertIsInstance(self.log_in(BearerToken(secret=secret, source="192.0.2.1")), LoginRefused)

        reasons = [reason or "" for *_, reason in self.written]
        self.assertEqual(
            [reason.partition(" at ")[0] for reason in reasons],
            ["no such token", "old's token expired", "no such token"],
        )
        self.assertNotIn("bad", str(reasons))

    def test_from_where(self) -> None:
        """A token is good from where its line says, by where it is shown."""
        near = parse_networks("192.0.2.0/24")
        self.files.add_token(Token(name="mon", sha256=token_digest("near"), sources=near))
        self.assertIsInstance(self.log_in(BearerToken(secret="near", source="192.0.2.7")), Caller)
        for source in ("198.51.100.7", "unix", "unknown"):
            self.assertIsInstance(self.log_in(BearerToken(secret="near", source=source)), LoginRefused, source)


class PublicKeyTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.blob = b64decode(public.split()[1])
        self.line = public.decode()

    def show(self, *, signature: bytes | None = None) -> Caller | Exception:
        """Show the key, with a right signature unless told otherwise."""
        right = string(b"ssh-ed25519") + string(self.key.sign(b"challenge"))
        claim = PublicKey(
            name="ada", blob=self.blob, signed=b"challenge", signature=signature or right, source="192.0.2.1"
        )
        return self.log_in(claim)

    def test_key(self) -> None:
        """Who signs with a listed key is let in."""
        self.files.add_keys("ada", self.line)
        caller = self.show()

        assert isinstance(caller, Caller)
        self.assertEqual((caller.name, caller.method, caller.forced_words), ("ada", "publickey", None))
        (event,) = self.ledger.events
        assert isinstance(event, LoggedIn)
        self.assertEqual(event.fingerprint, self.files.keys("ada")[0].fingerprint)

    def test_uses(self) -> None:
        """Of keys whose holder has signed: a client may only ask whether a key would do."""
        self.files.add_keys("ada", self.line)
        uses: list[tuple[str, str, str]] = []
        checker = PublicKeyChecker(self.files, lambda: NOON, NO_SECOND_FACTORS, lambda *use: uses.append(use))
        right = string(b"ssh-ed25519") + string(self.key.sign(b"challenge"))
        for signature in (b"x", right):
            claim = PublicKey(name="ada", blob=self.blob, signed=b"challenge", signature=signature, source="192.0.2.1")
            checker.requestAvatarId(claim).addErrback(lambda _: None)
        self.assertTrue(self.successResultOf(checker.is_acceptable("ada", self.blob, "192.0.2.2")))

        self.assertEqual([("ada", key_id(self.files.keys("ada")[0].fingerprint), "192.0.2.1")], uses)

    def test_forced_command(self) -> None:
        """``command=`` is what is run, whatever is asked for."""
        self.files.add_keys("ada", f'restrict,command="df -h" {self.line}')
        caller = self.show()

        assert isinstance(caller, Caller)
        self.assertEqual((caller.forced_words, caller.permits_pty), (("df", "-h"), False))

    def test_terminals(self) -> None:
        """Who may have a terminal is said with the key."""
        for options, permits_pty in (("", True), ("no-pty ", False), ("restrict ", False), ("restrict,pty ", True)):
            self.files.remove_user("ada")
            self.files.add_user("ada", ADA)
            self.files.add_keys("ada", options + self.line)
            caller = self.show()
            assert isinstance(caller, Caller)
            self.assertEqual(caller.permits_pty, permits_pty, options)

    def test_security_keys(self) -> None:
        """A hardware token's signature is good if somebody was there to touch it, and not otherwise."""
        kind = b"sk-ssh-ed25519@openssh.com"
        blob = string(kind) + string(self.key.public_key().public_bytes_raw()) + string(b"ssh:")
        self.files.add_keys("ada", f"no-touch-required {kind.decode()} {b64encode(blob).decode()}")
        for flags, is_let_in in ((b"\x01", True), (b"\x05", True), (b"\x00", False), (b"\x04", False)):
            counted = flags + b"\0\0\0\7"
            signed = sha256(b"ssh:").digest() + counted + sha256(b"challenge").digest()
            signature = string(kind) + string(self.key.sign(signed)) + counted
            claim = PublicKey(name="ada", blob=blob, signed=b"challenge", signature=signature, source="192.0.2.1")
            self.assertEqual(isinstance(self.log_in(claim), Caller), is_let_in, flags)

    def test_refusals(self) -> None:
        """A key that is not listed, not for here, expired, or not the signer's: refused alike, written down apart."""
        self.assertIsInstance(self.show(), LoginRefused)
        for options in ('from="10.0.0.0/8"', 'expiry-time="20200101"'):
            self.files.remove_user("ada")
            self.files.add_user("ada", ADA)
            self.files.add_keys("ada", f"{options} {self.line}")
            self.assertIsInstance(self.show(), LoginRefused)
        self.files.remove_user("ada")
        self.files.add_user("ada", ADA)
        self.files.add_keys("ada", self.line)
        for signature in (b"x", string(b"ssh-ed25519") + string(b"\0" * 64), string(b"ssh-rsa") + string(b"")):
            self.assertIsInstance(self.show(signature=signature), LoginRefused)

        self.assertEqual(len({reason for *_, reason in self.written}), 4)

    def test_another_key(self) -> None:
        """Whoever signs with a key of their own, which is not among those that are listed, is not let in."""
        other = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.files.add_keys("ada", other.decode())

        self.assertIsInstance(self.show(), LoginRefused)
        checker = PublicKeyChecker(self.files, lambda: NOON, NO_SECOND_FACTORS)
        self.assertFalse(self.successResultOf(checker.is_acceptable("ada", self.blob, "192.0.2.1")))

    def test_forced_command_that_cannot_be_split(self) -> None:
        """It is no key then: what it is good for is not known."""
        self.files.add_keys("ada", f'command="df \\"x" {self.line}')

        self.assertIsInstance(self.show(), LoginRefused)
        self.assertIn("cannot be split", str(self.written[-1]))

    def test_acceptable_is_listed(self) -> None:
        """A key is acceptable only if it is listed, for that name, and may be used now from there."""
        checker = PublicKeyChecker(self.files, lambda: NOON, NO_SECOND_FACTORS)
        self.assertFalse(self.successResultOf(checker.is_acceptable("ada", self.blob, "192.0.2.1")))
        self.files.add_keys("ada", f'from="192.0.2.0/24" {self.line}')

        self.assertTrue(self.successResultOf(checker.is_acceptable("ada", self.blob, "192.0.2.1")))
        self.assertFalse(self.successResultOf(checker.is_acceptable("ada", self.blob, "192.0.3.1")))
        self.assertFalse(self.successResultOf(checker.is_acceptable("eve", self.blob, "192.0.2.1")))
        self.assertFalse(self.successResultOf(checker.is_acceptable("../ada", self.blob, "192.0.2.1")))

    def test_listeners_ask_before_a_signature(self) -> None:
        """A listener that is asked about a key asks whoever knows; where nobody does, none is acceptable."""
        asked: list[tuple[str, bytes, str]] = []

        def is_acceptable(name: str, blob: bytes, source: str) -> Deferred[bool]:
            asked.append((name, blob, source))
            return succeed(True)

        knowing = Authenticator([], self.login_limit, EventLog(self.ledger), lambda: 0.0, is_acceptable)

        asking = ListenerAuth("ssh", Login.REQUIRED, knowing).is_acceptable_key("192.0.2.1", "ada", b"blob")
        self.assertTrue(self.successResultOf(asking))
        self.assertEqual(asked, [("ada", b"blob", "192.0.2.1")])
        asking = ListenerAuth("ssh", Login.REQUIRED, self.authenticator).is_acceptable_key("192.0.2.1", "ada", b"blob")
        self.assertFalse(self.successResultOf(asking))


class FetchedTests(IdentityTestCase):
    """Files that somebody else has to open for us."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[str, Deferred[int]]] = []
        self.given_up: list[object] = []
        self.directory = self.files.directory

        def may_not(path: Path) -> int:
            raise PermissionError(13, "Permission denied", str(path))

        def fetch(path: Path) -> Deferred[int]:
            self.asked.append((str(path.relative_to(self.directory)), Deferred(self.given_up.append)))
            return self.asked[-1][1]

        self.files.add_keys("ada", f"ssh-ed25519 {b64encode(string(b'ssh-ed25519') + string(bytes(32))).decode()}")
        fetched = CredentialStore(self.directory, open_file=may_not, fetch=fetch)
        self.keys = PublicKeyChecker(fetched, lambda: NOON, NO_SECOND_FACTORS)
        checkers: list[ICredentialsChecker] = [
            PasswordChecker(
                fetched,
                cast("PasswordVerifier", self.verifier),
                PasswordCache(bytes(32)),
                lambda: self.now,
                NO_SECOND_FACTORS,
            ),
            self.keys,
            TokenChecker(fetched, lambda: NOON),
        ]
        self.authenticator = Authenticator(checkers, self.login_limit, EventLog(self.ledger), lambda: 0.0)

    def begin(self, credentials: Credentials) -> Deferred[Caller]:
        """Try."""
        return self.authenticator.log_in(HERE, credentials)

    def open(self, name: str) -> int:
        """Open a file as whoever may."""
        return os.open(self.directory / name, os.O_RDONLY)

    def test_a_login_waits_for_its_file_alone(self) -> None:
        """Each asks for what it needs; nothing is decided before that is there, and then it is, at once."""
        logins = [
            self.begin(password("ada", b"right")),
            self.begin(BearerToken(secret="none", source=HERE.source)),
            self.begin(PublicKey(name="ada", blob=b"other", signed=b"", signature=b"", source=HERE.source)),
        ]
        self.assertEqual([name for name, _ in self.asked], ["passwd", "tokens", "authorized_keys/ada"])
        for login in logins:
            self.assertNoResult(login)
        self.assertEqual(self.written, [])

        self.asked[0][1].callback(self.open("passwd"))
        self.asked[1][1].errback(FileNotFoundError(2, "No such file or directory"))
        self.asked[2][1].callback(self.open("authorized_keys/ada"))

        self.assertEqual(self.successResultOf(logins[0]).name, "ada")
        self.failureResultOf(logins[1], LoginRefused)
        self.failureResultOf(logins[2], LoginRefused)
        self.assertEqual([reason for *_, reason in self.written], [None, "no such token", "no such key"])

    def test_what_cannot_be_looked_up_is_no_failed_login(self) -> None:
        """Who shows anything is told to come again; that is written down, and nothing else is concluded from it."""
        shown: list[Credentials] = [
            password("ada", b"right"),
            BearerToken(secret="none", source=HERE.source),
            PublicKey(name="ada", blob=b"", signed=b"", signature=b"", source=HERE.source),
        ]
        for credentials in shown:
            login = self.begin(credentials)
            self.asked[-1][1].errback(Unavailable(110, "the runner process does not answer"))
            self.failureResultOf(login, Busy)
        asking = self.keys.is_acceptable("ada", b"", HERE.source)
        self.asked[-1][1].errback(Unavailable(110, "the runner process does not answer"))
        self.failureResultOf(asking, Busy)

        self.assertEqual({outcome for _, _, outcome, _ in self.written}, {Code.BUSY})
        self.assertEqual(self.verifier.asked, [])

    def test_who_gives_up_waits_no_longer(self) -> None:
        """A login, or a look at a key, that is cancelled cancels the question; the next one asks anew."""
        for asking in (self.begin(password("ada", b"x")), self.keys.is_acceptable("ada", b"", HERE.source)):
            asking.cancel()
            self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.given_up, [answer for _, answer in self.asked])

        login = self.begin(password("ada", b"right"))
        self.asked[-1][1].callback(self.open("passwd"))
        self.assertEqual(self.successResultOf(login).name, "ada")

    def test_other_names_cost_the_same_question(self) -> None:
        """Whoever is looked for, and whether there is such a file, one question is asked; but for what is no name."""
        for name, count in (("ada", 1), ("nobody", 1), ("../passwd", 0), ("", 0)):
            before = len(self.asked)
            self.keys.is_acceptable(name, b"", HERE.source)
            self.assertEqual(len(self.asked) - before, count, name)


class CertificateTests(IdentityTestCase):
    def test_first_usable_name(self) -> None:
        """The first name in it that a user can have; others are no names of users."""
        caller = self.log_in(Certificate(names=("../x", "ada", "eve"), fingerprint="SHA256:00", source="192.0.2.1"))

        assert isinstance(caller, Caller)
        self.assertEqual((caller.name, caller.method), ("ada", "certificate"))
        self.assertEqual(
            [event.fingerprint for event in self.ledger.events if isinstance(event, LoggedIn)], ["SHA256:00"]
        )

    def test_no_name(self) -> None:
        """A certificate without a usable name lets nobody in."""
        for names in ((), ("a b",), ("-x",)):
            error = self.log_in(Certificate(names=names, fingerprint="SHA256:00", source="192.0.2.1"))
            self.assertIsInstance(error, LoginRefused)


class ProxyTests(IdentityTestCase):
    def test_whom_it_names(self) -> None:
        """One name that a user can have, be the user known here or not."""
        caller = self.log_in(ProxiedUser(names=("ann@example.org",), source="192.0.2.1"))

        assert isinstance(caller, Caller)
        self.assertEqual((caller.name, caller.method), ("ann@example.org", "proxy"))

    def test_nobody(self) -> None:
        """No name, several, a role's, that of a caller that is no person, or none that a user can have."""
        odd = ("", "a b", "-x", "../x", "é", "a" * 65, "anonymous", "authenticated", "schedule", "hook:x", "(null)")
        for names in ((), ("ann", "ann"), *((each,) for each in odd)):
            error = self.log_in(ProxiedUser(names=names, source="192.0.2.1"))
            self.assertIsInstance(error, LoginRefused, names)
        reasons = [event.reason or "" for event in self.ledger.events if isinstance(event, LoggedIn)]
        self.assertIn("not one name from the proxy, but: ann, ann", reasons)
        self.assertIn("no user's name from the proxy, but: \\xe9", reasons)
        self.assertTrue(all(len(each) < 120 for each in reasons), reasons)
