"""A code counts once."""

import hashlib
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.second_factors.enrolments import Enrolment, Enrolments
from cmdserver.auth.second_factors.spent_codes import NAME, SpentCodes
from cmdserver.core.errors import Unavailable
from tests.auth.doubles import SECRET

SPENT_BEFORE = b'{"steps":{"%s":3}}' % hashlib.sha256(SECRET.encode()).hexdigest().encode()
DIGEST, OTHER = bytes(32), bytes(range(32))
ANN, BEN = SECRET, SECRET[::-1]
ENROLLED: Enrolments = {
    secret: Enrolment(name=secret, secret=secret, recovery=frozenset({DIGEST, OTHER})) for secret in (ANN, BEN)
}


class SpentCodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name)
        self.spent = SpentCodes(self.directory)

    def test_steps(self) -> None:
        """Each counts once, none before it does any more, and others are others."""
        tried = [self.spent.spend_step(ANN, step, ENROLLED) for step in (5, 5, 4, 6, 6)]
        self.assertEqual([True, False, False, True, False], tried)
        self.assertTrue(self.spent.spend_step(BEN, 5, ENROLLED))

    def test_recovery(self) -> None:
        """Each counts once."""
        tried = [self.spent.spend_recovery(digest, ENROLLED) for digest in (DIGEST, DIGEST, OTHER)]
        self.assertEqual([True, False, True], tried)
        self.assertEqual(0, self.spent.recovery_left(frozenset({DIGEST, OTHER})))

    def test_a_restart(self) -> None:
        """The next daemon knows, and the file is for its owner alone."""
        self.spent.spend_step(ANN, 5, ENROLLED)
        self.spent.spend_recovery(DIGEST, ENROLLED)
        again = SpentCodes(self.directory)

        self.assertFalse(again.spend_step(ANN, 5, ENROLLED))
        self.assertFalse(again.spend_recovery(DIGEST, ENROLLED))
        self.assertEqual(0o600, (self.directory / NAME).stat().st_mode & 0o777)

    def test_a_file_that_is_set_back(self) -> None:
        """What this daemon has seen used stays used, whatever becomes of the file."""
        self.spent.spend_step(ANN, 5, ENROLLED)
        for content in (None, b"{}", SPENT_BEFORE):
            (self.directory / NAME).unlink(missing_ok=True)
            if content is not None:
                (self.directory / NAME).write_bytes(content)
            self.assertFalse(self.spent.spend_step(ANN, 5, ENROLLED), content)

    def test_what_cannot_be_known_or_kept(self) -> None:
        """Then no code counts."""
        path = self.directory / NAME
        for content in (b"", b"[]", b'{"steps":{"ann":"x"}}', b"\xff", b'{"more":1}'):
            path.write_bytes(content)
            self.assertRaises(Unavailable, SpentCodes(self.directory).spend_step, ANN, 5, ENROLLED)
        path.unlink()
        gone = SpentCodes(self.directory / "gone")
        self.assertRaises(Unavailable, gone.spend_step, ANN, 5, ENROLLED)
        self.assertRaises(Unavailable, gone.spend_recovery, DIGEST, ENROLLED)
        (self.directory / "gone").mkdir()
        self.assertTrue(gone.spend_step(ANN, 5, ENROLLED), "what was not written down was not used")

    def test_who_is_gone(self) -> None:
        """What nobody has any more is not kept."""
        self.spent.spend_step(ANN, 5, ENROLLED)
        self.spent.spend_recovery(DIGEST, ENROLLED)
        only_ben = {"ben": Enrolment(name="ben", secret=BEN)}
        self.spent.spend_step(BEN, 9, only_ben)

        key = hashlib.sha256(BEN.encode()).hexdigest()
        content = (self.directory / NAME).read_text()
        self.assertEqual(f'{{"recovery":[],"steps":{{"{key}":9}}}}\n', content)
