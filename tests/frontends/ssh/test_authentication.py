"""Tests of logging in by SSH: who is let in, what strangers learn (nothing), and what is not put up with."""

from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import CodeRequired, Credentials, OneTimeCode, Password, Proof, PublicKey
from cmdserver.core.errors import Busy, Fault, LoginRefused, Throttled
from cmdserver.core.model import Caller
from cmdserver.frontends.ssh.authentication import (
    FAILURE,
    INFO_REQUEST,
    INFO_RESPONSE,
    METHODS,
    MOST_AHEAD,
    MOST_BYTES_AHEAD,
    MOST_KEYS,
    MOST_REQUESTS,
    PK_OK,
    REQUEST,
    Authentication,
)
from cmdserver.sshtransport.encoding import Malformed, string, uint32
from tests.doubles import LAW
from tests.frontends.ssh.doubles import ADA

ED25519 = b"ssh-ed25519"
BLOB = string(ED25519) + string(b"k" * 32)
RSA = string(b"ssh-rsa") + string(b"e") + string(b"n")
SECRET_SHOWN = Password(name="ada", password=b"secret", source="192.0.2.1", can_ask=False)
REFUSED = string(METHODS) + b"\0"


class FakeListenerAuth:
    """A listener that decides as the test says."""

    def __init__(self) -> None:
        self.tried: list[Credentials] = []
        self.decision: Deferred[Caller] | Caller | Exception = LoginRefused()
        self.acceptable: set[tuple[str, str, bytes]] = set()
        self.left: list[CodeRequired] = []
        #: For a look that takes its time.
        self.looking: Deferred[bool] | None = None

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        assert credentials.source == source
        self.tried.append(credentials)
        if isinstance(self.decision, Deferred):
            return self.decision
        decided: Deferred[Caller] = Deferred()
        if isinstance(self.decision, Exception):
            decided.errback(self.decision)
        else:
            decided.callback(self.decision)
        return decided

    def left_without_code(self, source: str, required: CodeRequired) -> None:
        self.left.append(required)

    def is_acceptable_key(self, source: str, name: str, blob: bytes) -> Deferred[bool]:
        return self.looking or succeed((source, name, blob) in self.acceptable)


class FakeClient:
    """A connection that keeps what it is told."""

    source = "192.0.2.1"
    sessionID: bytes | None = b"session"

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.callers: list[Caller] = []
        self.farewells: list[str] = []
        self.failures: list[Failure] = []

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        self.sent.append((messageType, payload))

    def let_in(self, caller: Caller) -> None:
        self.callers.append(caller)

    def send_away(self, why: str) -> None:
        self.farewells.append(why)

    def broken(self, failure: Failure) -> None:
        self.failures.append(failure)


class AuthenticationTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.listener_auth = FakeListenerAuth()
        self.client = FakeClient()
        self.authentication = Authentication(self.client, self.listener_auth, 3)  # type: ignore[arg-type]

    def asks(
        self, method: bytes, details: bytes = b"", name: bytes = b"ada", service: bytes = b"ssh-connection"
    ) -> None:
        """Send a request."""
        self.authentication.packetReceived(REQUEST, string(name) + string(service) + string(method) + details)

    def responds(self, *answers: bytes) -> None:
        """Send answers to prompts."""
        self.authentication.packetReceived(
            INFO_RESPONSE, uint32(len(answers)) + b"".join(string(answer) for answer in answers)
        )

    def offers(self, blob: bytes = BLOB, algorithm: bytes = ED25519) -> None:
        """Offer a key without a signature."""
        self.asks(b"publickey", b"\0" + string(algorithm) + string(blob))

    def signs(self, blob: bytes = BLOB, algorithm: bytes = ED25519, signed_as: bytes | None = None) -> None:
        """Show a key with a signature."""
        signature = string(signed_as or algorithm) + string(b"signature")
        self.asks(b"publickey", b"\1" + string(algorithm) + string(blob) + string(signature))

    @property
    def last(self) -> tuple[int, bytes]:
        """What was sent last."""
        return self.client.sent[-1]


class PasswordTests(AuthenticationTestCase):
    def test_right(self) -> None:
        """Whoever the portal believes is let in."""
        self.listener_auth.decision = ADA
        self.asks(b"password", b"\0" + string(b"secret"))

        self.assertEqual(
            self.listener_auth.tried, [Password(name="ada", password=b"secret", source="192.0.2.1", can_ask=False)]
        )
        self.assertEqual((self.client.callers, self.client.sent), ([ADA], []))

    def test_wrong(self) -> None:
        """A wrong one may be followed by others, but not by many."""
        for _ in range(2):
            self.asks(b"password", b"\0" + string(b"wrong"))
            self.assertEqual(self.client.sent.pop(), (FAILURE, REFUSED))
        self.asks(b"password", b"\0" + string(b"wrong"))

        self.assertEqual(self.client.farewells, ["Too many authentication failures"])
        self.assertEqual(self.client.sent, [])
        self.assertTrue(self.authentication.has_failed)

    def test_changing(self) -> None:
        """Passwords are not changed here; what was sent for that is not even looked at."""
        self.asks(b"password", b"\1" + string(b"old") + string(b"new"))

        self.assertEqual((self.listener_auth.tried, self.last), ([], (FAILURE, REFUSED)))

    def test_dialogue(self) -> None:
        """A password may be asked for: one prompt, without echo, for whoever says to be whoever."""
        prompts = set()
        for name in (b"ada", b"nobody", b"\xff"):
            self.asks(b"keyboard-interactive", string(b"") + string(b""), name=name)
            prompts.add(self.client.sent.pop())
        self.responds(b"secret")

        self.assertEqual(prompts, {(INFO_REQUEST, string(b"") * 3 + uint32(1) + string(b"Password: ") + b"\0")})
        (tried,) = self.listener_auth.tried
        self.assertEqual((tried.name, tried.method), ("\ufffd", "keyboard-interactive"))

    def test_answers_to_nothing(self) -> None:
        """An answer belongs to a question, and one answer to one."""
        with self.assertRaises(Malformed):
            self.responds(b"secret")
        for answers in ((), (b"one", b"two")):
            self.asks(b"keyboard-interactive", string(b"") * 2)
            with self.assertRaises(Malformed):
                self.responds(*answers)
        self.asks(b"keyboard-interactive", string(b"") * 2)
        self.asks(b"none")
        with self.assertRaises(Malformed):
            self.responds(b"secret")
        self.assertEqual(self.listener_auth.tried, [])


class CodeTests(AuthenticationTestCase):
    """Who has a second factor."""

    def require_after(self, method: str) -> CodeRequired:
        """Show something right that is not enough."""
        self.listener_auth.decision = required = CodeRequired(Proof(name="ada", method=method))
        if method == "publickey":
            self.signs()
        else:
            self.asks(b"keyboard-interactive", string(b"") * 2)
            self.responds(b"secret")
        return required

    @property
    def is_asked_for_code(self) -> bool:
        """Whether that was sent last."""
        return self.last == (INFO_REQUEST, string(b"") * 3 + uint32(1) + string(b"Code: ") + b"\0")

    def test_after_a_password(self) -> None:
        """The next prompt is for the code, which goes with what was proved."""
        required = self.require_after("keyboard-interactive")
        self.assertTrue(self.is_asked_for_code)
        self.assertTrue(self.authentication.has_tried, "who goes now has failed")
        self.assertFalse(self.authentication.is_deciding, "and keeps nobody waiting")
        self.listener_auth.decision = ADA
        self.responds(b"123456")

        code = OneTimeCode(proof=required.proof, code="123456", source="192.0.2.1")
        self.assertEqual((code, [ADA]), (self.listener_auth.tried[-1], self.client.callers))
        self.authentication.serviceStopped()
        self.assertEqual([], self.listener_auth.left)

    def test_after_a_key(self) -> None:
        """A key is a partial success, after which nothing but keyboard-interactive goes on."""
        self.require_after("publickey")
        self.assertEqual((FAILURE, string(b"keyboard-interactive") + b"\1"), self.last)
        self.asks(b"keyboard-interactive", string(b"") * 2)
        self.assertTrue(self.is_asked_for_code)
        self.listener_auth.decision = ADA
        self.responds(b"123456")
        self.assertEqual([ADA], self.client.callers)

    def test_wrong(self) -> None:
        """It is an attempt, and the password is asked for again."""
        self.require_after("keyboard-interactive")
        self.listener_auth.decision = LoginRefused()
        self.responds(b"000000")
        self.assertEqual((FAILURE, REFUSED), self.last)
        self.asks(b"keyboard-interactive", string(b"") * 2)
        self.assertFalse(self.is_asked_for_code)

    def test_something_else_instead(self) -> None:
        """Another name or method is another login; who has begun this one has failed."""
        for method, name in ((b"keyboard-interactive", b"bob"), (b"none", b"ada"), (b"password", b"ada")):
            required = self.require_after("keyboard-interactive")
            self.listener_auth.decision = LoginRefused()
            self.asks(method, string(b"") * 2, name=name)
            self.assertEqual([required], self.listener_auth.left)
            self.assertTrue(self.authentication.has_failed)
            self.setUp()

    def test_again_and_again(self) -> None:
        """To give up a code costs an attempt: nobody is hashed for without end."""
        for _ in range(3):
            self.require_after("keyboard-interactive")
            self.asks(b"none")
        self.assertEqual(["Too many authentication failures"], self.client.farewells)

    def test_gone(self) -> None:
        """Who goes without a code has failed."""
        required = self.require_after("publickey")
        self.authentication.serviceStopped()
        self.assertEqual([required], self.listener_auth.left)


class KeyTests(AuthenticationTestCase):
    def test_offered(self) -> None:
        """A key that would be good is worth a signature; what was offered is said again."""
        self.listener_auth.acceptable.add(("192.0.2.1", "ada", BLOB))
        self.offers()

        self.assertEqual(self.client.sent, [(PK_OK, string(ED25519) + string(BLOB))])
        self.assertEqual(self.listener_auth.tried, [])

    def test_offered_in_vain(self) -> None:
        """Any other is refused, whoever it is, and that is written down; a number of them is put up with."""
        for _ in range(MOST_KEYS - 1):
            self.offers()
            self.assertEqual(self.client.sent.pop(), (FAILURE, REFUSED))
        self.offers()

        self.assertEqual(self.client.farewells, ["Too many authentication failures"])
        self.assertEqual(len(self.listener_auth.tried), MOST_KEYS)

    def look(self) -> tuple[Deferred[bool], list[object]]:
        """Let a look at a key take its time."""
        cancelled: list[object] = []
        self.listener_auth.looking = Deferred(cancelled.append)
        self.offers()
        self.assertTrue(self.authentication.is_deciding)
        self.assertEqual(self.client.sent, [])
        return self.listener_auth.looking, cancelled

    def test_a_look_that_takes_its_time(self) -> None:
        """What is sent ahead waits for it, whatever comes of it, and is decided in its order."""
        for is_acceptable, answer in ((True, (PK_OK, string(ED25519) + string(BLOB))), (False, (FAILURE, REFUSED))):
            self.setUp()
            looking, _ = self.look()
            self.asks(b"none")
            self.asks(b"password", b"\0" + string(b"wrong"))
            self.assertEqual((self.client.sent, self.listener_auth.tried), ([], []))

            looking.callback(is_acceptable)

            self.assertEqual(self.client.sent, [answer, (FAILURE, REFUSED), (FAILURE, REFUSED)])
            self.assertFalse(self.authentication.is_deciding)

    def test_a_look_and_a_login_that_take_their_time(self) -> None:
        """A key that is not acceptable is written down, and that is waited for, too."""
        looking, _ = self.look()
        self.asks(b"none")
        decision: Deferred[Caller] = Deferred()
        self.listener_auth.decision = decision

        looking.callback(False)
        self.assertTrue(self.authentication.is_deciding)
        self.assertEqual((len(self.listener_auth.tried), self.client.sent), (1, []))
        decision.errback(LoginRefused())

        self.assertEqual(self.client.sent, [(FAILURE, REFUSED)] * 2)
        self.assertFalse(self.authentication.is_deciding)

    def test_a_login_behind_a_look_that_took_no_time(self) -> None:
        """It is waited for, too, and is given up by who leaves."""
        given_up: list[object] = []
        self.listener_auth.decision = Deferred(given_up.append)
        self.offers()
        self.assertTrue(self.authentication.is_deciding)
        self.asks(b"none")
        self.assertEqual(self.client.sent, [])

        self.authentication.serviceStopped()

        self.assertEqual(len(given_up), 1)

    def test_who_leaves_meanwhile_gives_it_up(self) -> None:
        """During the look, or while it is written down that it was in vain; nothing is said to who is gone."""
        _, cancelled = self.look()
        self.asks(b"none")
        self.authentication.serviceStopped()
        self.assertEqual((len(cancelled), self.client.sent, self.client.farewells), (1, [], []))

        self.setUp()
        looking, _ = self.look()
        given_up: list[object] = []
        self.listener_auth.decision = Deferred(given_up.append)
        looking.callback(False)
        self.authentication.serviceStopped()
        self.assertEqual((len(given_up), self.client.sent, self.client.farewells), (1, [], []))

    def test_a_look_that_cannot_be_taken(self) -> None:
        """Who has to wait is told so, and has offended nobody."""
        busy = Busy("credentials cannot be looked up at the moment", 5)
        looking, _ = self.look()
        looking.errback(busy)

        self.assertEqual(self.client.farewells, [f"{busy.code}: {busy}"])
        self.assertEqual((self.client.sent, self.listener_auth.tried), ([], []))
        self.assertFalse(self.authentication.has_failed)

    def test_signed(self) -> None:
        """What was signed is the session, and the whole request but for its signature (RFC 4252, section 7)."""
        self.listener_auth.decision = ADA
        self.signs()

        signed = string(b"session") + bytes([REQUEST]) + string(b"ada") + string(b"ssh-connection")
        signed += string(b"publickey") + b"\1" + string(ED25519) + string(BLOB)
        signature = string(ED25519) + string(b"signature")
        self.assertEqual(
            self.listener_auth.tried,
            [PublicKey(name="ada", blob=BLOB, signed=signed, signature=signature, source="192.0.2.1")],
        )
        self.assertEqual(self.client.callers, [ADA])

    def test_wrong_signatures(self) -> None:
        """They count as wrong passwords do."""
        for _ in range(3):
            self.signs()

        self.assertEqual(self.client.farewells, ["Too many authentication failures"])

    def test_algorithms(self) -> None:
        """RSA keys sign with SHA-2, and not with SHA-1, whatever the request says."""
        self.signs(RSA, b"rsa-sha2-256")
        self.signs(RSA, b"rsa-sha2-512", signed_as=b"ssh-rsa")
        self.signs(RSA, b"ssh-rsa")
        signatures = [tried.signature for tried in self.listener_auth.tried if isinstance(tried, PublicKey)]

        self.assertEqual(signatures, [string(b"rsa-sha2-256") + string(b"signature"), b"", b""])

    def test_other_keys(self) -> None:
        """A key of another type than its algorithm, or of none that is known, is no key."""
        self.listener_auth.acceptable |= {("192.0.2.1", "ada", RSA), ("192.0.2.1", "ada", string(b"ssh-dss"))}
        self.offers(RSA, ED25519)
        self.offers(string(b"ssh-dss"), b"ssh-dss")
        self.offers(RSA, b"ssh-rsa")

        self.assertEqual(self.client.sent, [(FAILURE, REFUSED)] * 3)


class RequestTests(AuthenticationTestCase):
    def test_methods(self) -> None:
        """Who asks is told what there is; what there is not is refused."""
        for method in (b"none", b"hostbased", b"gssapi-with-mic", b"\xff", b""):
            self.asks(method, b"rest")
            self.assertEqual(self.client.sent.pop(), (FAILURE, REFUSED))
        self.assertEqual((self.listener_auth.tried, self.authentication.has_failed), ([], False))

    def test_other_services(self) -> None:
        """There is nothing else to log in for."""
        with self.assertRaises(Malformed):
            self.asks(b"none", service=b"ssh-userauth")

    def test_bounds(self) -> None:
        """Names are not endless, nor are requests, even those that cost nothing."""
        with self.assertRaises(Malformed):
            self.asks(b"none", name=b"x" * 257)
        with self.assertRaises(Malformed):
            for _ in range(MOST_REQUESTS):
                self.asks(b"none")
        with self.assertRaises(Malformed):
            self.asks(b"none", b"x" * MOST_BYTES_AHEAD)

    def test_one_after_the_other(self) -> None:
        """What is sent ahead waits for the decision."""
        decision: Deferred[Caller] = Deferred()
        self.listener_auth.decision = decision
        self.asks(b"password", b"\0" + string(b"wrong"))
        self.assertTrue(self.authentication.is_deciding)
        self.asks(b"none")
        self.asks(b"password", b"\0" + string(b"right"))
        self.assertEqual((len(self.listener_auth.tried), self.client.sent), (1, []))

        self.listener_auth.decision = ADA
        decision.errback(LoginRefused())
        self.assertEqual(self.client.sent, [(FAILURE, REFUSED)] * 2)
        self.assertEqual(self.client.callers, [ADA])

    def test_one_behind_what_was_decided_at_once(self) -> None:
        """A login that is under way behind a refusal is waited for like any other."""
        first: Deferred[Caller] = Deferred()
        self.listener_auth.decision = first
        self.asks(b"password", b"\0" + string(b"wrong"))
        self.asks(b"password", b"\0" + string(b"wrong again"))
        self.asks(b"password", b"\0" + string(b"right"))
        self.asks(b"none")
        second: Deferred[Caller] = Deferred()
        decisions = [LoginRefused(), second]
        self.patch(
            FakeListenerAuth, "log_in", lambda *_: fail(one) if isinstance(one := decisions.pop(0), Exception) else one
        )

        first.errback(LoginRefused())

        self.assertEqual((decisions, self.client.sent), ([], [(FAILURE, REFUSED)] * 2))
        self.assertTrue(self.authentication.is_deciding)
        second.callback(ADA)
        self.assertEqual(self.client.callers, [ADA])

    def test_much_ahead(self) -> None:
        """Not everything can be sent ahead."""
        self.listener_auth.decision = Deferred()
        self.asks(b"password", b"\0" + string(b"wrong"))
        for _ in range(MOST_AHEAD):
            self.asks(b"none")
        with self.assertRaises(Malformed):
            self.asks(b"none")
        self.setUp()
        self.listener_auth.decision = Deferred()
        self.asks(b"password", b"\0" + string(b"wrong"))
        self.asks(b"none", b"x" * (MOST_BYTES_AHEAD // 2))
        with self.assertRaises(Malformed):
            self.asks(b"none", b"x" * (MOST_BYTES_AHEAD // 2))

    def test_leaving(self) -> None:
        """Who goes while a login is decided gives it up."""
        cancelled: list[object] = []
        self.listener_auth.decision = Deferred(cancelled.append)
        self.asks(b"password", b"\0" + string(b"wrong"))
        self.authentication.serviceStopped()

        self.assertEqual((len(cancelled), self.client.sent, self.client.farewells), (1, [], []))

    def test_malformed_ahead(self) -> None:
        """What breaks the protocol ends the connection, when its turn comes as well."""
        decision: Deferred[Caller] = Deferred()
        self.listener_auth.decision = decision
        self.asks(b"password", b"\0" + string(b"wrong"))
        self.authentication.packetReceived(REQUEST, b"")
        self.assertEqual(self.client.failures, [])
        decision.errback(LoginRefused())

        self.assertEqual([type(each.value) for each in self.client.failures], [Malformed])

    def test_mistakes_of_ours(self) -> None:
        """A login that ends as none may end ends the connection; one that we have given up does not matter."""
        for error in (RuntimeError("x"), CancelledError()):
            self.listener_auth.decision = error
            self.asks(b"password", b"\0" + string(b"right"))
        self.assertEqual([type(each.value) for each in self.client.failures], [RuntimeError, CancelledError])

        self.listener_auth.decision = Deferred()
        self.asks(b"password", b"\0" + string(b"right"))
        self.authentication.serviceStopped()
        self.assertEqual(len(self.client.failures), 2)
        self.assertEqual((self.client.callers, self.client.farewells), ([], []))

    def test_nobody_is_let_in_by_halves(self) -> None:
        """If something goes wrong when a client is let in, it is not in."""
        self.listener_auth.decision = ADA
        self.client.let_in = Mock(side_effect=RuntimeError("x"))  # type: ignore[method-assign]
        self.asks(b"password", b"\0" + string(b"right"))

        self.assertEqual([type(each.value) for each in self.client.failures], [RuntimeError])

    def test_other_refusals(self) -> None:
        """Who has to wait is told how long, and sent away; so is who has met a mistake of ours."""
        for error in (Throttled("too many logins from 192.0.2.1 came to nothing", 9), Busy("all", 3), Fault("1d")):
            self.setUp()
            self.listener_auth.decision = error
            self.asks(b"password", b"\0" + string(b"x"))
            self.assertEqual(self.client.farewells, [f"{error.code}: {error}"])
            self.assertEqual(self.client.sent, [])

    @given(st.lists(st.tuples(st.sampled_from([REQUEST, INFO_RESPONSE]), st.binary(max_size=80)), max_size=5))
    @LAW
    def test_any_packets(self, packets: list[tuple[int, bytes]]) -> None:
        """Any packets are answered, or found to be none; nobody is let in by them."""
        self.setUp()
        for number, payload in packets:
            try:
                self.authentication.packetReceived(number, payload)
            except Malformed:
                return
        self.assertEqual(self.client.callers, [])

    @given(st.sampled_from([b"publickey", b"password", b"keyboard-interactive"]), st.binary(max_size=80), st.booleans())
    @LAW
    def test_any_details(self, method: bytes, details: bytes, is_key: bool) -> None:
        """Any details of a method are, too."""
        self.setUp()
        try:
            self.asks(method, (b"\1" + string(ED25519) + string(BLOB) if is_key else b"") + details)
        except Malformed:
            return
        self.assertEqual((self.client.callers, len(self.client.sent)), ([], 1))
