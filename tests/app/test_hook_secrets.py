"""Tests of how the secrets of hooks are read."""

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.app.hook_secrets import BadSecret, check, load
from cmdserver.files.safe_path import read_file
from cmdserver.triggers.hook import Hook, SignatureRule


def a_hook(name: str, *files: str) -> Hook:
    """Make a hook that has secrets."""
    return Hook(name=name, command="x", secret_files=files, signature=SignatureRule.parse("github"))


class SecretsTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def file(self, name: str, content: bytes, mode: int = 0o600) -> str:
        """Make a file."""
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def test_each_hook_has_its_own(self) -> None:
        """In the order of its files, without the line break at their ends."""
        one, two = self.file("one", b"first\n"), self.file("two", b"second")

        self.assertEqual(
            load([a_hook("a", one), a_hook("b", two, one)], read_file), {"a": (b"first",), "b": (b"second", b"first")}
        )
        self.assertEqual(load([], read_file), {})

    def test_what_is_no_secret_is_refused(self) -> None:
        """Nothing, or what cannot be read; the text names the file."""
        for file in (
            self.file("empty", b""),
            self.file("blank", b"\n"),
            str(self.directory),
            str(self.directory / "x"),
        ):
            with self.assertRaises(BadSecret) as caught:
                load([a_hook("a", self.file("good", b"good"), file)], read_file)
            self.assertIn(file, str(caught.exception))
            self.assertRaises(ValueError, check, file, read_file)

    def test_a_file_that_everybody_may_read_is_said(self) -> None:
        """It is no mistake: there may be nobody else."""
        self.assertIsNone(check(self.file("private", b"x", 0o640), read_file))
        self.assertIn("everybody", check(self.file("open", b"x", 0o604), read_file) or "")

    def test_a_file_that_only_another_may_see_is_looked_at_by_them(self) -> None:
        """Then its mode is not ours to know."""
        self.assertIsNone(check(str(self.directory / "hidden"), lambda _: b"x"))

    def test_no_secret_is_in_what_is_said(self) -> None:
        """The log is not the place for it."""
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)

        self.assertRaises(BadSecret, load, [a_hook("a", str(pipe))], read_file)
