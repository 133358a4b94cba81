"""A code counts once."""

import hashlib
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.second_factors.spent_codes import NAME, SpentCodes
from cmdserver.core.errors import Unavailable
from tests.auth.doubles import SECRET

SPENT_BEFORE = b'{"steps":{"%s":3}}' % hashlib.sha256(SECRET.encode()).hexdigest().encode()
DIGEST, OTHER = bytes(32), bytes(range(32))
ANN, BEN = SECRET, SECRET[::-1]


class SpentCodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name)
        self.spent = SpentCodes(self.directory)

    def test_steps(self) -> None:
        """Each counts once, none before it does any more, and others are others."""
        tried = [self.spent.spend_step(ANN, step) for step in (5, 5, 4, 6, 6)]
        self.assertEqual([True, False, False, True, False], tried)
        self.assertTrue(self.spent.spend_step(BEN, 5))

    def test_recovery(self) -> None:
        """Each counts once."""
        tried = [self.spent.spend_recovery(digest) for digest in (DIGEST, DIGEST, OTHER)]
        self.assertEqual([True, False, True], tried)
        self.assertEqual(0, self.spent.recovery_left(frozenset({DIGEST, OTHER})))

    def test_a_restart(self) -> None:
        """The next daemon knows, and the file is for its owner alone."""
        self.spent.spend_step(ANN, 5)
        self.spent.spend_recovery(DIGEST)
        again = SpentCodes(self.directory)

        self.assertFalse(again.spend_step(ANN, 5))
        self.assertFalse(again.spend_recovery(DIGEST))
        self.assertEqual(0o600, (self.directory / NAME).stat().st_mode & 0o777)

    def test_a_file_that_is_set_back(self) -> None:
        """What this daemon has seen used stays used, whatever becomes of the file."""
        self.spent.spend_step(ANN, 5)
        for content in (None, b"{}", SPENT_BEFORE):
            (self.directory / NAME).unlink(missing_ok=True)
            if content is not None:
                (self.directory / NAME).write_bytes(content)
            self.assertFalse(self.spent.spend_step(ANN, 5), content)

    def test_what_cannot_be_known_or_kept(self) -> None:
        """Then no code counts."""
        path = self.directory / NAME
        for content in (b"", b"[]", b'{"steps":{"ann":"x"}}', b"\xff", b'{"more":1}'):
            path.write_bytes(content)
            self.assertRaises(Unavailable, SpentCodes(self.directory).spend_step, ANN, 5)
        path.unlink()
        gone = SpentCodes(self.directory / "gone")
        self.assertRaises(Unavailable, gone.spend_step, ANN, 5)
        self.assertRaises(Unavailable, gone.spend_recovery, DIGEST)
        (self.directory / "gone").mkdir()
        self.assertTrue(gone.spend_step(ANN, 5), "what was not written down was not used")

    def test_who_has_no_line_just_now(self) -> None:
        """What somebody has used stays used, whatever others use meanwhile."""
        self.spent.spend_recovery(DIGEST)
        self.spent.spend_step(BEN, 9)
        self.assertFalse(self.spent.spend_recovery(DIGEST))
        self.assertFalse(SpentCodes(self.directory).spend_recovery(DIGEST))

    def test_a_restart_and_a_file_that_is_gone(self) -> None:
        """What was read once stays known."""
        self.spent.spend_recovery(DIGEST)
        again = SpentCodes(self.directory)
        self.assertFalse(again.spend_recovery(DIGEST))
        (self.directory / NAME).unlink()
        self.assertFalse(again.spend_recovery(DIGEST))

    def test_two_daemons(self) -> None:
        """One looks at what the other has used meanwhile."""
        other = SpentCodes(self.directory)
        self.assertTrue(self.spent.spend_step(ANN, 5))
        self.assertFalse(other.spend_step(ANN, 5))
        self.assertTrue(other.spend_recovery(DIGEST))
        self.assertFalse(self.spent.spend_recovery(DIGEST))
