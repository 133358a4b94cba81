"""Tests of what root opens: nothing that anybody else could have put there."""

import errno
import os
import socket
from pathlib import Path

from cmdserver.files import safe_path
from cmdserver.files.safe_path import UnsafePath, open_safely, read_file, safe_place
from tests.contracts import open_descriptors
from tests.files.doubles import STRANGER, RootTestCase


class WayTests(RootTestCase):
    """The directories and links on the way."""

    def setUp(self) -> None:
        super().setUp()
        self.directory("a/b")
        self.path = self.file("a/b/file")
        self.before = open_descriptors()

    def read(self, path: Path | str) -> bytes:
        """Read a file, and leave nothing open, whatever happens."""
        try:
            return read_file(Path(path))
        finally:
            self.assertEqual(open_descriptors(), self.before)

    def unsafe(self, path: Path | str) -> str:
        """Say why a path is not taken."""
        return self.refusal(lambda: self.read(path), UnsafePath)

    def test_directories_of_roots(self) -> None:
        """What lies in them is read, by an absolute path or by one from here."""
        self.assertEqual(self.read(self.path), b"secret\n")
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder / "a")
        for path in ("b/file", "./b//file", "../a/b/file", "b/../b/file"):
            self.assertEqual(self.read(path), b"secret\n", path)

    def test_a_directory_of_somebody_elses(self) -> None:
        """It is named, wherever on the way it is."""
        for directory in (self.folder / "a", self.folder / "a/b"):
            os.chown(directory, STRANGER, 0)
            said = self.unsafe(self.path)
            self.assertIn(f"{self.path}: the directory {directory} belongs to somebody else (uid {STRANGER})", said)
            os.chown(directory, 0, 0)

    def test_a_directory_that_others_may_write(self) -> None:
        """By its mode for all, or for a group that is not root's; root's own group is root."""
        directory = self.folder / "a"
        for mode, group, is_refused in (
            (0o757, 0, True),
            (0o777, 0, True),
            (0o775, STRANGER, True),
            (0o775, 0, False),
            (0o755, STRANGER, False),
        ):
            os.chown(directory, 0, group)
            directory.chmod(mode)
            if is_refused:
                self.assertIn(f"the directory {directory} may be written by others", self.unsafe(self.path))
            else:
                self.assertEqual(self.read(self.path), b"secret\n")

    def test_a_shared_directory(self) -> None:
        """In one like /tmp only what is root's is taken: files, directories and links."""
        shared = self.directory("shared", mode=0o1777)
        self.directory("shared/mine")
        self.file("shared/mine/file")
        self.file("shared/own")
        self.file("shared/theirs", STRANGER, 0o644)
        self.directory("shared/their", STRANGER)
        self.file("shared/their/file")
        self.link("shared/my-link", self.path)
        self.link("shared/their-link", self.path, STRANGER)

        for name in ("mine/file", "own", "my-link"):
            self.assertEqual(self.read(shared / name), b"secret\n")
        for name in ("theirs", "their/file", "their-link"):
            self.assertIn(f"belongs to somebody else (uid {STRANGER})", self.unsafe(shared / name))

    def test_links_of_roots_are_followed(self) -> None:
        """Relative and absolute ones, to files and to directories, one after another."""
        self.link("a/absolute", self.path)
        self.link("a/relative", "b/../b/./file")
        self.link("a/directory", "b")
        self.link("a/chain", "directory/../absolute")

        for name in ("absolute", "relative", "directory/file", "chain"):
            self.assertEqual(self.read(self.folder / "a" / name), b"secret\n", name)

    def test_links_that_others_could_have_made(self) -> None:
        """A link in a directory of somebody else's may lead to a secret of root's, and is not followed."""
        self.directory("theirs", STRANGER)
        self.link("theirs/link", self.path, STRANGER)
        self.link("to-theirs", self.folder / "theirs" / "link")

        for path in (self.folder / "theirs/link", self.folder / "to-theirs"):
            self.assertIn(f"the directory {self.folder}/theirs belongs to somebody else", self.unsafe(path))

    def test_links_without_an_end(self) -> None:
        """They are no way to anything."""
        self.link("one", "two")
        self.link("two", "one")

        error = self.assertRaises(OSError, self.read, self.folder / "one")
        self.assertEqual(error.errno, errno.ELOOP)

    def test_what_is_not_there(self) -> None:
        """A file, or a directory above it, or what a link names: the whole path is told."""
        self.link("dangling", "a/nothing")
        for path in (self.folder / "no", self.folder / "no/file", self.folder / "dangling", self.path / "below"):
            error = self.assertRaises(OSError, self.read, path)
            self.assertIn(error.errno, {errno.ENOENT, errno.ENOTDIR})
            self.assertEqual(error.filename, str(path))

    def test_a_swap_behind_our_back(self) -> None:
        """What has become a link since it was looked at is not followed, be it the file or a directory."""
        link = self.link("a/link", self.path)
        directory = self.link("a/directory", "b")
        self.patch(safe_path._Way, "_is_link", lambda *_: False)

        for path in (link, directory / "file"):
            error = self.assertRaises(OSError, self.read, path)
            self.assertIn(error.errno, {errno.ELOOP, errno.ENOTDIR})

    def test_a_place_for_what_is_to_be_made(self) -> None:
        """It need not be there; the directory must."""
        with safe_place(self.folder / "a/new") as place:
            self.assertEqual((place.name, place.is_shared), ("new", False))
            self.assertEqual(os.fstat(place.directory).st_ino, (self.folder / "a").stat().st_ino)
        with safe_place(Path("/tmp/new")) as place:
            self.assertTrue(place.is_shared)
        self.assertEqual(open_descriptors(), self.before)
        for path in ("/", "/tmp/.."):
            self.assertRaises(IsADirectoryError, self.read, path)


class KindTests(RootTestCase):
    """What is at the end of the way."""

    def test_what_is_no_file(self) -> None:
        """A pipe keeps nobody waiting, a device does not go on for ever, a directory is called by its name."""
        os.mkfifo(self.folder / "pipe")
        self.directory("directory")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.folder / "socket"))
        before = open_descriptors()

        for uid in (0, STRANGER):
            self.patch(os, "geteuid", lambda uid=uid: uid)
            for path, why in (
                (self.folder / "pipe", "no regular file"),
                (Path("/dev/zero"), "no regular file"),
                (self.folder / "directory", "Is a directory"),
                (self.folder / "socket", "No such device or address"),
            ):
                self.assertIn(why, self.refusal(lambda path=path: read_file(path)))  # type: ignore[misc]
        self.assertEqual(open_descriptors(), before)

    def test_what_is_too_long(self) -> None:
        """As many bytes as are allowed are read, and not one more, also where a file says that it is empty."""
        path = self.file("long", text="x" * 100)
        sparse = self.folder / "sparse"
        sparse.touch()
        os.truncate(sparse, 1 << 40)

        self.assertEqual(len(read_file(path, 100)), 100)
        for each, most in ((path, 99), (sparse, 1000), (Path("/proc/self/status"), 10)):
            error = self.assertRaises(OSError, read_file, each, most)
            self.assertIn(f"is larger than {most} bytes", str(error))

    def test_who_decides_what_root_does(self) -> None:
        """A file that decides must be root's to write; what is only handed on may be anybody's."""
        path = self.file("theirs", STRANGER, 0o600)
        self.assertEqual(read_file(path), b"secret\n")
        self.assertIn(f"uid {STRANGER}", self.refusal(lambda: read_file(path, decides=True), UnsafePath))
        for mode, group, is_refused in (
            (0o646, 0, True),
            (0o664, STRANGER, True),
            (0o664, 0, False),
            (0o644, 7, False),
        ):
            os.chown(path, 0, group)
            path.chmod(mode)
            if is_refused:
                self.assertIn("written by others", self.refusal(lambda: read_file(path, decides=True), UnsafePath))
            else:
                self.assertEqual(read_file(path, decides=True), b"secret\n")

    def test_who_is_not_root(self) -> None:
        """For them a path is a path, wherever it leads."""
        self.directory("theirs", STRANGER, 0o777)
        self.link("theirs/link", self.file("file", STRANGER, 0o666), STRANGER)
        self.patch(os, "geteuid", lambda: STRANGER)

        self.assertEqual(read_file(self.folder / "theirs/link", decides=True), b"secret\n")

    def test_devices_where_they_are_asked_for(self) -> None:
        """A device or a pipe of root's; nobody else's, and no directory."""
        flags = os.O_WRONLY | os.O_APPEND
        os.close(open_safely(Path("/dev/null"), flags, takes_devices=True))
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        os.close(open_safely(pipe, flags, takes_devices=True))
        self.refusal(lambda: open_safely(pipe, flags))
        os.chown(pipe, STRANGER, STRANGER)
        self.assertIn("no regular file", self.refusal(lambda: open_safely(pipe, flags, takes_devices=True)))
