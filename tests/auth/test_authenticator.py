"""Tests of the authenticator: what becomes of a login, and what is audited."""

from unittest.mock import patch

from cmdserver.core.errors import (
    Fault,
)
from tests.auth.doubles import IdentityTestCase, password


class WrittenDownTests(IdentityTestCase):
    def test_nothing_is_checked_that_cannot_be_written(self) -> None:
        """Without an audit file nobody is let in, and no hash is computed."""
        self.ledger.is_full = True

        self.assertIsInstance(self.log_in(password("ada", b"right")), Fault)
        self.assertEqual(self.verifier.asked, [])

    def test_nobody_is_let_in_unwritten(self) -> None:
        """If it can no longer be written when it is decided, it is decided otherwise."""
        self.ledger.is_about_to_be_full = True

        self.assertIsInstance(self.log_in(password("ada", b"right")), Fault)

    def test_whatever_is_raised(self) -> None:
        """A login ends in a Caller, or in what a client may be told; the log has what it was, once."""
        for owner, method in (
            (self.ledger, "require_writable"),
            (self.ledger, "append"),
            (self.login_limit, "require_patience"),
        ):
            for secret in (b"right", b"wrong"):
                with patch.object(owner, method, side_effect=KeyError("x")):
                    self.assertIsInstance(self.log_in(password("ada", secret)), Fault, method)
                self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1, method)

    def test_no_secret_is_written(self) -> None:
        """No password is in any event, right or wrong."""
        self.log_in(password("ada", b"right"))
        self.log_in(password("ada", b"t0p"))

        self.assertNotIn("t0p", repr(self.ledger.events))
        self.assertNotIn("right", repr(self.ledger.events))
