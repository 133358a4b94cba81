"""Tests of who becomes a Caller, and of what."""

from msgspec.structs import fields
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.auth.callers import Arrival, ICaller, Realm, hooked, scheduled, suppose
from cmdserver.auth.checkers import CertificateChecker
from cmdserver.auth.credentials import Proof
from cmdserver.core.errors import (
    Code,
    LoginRefused,
    RequestError,
)
from cmdserver.core.model import Caller
from tests.auth.doubles import HERE, NO_SECOND_FACTORS


class RealmTests(SynchronousTestCase):
    def test_nobody_is_proved(self) -> None:
        """A proof that names nobody, or is good for no command, makes no Caller: that would be an anonymous one."""
        for proof in (Proof(name="", method="token"), Proof(name="ada", method="publickey", forced_words=())):
            self.assertRaises(UnauthorizedLogin, Realm().requestAvatar, proof, HERE, ICaller)

    def test_nobody_is_proved_to_be_no_person(self) -> None:
        """Whatever lies in the state directory: nobody logs in as schedules or hooks, and has their rights."""
        for name in ("schedule", "hook:deploy", "hook:"):
            for method in ("password", "certificate", "token", "publickey"):
                proof = Proof(name=name, method=method)
                self.assertRaises(UnauthorizedLogin, Realm().requestAvatar, proof, HERE, ICaller)

    def test_all_of_a_proof_counts(self) -> None:
        """What limits a proof limits its caller."""
        proof = Proof(
            name="ada",
            method="token",
            commands=frozenset({"df"}),
            forced_words=("df",),
            permits_pty=False,
            has_second_factor=True,
        )
        _, caller, _ = Realm().requestAvatar(proof, HERE, ICaller)

        for each in fields(Proof):
            self.assertEqual(getattr(caller, each.name), getattr(proof, each.name))
            self.assertNotEqual(getattr(proof, each.name), each.default)

    def test_provides_what_cred_wants(self) -> None:
        """Realm and checkers are what they say they are."""
        verifyObject(IRealm, Realm())
        verifyObject(ICredentialsChecker, CertificateChecker(NO_SECOND_FACTORS))

    def test_nothing_else_is_to_be_had(self) -> None:
        """Whoever asks the realm for anything but a Caller is refused."""
        self.assertRaises(NotImplementedError, Realm().requestAvatar, "x", HERE)

    def test_supposed_callers_are_nobody_here(self) -> None:
        """Who is only supposed to call has no listener and no source, and has shown what could be asked for."""
        self.assertEqual(
            suppose("ada"), Caller(name="ada", protocol="", source="", method="none", has_second_factor=True)
        )
        asked = [suppose(name).has_second_factor for name in (None, "schedule", "hook:x")]
        self.assertEqual([False] * 3, asked, "there is nobody to ask")
        self.assertTrue(suppose(None).is_anonymous)
        self.assertEqual([suppose(name).is_person for name in ("ada", "schedule", "hook:x")], [True, False, False])

    def test_schedules_have_come_from_nowhere(self) -> None:
        """They are the daemon's own."""
        self.assertEqual(
            scheduled(), Caller(name="schedule", protocol="schedule", source="", method="schedule", is_person=False)
        )

    def test_a_hook_has_come_from_somewhere(self) -> None:
        """Through a listener, and is called as itself alone."""
        here = Arrival("web", "192.0.2.1", "tcp:2080")

        self.assertEqual(
            hooked("deploy", here),
            Caller(
                name="hook:deploy",
                protocol="web",
                source="192.0.2.1",
                method="hook",
                listener="tcp:2080",
                is_person=False,
            ),
        )

    def test_errors_are_requests_errors(self) -> None:
        """What a refused login says is in the one vocabulary."""
        self.assertIsInstance(LoginRefused(), RequestError)
        self.assertEqual(LoginRefused().code, Code.DENIED)
