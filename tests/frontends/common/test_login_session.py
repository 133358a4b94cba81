"""Tests of the way in: the dialogue, a certificate, and what is remembered of those who come to nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import CodeRequired, OneTimeCode, Proof
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Fault, LoginRefused
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.frontends.common.login_session import LOGIN_FAILED, PASSWORD_PROMPT, USER_PROMPT, LoginSession
from cmdserver.limits.source_penalties import Offence
from tests.doubles import FakeLoginLimit

ADA = Caller(name="ada", protocol="line", source="192.0.2.1", method="password")


class FakeListenerAuth:
    """A listener whose logins the test decides."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.tried: list[Any] = []
        self.decision: Deferred[Caller] = Deferred()
        self.limit = FakeLoginLimit()
        self.offences = self.limit.offences
        self.left: list[tuple[str, CodeRequired]] = []

    def left_without_code(self, source: str, required: CodeRequired) -> None:
        self.left.append((source, required))

    def log_in(self, source: str, credentials: Any) -> Deferred[Caller]:
        self.tried.append(credentials)
        return self.decision

    @property
    def charged(self) -> set[str]:
        return set(self.limit.sources)

    @property
    def settled(self) -> int:
        return self.limit.left


class FakeClient:
    """A connection that keeps what it was told."""

    source = "192.0.2.1"

    def __init__(self, listener_auth: FakeListenerAuth) -> None:
        is_required = listener_auth.login is Login.REQUIRED
        self.pending_login = PendingLogin(listener_auth.limit, "tcp:2023", "192.0.2.2", is_required=is_required)
        self.said: list[bytes] = []
        self.callers: list[Caller] = []
        self.farewells: list[bytes] = []
        self.failures: list[Failure] = []

    def say(self, prompt: bytes) -> None:
        self.said.append(prompt)

    def proceed(self) -> None:
        self.said.append(b"")

    def let_in(self, caller: Caller) -> None:
        self.callers.append(caller)

    def send_away(self, farewell: bytes) -> None:
        self.farewells.append(farewell)

    def broken(self, failure: Failure) -> None:
        self.failures.append(failure)


class EntranceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.enter(Login.REQUIRED)

    def enter(self, login: Login) -> None:
        """Stand at a listener."""
        self.listener_auth = FakeListenerAuth(login)
        self.client = FakeClient(self.listener_auth)
        self.login_session = LoginSession(self.listener_auth, self.client)  # type: ignore[arg-type]

    def hold_dialogue(self) -> None:
        """Say who we are."""
        self.login_session.ask()
        self.login_session.take(b"ada\r")
        self.login_session.take(b" right ")


class EntranceTests(EntranceTestCase):
    def test_dialogue(self) -> None:
        """Name, then password, exactly as they came but for the line's end."""
        self.hold_dialogue()

        self.assertEqual(self.client.said, [USER_PROMPT, PASSWORD_PROMPT])
        self.assertEqual([(each.name, each.password) for each in self.listener_auth.tried], [("ada", b" right ")])
        self.assertTrue(self.login_session.is_deciding)
        self.assertFalse(self.login_session.is_asking)

    def test_let_in(self) -> None:
        """Who has logged in is counted out of the unauthenticated connections, once, and not charged when it leaves."""
        self.hold_dialogue()
        self.listener_auth.decision.callback(ADA)
        self.login_session.leave(Offence.NOAUTH)

        self.assertEqual(self.client.callers, [ADA])
        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, []))
        self.assertFalse(self.login_session.is_deciding)

    def test_sent_away(self) -> None:
        """Who has not is told no reason, and charged once."""
        self.hold_dialogue()
        self.listener_auth.decision.errback(LoginRefused())
        self.login_session.leave(Offence.NOAUTH)

        self.assertEqual(self.client.farewells, [LOGIN_FAILED])
        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, [Offence.AUTHFAIL]))
        self.assertEqual(self.listener_auth.charged, {"192.0.2.2"})

    def test_our_fault_is_no_offence(self) -> None:
        """What is not the client's fault is said, and not held against it until it goes."""
        self.hold_dialogue()
        self.listener_auth.decision.errback(Fault("0123"))

        self.assertIn(b"fault", self.client.farewells[0])
        self.assertEqual(self.listener_auth.offences, [])

    def test_who_says_nothing(self) -> None:
        """A connection that ends without a login is charged for that, once."""
        self.login_session.ask()
        self.login_session.leave(Offence.GRACE_EXCEEDED)
        self.login_session.leave(Offence.NOAUTH)

        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, [Offence.GRACE_EXCEEDED]))
        self.assertEqual(self.listener_auth.charged, {"192.0.2.2"})

    def test_optional_login(self) -> None:
        """Where nobody must log in, nobody is charged for not doing it, but for failing."""
        self.enter(Login.OPTIONAL)
        self.login_session.leave(Offence.NOAUTH)
        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (0, []))
        self.enter(Login.OPTIONAL)
        self.hold_dialogue()
        self.listener_auth.decision.errback(LoginRefused())

        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (0, [Offence.AUTHFAIL]))

    def test_giving_up(self) -> None:
        """Who goes while the password is checked lets the check go, and is not sent anything."""
        self.hold_dialogue()
        self.login_session.leave(Offence.NOAUTH)

        self.assertTrue(self.listener_auth.decision.called)
        self.assertEqual(self.client.farewells, [])
        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, [Offence.AUTHFAIL]))

    def test_our_slowness_is_no_offence(self) -> None:
        """Whose login we do not come to in time is not charged for it."""
        self.hold_dialogue()
        self.login_session.give_up()

        self.assertTrue(self.listener_auth.decision.called)
        self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, []))

    def test_decided_at_once(self) -> None:
        """A login that is decided before it is waited for leaves nothing waiting."""
        self.listener_auth.decision.callback(ADA)
        self.hold_dialogue()

        self.assertFalse(self.login_session.is_deciding)
        self.assertEqual(self.client.callers, [ADA])


class LineTests(EntranceTestCase):
    """When the next line is the answer to a prompt."""

    def test_two_lines(self) -> None:
        """The name and the password are; nothing is while the login is decided, nor afterwards."""
        self.login_session.ask()
        self.assertTrue(self.login_session.is_asking)
        self.login_session.take(b"ada")
        self.assertTrue(self.login_session.is_asking)
        self.login_session.take(b"right")
        self.assertFalse(self.login_session.is_asking, "it is being decided")
        self.login_session.take(b"ada")
        self.listener_auth.decision.callback(ADA)
        self.login_session.take(b"ada")

        self.assertFalse(self.login_session.is_asking)
        self.assertEqual((len(self.listener_auth.tried), self.client.said), (1, [USER_PROMPT, PASSWORD_PROMPT]))

    def test_every_other_end(self) -> None:
        """Whatever else a login ends in, nothing that follows is looked at, wherever it was tried."""
        ends: tuple[Callable[[LoginSession], object], ...] = (
            lambda _: self.listener_auth.decision.errback(LoginRefused()),
            lambda _: self.listener_auth.decision.errback(Fault("0123")),
            lambda _: self.listener_auth.decision.errback(RuntimeError("x")),
            lambda _: self.listener_auth.decision.errback(CancelledError()),
            lambda login_session: login_session.leave(Offence.NOAUTH),
            LoginSession.give_up,
        )
        for login in (Login.REQUIRED, Login.OPTIONAL):
            for end in ends:
                self.enter(login)
                self.hold_dialogue()
                end(self.login_session)
                self.assertFalse(self.login_session.is_asking or self.login_session.is_deciding)
                self.assertEqual(self.client.callers, [])
                # Whoever goes without having been told anything has been sent away otherwise.
                self.login_session.leave(Offence.NOAUTH)
                self.assertEqual(self.listener_auth.settled, int(login is Login.REQUIRED))

    def test_decided_too_late(self) -> None:
        """What is decided of a login that was given up has no effect, even if it was decided at that very moment."""
        for decided in (ADA, LoginRefused(), RuntimeError("x")):
            self.enter(Login.REQUIRED)
            self.listener_auth.decision = Deferred(partial(_fire, result=decided))
            self.hold_dialogue()
            self.login_session.leave(Offence.NOAUTH)

            self.assertEqual((self.client.callers, self.client.farewells, self.client.failures), ([], [], []))
            self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, [Offence.AUTHFAIL]))
            self.assertFalse(self.login_session.is_asking or self.login_session.is_deciding)

    def test_what_no_login_may_end_in(self) -> None:
        """A mistake of ours is the connection's end, and no offence."""
        for error in (RuntimeError("x"), CancelledError()):
            self.enter(Login.REQUIRED)
            self.hold_dialogue()
            self.listener_auth.decision.errback(error)
            self.login_session.leave(Offence.NOAUTH)
            self.assertEqual([each.value for each in self.client.failures], [error])
            self.assertEqual((self.listener_auth.settled, self.listener_auth.offences), (1, []))

    def test_nobody_is_let_in_by_halves(self) -> None:
        """If something goes wrong when a client is let in, it is not in."""
        self.client.let_in = Mock(side_effect=RuntimeError("x"))  # type: ignore[method-assign]
        self.listener_auth.decision.callback(ADA)
        self.hold_dialogue()

        self.assertFalse(self.login_session.is_asking or self.login_session.is_deciding)
        self.assertEqual([type(each.value) for each in self.client.failures], [RuntimeError])


def _fire(decision: Deferred[Caller], result: Caller | Exception) -> None:
    if isinstance(result, Exception):
        decision.errback(result)
    else:
        decision.callback(result)


class CodeTests(EntranceTestCase):
    """Who has a second factor."""

    def setUp(self) -> None:
        super().setUp()
        self.required = CodeRequired(Proof(name="ada", method="password"))
        self.hold_dialogue()
        self.listener_auth.decision.errback(self.required)
        self.listener_auth.decision = Deferred()

    def test_a_code_is_asked_for(self) -> None:
        """After the password; a line that was sent ahead is taken, and nothing is decided or charged before."""
        self.assertEqual([USER_PROMPT, PASSWORD_PROMPT, b"Code?\n", b""], self.client.said)
        self.assertTrue(self.login_session.is_asking)
        self.assertEqual(([], []), (self.client.callers, self.listener_auth.offences))

    def test_right(self) -> None:
        """The code goes with what was proved, and lets in."""
        self.login_session.take(b"123456\r")
        code = self.listener_auth.tried[-1]
        self.assertEqual(OneTimeCode(proof=self.required.proof, code="123456", source="192.0.2.1"), code)
        self.listener_auth.decision.callback(ADA)

        self.assertEqual(([ADA], 1, []), (self.client.callers, self.listener_auth.settled, self.listener_auth.left))

    def test_wrong(self) -> None:
        """A failed login like any other."""
        self.login_session.take(b"\xff")
        self.listener_auth.decision.errback(LoginRefused())

        self.assertEqual(([LOGIN_FAILED], []), (self.client.farewells, self.client.callers))
        self.assertEqual(([Offence.AUTHFAIL], []), (self.listener_auth.offences, self.listener_auth.left))

    def test_gone(self) -> None:
        """Who goes without a code has failed, once."""
        self.login_session.leave(Offence.NOAUTH)
        self.login_session.leave(Offence.NOAUTH)

        self.assertEqual([Offence.AUTHFAIL], self.listener_auth.offences)
        self.assertEqual([("192.0.2.1", self.required)], self.listener_auth.left)


class DialogueTests(EntranceTestCase):
    @given(st.binary(), st.binary())
    def test_any_bytes(self, name: bytes, password: bytes) -> None:
        """Invariant: any two lines are tried, the password to the letter; never an exception."""
        self.enter(Login.REQUIRED)
        self.login_session.take(name)
        self.assertEqual(self.listener_auth.tried, [])
        self.login_session.take(password)

        (tried,) = self.listener_auth.tried
        self.assertEqual(tried.password, password.removesuffix(b"\r"))
