"""When and from where keys and tokens were last used."""

import json
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.files import last_uses
from cmdserver.files.atomic_file import locked
from cmdserver.files.last_uses import (
    BETWEEN_SECONDS,
    MOST_BYTES,
    NAME,
    SOON_SECONDS,
    LastUses,
    key_id,
    read_uses,
    token_id,
)


class LastUsesTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.clock = Clock()
        self.uses = LastUses(self.directory, self.clock, lambda: 1000.0 + self.clock.seconds())

    def written(self) -> list[tuple[str, str, float, str]]:
        """What the file says, in its order."""
        return [(use.user, use.credential, use.time, use.source) for use in read_uses(self.directory).values()]

    def test_a_use_is_written_down_soon(self) -> None:
        """With others that follow at once; the last of one credential counts."""
        self.uses.note("ann", "token:a", "192.0.2.1")
        self.clock.advance(SOON_SECONDS / 2)
        self.uses.note("bob", "key:b", "unix")
        self.uses.note("ann", "token:a", "::1")
        self.assertEqual([], self.written())
        self.clock.advance(SOON_SECONDS / 2)

        expected = [("bob", "key:b", 1000.5, "unix"), ("ann", "token:a", 1000.5, "::1")]
        self.assertEqual(expected, self.written())
        self.assertEqual([], self.clock.getDelayedCalls(), "nobody is kept awake")
        self.assertEqual(0o600, (self.directory / NAME).stat().st_mode & 0o777)

    def test_not_at_each_use(self) -> None:
        """Now and then, whoever comes how often."""
        writes = []
        self.patch(last_uses, "replace", lambda path, content, *, durably: writes.append((path, content, durably)))
        for _ in range(int(3 * BETWEEN_SECONDS)):
            self.uses.note("ann", "token:a", "::1")
            self.clock.advance(1.0)

        self.assertEqual(3, len(writes))
        self.assertFalse(writes[0][2], "the disk is not waited for")
        self.clock.pump([1.0] * int(2 * BETWEEN_SECONDS))
        self.uses.note("ann", "token:a", "::1")
        self.clock.advance(SOON_SECONDS)
        self.assertEqual(5, len(writes), "who comes after that is not kept waiting")

    def test_the_end(self) -> None:
        """What is known is written down, and nothing is where nothing is new."""
        self.uses.close()
        self.assertEqual([], list(self.directory.iterdir()))
        self.uses.note("ann", "token:a", "::1")
        self.uses.close()
        self.assertEqual(1, len(self.written()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_restart(self) -> None:
        """What was written before stays."""
        self.uses.note("ann", "token:a", "::1")
        self.uses.close()
        again = LastUses(self.directory, self.clock, lambda: 2000.0)
        again.note("bob", "token:b", "::1")
        again.close()

        self.assertEqual([("ann", "token:a", 1000.0, "::1"), ("bob", "token:b", 2000.0, "::1")], self.written())

    def test_a_bound(self) -> None:
        """The oldest are forgotten, from a file of too many as well; and the file stays one that is read."""
        self.patch(last_uses, "MOST_USES", 3)
        for number in range(5):
            self.uses.note("ann", f"token:{number}", "::1")
        self.uses.note("ann", "token:3", "::1")
        self.uses.close()
        self.assertEqual(["token:2", "token:4", "token:3"], [each[1] for each in self.written()])

        self.patch(last_uses, "MOST_USES", 2)
        again = LastUses(self.directory, self.clock, lambda: 2000.0)
        again.note("ann", "token:9", "::1")
        again.close()
        self.assertEqual(["token:3", "token:9"], [each[1] for each in self.written()])
        longest = {"user": "a" * 64, "credential": "key:SHA256:" + "a" * 43, "time": 1e9 + 0.123456, "source": "f" * 45}
        self.assertLess(10_000 * len(json.dumps(longest)), MOST_BYTES)

    def test_trouble(self) -> None:
        """It is logged once, raised to nobody, and over when it is over."""
        (self.directory / NAME).mkdir()
        for _ in range(3):
            self.uses.note("ann", "token:a", "::1")
            self.clock.advance(BETWEEN_SECONDS)
        (self.directory / NAME).rmdir()
        self.uses.note("ann", "token:a", "::1")
        self.clock.advance(BETWEEN_SECONDS)

        self.assertEqual(1, len(self.written()))

    def test_somebody_else_changes_something(self) -> None:
        """They are not waited for; another time it works."""
        self.patch(last_uses, "_LOCK_SECONDS", 0.0)
        with locked(self.directory, 0):
            self.uses.note("ann", "token:a", "::1")
            self.uses.close()
            self.assertEqual([], self.written())
        self.uses.note("ann", "token:a", "::1")
        self.uses.close()
        self.assertEqual(1, len(self.written()))

    def test_what_is_there_already(self) -> None:
        """A file that makes no sense is written over at the next use."""
        for content in (b"", b"\xff", b"{}", b'[{"user": 1}]', b"[" * 100_000, b" " * (MOST_BYTES + 1)):
            (self.directory / NAME).write_bytes(content)
            with self.assertRaises(OSError):
                read_uses(self.directory)
            uses = LastUses(self.directory, self.clock, lambda: 1.0)
            uses.note("ann", "token:a", "::1")
            uses.close()
            self.assertEqual([("ann", "token:a", 1.0, "::1")], self.written())

    def test_ids(self) -> None:
        """Of a token half of its digest; of a key what people know it by."""
        self.assertEqual("token:abababababababab", token_id(b"\xab" * 32))
        self.assertEqual("key:SHA256:x", key_id("SHA256:x"))
