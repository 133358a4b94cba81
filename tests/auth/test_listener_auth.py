"""Tests of authentication at one listener: the anonymous, certificates, and those who have not logged in yet."""

from typing import Any
from unittest.mock import Mock

from msgspec.structs import fields

from cmdserver.auth.callers import from_elsewhere
from cmdserver.auth.credentials import Certificate, RequestSignature
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import (
    AuditError,
    Busy,
    Code,
    Fault,
    LoginRefused,
    LoginRequired,
    Throttled,
)
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.limits.source_penalties import Offence
from tests.auth.doubles import IdentityTestCase, password


class SignaturesOnlyTests(IdentityTestCase):
    """A listener at which nothing but a signature logs in, and which many share."""

    def setUp(self) -> None:
        super().setUp()
        self.protocol = ListenerAuth("fleet", Login.REQUIRED, self.authenticator, takes_signatures_only=True)

    def test_other_credentials(self) -> None:
        """They are not even looked at; elsewhere they would be right."""
        self.failureResultOf(self.protocol.log_in("fleet", password("ada", b"right")), LoginRefused)
        elsewhere = ListenerAuth("web", Login.REQUIRED, self.authenticator)
        self.assertIsInstance(self.successResultOf(elsewhere.log_in("fleet", password("ada", b"right"))), Caller)

    def test_a_signature_is_looked_at(self) -> None:
        """By whoever checks them."""
        shown = RequestSignature(source="fleet", request=None, trouble="wrong signature")
        self.failureResultOf(self.protocol.log_in("fleet", shown))
        self.assertEqual(len(self.written), 1)
        self.flushLoggedErrors()

    def test_nothing_is_held_against_anybody(self) -> None:
        """Connections are counted nowhere, and a charge comes to nothing."""
        for _ in range(10):
            pending = self.protocol.arrive("fleet")
            self.assertFalse(pending.is_counted)
            pending.charge(Offence.AUTHFAIL)

        self.protocol = ListenerAuth("web", Login.REQUIRED, self.authenticator)
        self.protocol.arrive("fleet")


class UnauthenticatedTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.protocol = ListenerAuth("line", Login.REQUIRED, self.authenticator)

    def test_unauthenticated_connections_are_bounded(self) -> None:
        """Who has not logged in is counted, until they have or are gone."""
        pending = self.protocol.arrive("192.0.2.1")
        self.protocol.arrive("192.0.2.2")
        self.assertRaises(Busy, self.protocol.arrive, "192.0.2.3")
        pending.settle()

        self.protocol.arrive("192.0.2.3")

    def test_offences_add_up(self) -> None:
        """A source that wastes our time is kept away from every login, for a while."""
        pending = self.protocol.arrive("192.0.2.1")
        for _ in range(4):
            pending.charge(Offence.AUTHFAIL)

        self.assertRaises(Throttled, self.protocol.arrive, "192.0.2.1")
        self.assertIsInstance(self.log_in(password("ada", b"right")), Throttled)
        self.assertEqual([outcome for _, _, outcome, _ in self.written], [Code.THROTTLED])
        self.protocol.arrive("192.0.2.2")
        self.clock.advance(3600)
        self.assertIsInstance(self.log_in(password("ada", b"right")), Caller)

    def test_who_is_connected_to_a_proxy(self) -> None:
        """Is charged, and counted nowhere."""
        for _ in range(10):
            pending = self.protocol.pending("192.0.2.1")
            self.assertFalse(pending.is_counted)
        for _ in range(4):
            pending.charge(Offence.AUTHFAIL)

        self.assertRaises(Throttled, self.protocol.arrive, "192.0.2.1")
        self.assertRaises(Throttled, self.authenticator.login_limit.require_patience, "192.0.2.1")
        ListenerAuth("line", Login.NEVER).pending("192.0.2.1").charge(Offence.AUTHFAIL)

    def test_listeners_without_a_login(self) -> None:
        """Nothing is counted where nobody is asked; and nobody can be."""
        protocol = ListenerAuth("line", Login.NEVER)
        for _ in range(10):
            protocol.arrive("192.0.2.1").fail(Offence.AUTHFAIL)
        self.assertRaises(ValueError, protocol.log_in, "192.0.2.1", password("ada", b"right"))


class ListenerAuthTests(IdentityTestCase):
    def test_the_anonymous(self) -> None:
        """They are where nobody has to log in, and nowhere else."""
        for login in (Login.NEVER, Login.OPTIONAL):
            caller = ListenerAuth("line", login, self.authenticator, "tcp:2022").anonymous("192.0.2.1")
            self.assertEqual(
                caller, Caller(name=None, protocol="line", source="192.0.2.1", method="none", listener="tcp:2022")
            )
        self.assertRaises(
            LoginRequired, ListenerAuth("line", Login.REQUIRED, self.authenticator).anonymous, "192.0.2.1"
        )

    def test_strangers(self) -> None:
        """Whoever has not been let in can be written down, and counts as the anonymous from there do."""
        stranger = ListenerAuth("line", Login.REQUIRED, self.authenticator).stranger("192.0.2.1")
        anonymous = ListenerAuth("line", Login.NEVER).anonymous("192.0.2.1")

        self.assertNotIsInstance(stranger, Caller)
        for name in ("name", "protocol", "source", "method", "key"):
            self.assertEqual(getattr(stranger, name), getattr(anonymous, name), name)

    def test_listeners_are_known(self) -> None:
        """A caller says which listener it came through."""
        protocol = ListenerAuth("line", Login.REQUIRED, self.authenticator, "tcp:2023")
        caller = self.successResultOf(protocol.log_in("192.0.2.1", password("ada", b"right")))

        self.assertEqual((caller.listener, caller.tls), ("tcp:2023", False))

    def test_tls_is_known(self) -> None:
        """Callers and strangers say whether they came over TLS, whatever they have proved."""
        protocol = ListenerAuth("line", Login.OPTIONAL, self.authenticator, "tcp:2023", tls=True)
        caller = self.successResultOf(protocol.log_in("192.0.2.1", password("ada", b"right")))

        found = (caller.tls, protocol.anonymous("192.0.2.1").tls, protocol.stranger("192.0.2.1").tls)
        self.assertEqual(found, (True, True, True))

    def test_again_is_the_same(self) -> None:
        """Who is recognised is who they were in everything, whatever is ever added, but for where they call from."""
        values: dict[str, Any] = {
            "name": "ada",
            "protocol": "web",
            "source": "192.0.2.1",
            "method": "token",
            "commands": frozenset({"df"}),
            "forced_words": ("df",),
            "permits_pty": False,
            "listener": "tcp:2080",
            "is_person": False,
            "tls": True,
            "has_second_factor": True,
        }
        self.assertEqual(values.keys(), {each.name for each in fields(Caller)}, "say here what is new")
        before = Caller(**values)
        for each in fields(Caller):
            self.assertNotEqual(getattr(before, each.name), each.default, "a default would not show")

        after = from_elsewhere(before, "192.0.2.9")

        self.assertEqual(after, Caller(**values | {"source": "192.0.2.9"}))
        self.assertIs(from_elsewhere(before, "192.0.2.1"), before)

    def test_certificates(self) -> None:
        """Who has shown one is logged in by it; who has not, or is not asked, is not."""
        ada = Certificate(names=("ada",), fingerprint="SHA256:00", source="192.0.2.1")
        protocol = ListenerAuth("line", Login.OPTIONAL, self.authenticator)
        trying = protocol.log_in_by_certificate("192.0.2.1", lambda: ada)
        assert trying is not None
        self.assertEqual(self.successResultOf(trying).name, "ada")
        self.assertIsNone(protocol.log_in_by_certificate("192.0.2.1", lambda: None))
        self.assertIsNone(ListenerAuth("line", Login.NEVER).log_in_by_certificate("192.0.2.1", lambda: ada))

    def test_certificates_that_cannot_be_read(self) -> None:
        """Whatever is raised over one is a login that failed, written down and logged, and told as a fault."""
        for login in (Login.OPTIONAL, Login.REQUIRED):
            trying = ListenerAuth("line", login, self.authenticator).log_in_by_certificate(
                "192.0.2.1", Mock(side_effect=LookupError)
            )
            assert trying is not None
            self.failureResultOf(trying, Fault)
        self.assertEqual(
            [(each[0], each[1], each[2]) for each in self.written], [(None, "certificate", Code.FAULT)] * 2
        )
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 2)

    def test_certificates_that_can_neither_be_read_nor_written_down(self) -> None:
        """Not even then is anybody let in."""
        for trouble in (AuditError("full"), ValueError("x")):
            self.ledger.append = Mock(side_effect=trouble)  # type: ignore[method-assign]
            trying = ListenerAuth("line", Login.REQUIRED, self.authenticator).log_in_by_certificate(
                "192.0.2.1", Mock(side_effect=LookupError)
            )
            assert trying is not None
            self.failureResultOf(trying, Fault)
        self.flushLoggedErrors()
