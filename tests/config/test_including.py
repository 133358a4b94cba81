"""The files that a configuration includes: which, in which order, and which not."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.config import including
from cmdserver.config.including import Included, Remark, include
from tests.files.doubles import STRANGER, RootTestCase


class IncludeTests(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.main = self.put("main.toml")

    def put(self, *names: str) -> Path:
        """Make files; return the last."""
        for name in names:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"# {name}", "utf-8")
        return path

    def include(self, *patterns: str, most_bytes: int = 1 << 20) -> Included:
        """Read what patterns stand for."""
        return include(self.main, patterns, most_bytes)

    def names(self, *patterns: str) -> list[str]:
        """Name what patterns stand for, without mistakes and warnings."""
        included = self.include(*patterns)
        self.assertEqual(([], []), (included.mistakes, included.warnings))
        for each in included.files:
            self.assertEqual(each.text, f"# {Path(each.name).relative_to(self.folder)}")
        return [str(Path(each.name).relative_to(self.folder)) for each in included.files]

    def test_order(self) -> None:
        """Patterns in theirs, and names in that of their letters, not as the directory happens to have them."""
        self.put("conf.d/b.toml", "conf.d/10.toml", "conf.d/9.toml", "conf.d/B.toml", "a.toml", "conf.d/x.txt")

        self.assertEqual(
            ["conf.d/10.toml", "conf.d/9.toml", "conf.d/B.toml", "conf.d/b.toml", "a.toml"],
            self.names("conf.d/*.toml", "a.toml"),
        )
        self.assertEqual(["a.toml", "conf.d/9.toml"], self.names("a.toml", "conf.d/?.toml", "a.toml")[:2])

    def test_each_once(self) -> None:
        """However many patterns mean it; and the main file is no answer to its own."""
        self.put("a.toml", "b.toml")

        self.assertEqual(["a.toml", "b.toml"], self.names("*.toml", "a.toml", "[ab].toml", "./b.toml"))

    def test_hidden_files(self) -> None:
        """What editors and packages leave there is meant by nobody, unless the pattern says so."""
        self.put("conf.d/.a.toml", "conf.d/b.toml", "conf.d/b.toml~", "conf.d/b.toml.dpkg-old")
        (self.folder / "conf.d" / ".#b.toml").symlink_to("nobody@host.1")

        self.assertEqual(["conf.d/b.toml"], self.names("conf.d/*.toml"))
        self.assertEqual(["conf.d/.a.toml"], self.names("conf.d/.a*.toml"))

    def test_absolute_paths(self) -> None:
        """They are paths as others are."""
        self.put("conf.d/a.toml")

        self.assertEqual(["conf.d/a.toml"], self.names(f"{self.folder}/conf.d/*.toml"))

    def test_nothing(self) -> None:
        """A pattern without files is a warning, whether its directory is there or not; a missing file is a mistake."""
        included = self.include("conf.d/*.toml", "*.tml", "b.toml")

        self.assertEqual([Remark("conf.d/*.toml matches no file"), Remark("*.tml matches no file")], included.warnings)
        self.assertEqual([Remark(f"{self.folder}/b.toml: No such file or directory")], included.mistakes)

    def test_wildcards_in_directories(self) -> None:
        """They are refused: what they mean may be a whole disk."""
        self.put("conf.d/a.toml")
        for pattern in ("*/a.toml", "**/a.toml", "conf.?/a.toml", "[c]onf.d/*.toml"):
            included = self.include(pattern)
            self.assertEqual([], included.files)
            self.assertEqual([Remark(f"{pattern}: only the last part of a path may have wildcards")], included.mistakes)

    def test_what_is_no_file(self) -> None:
        """A directory, a pipe and a path with NUL are mistakes, and keep nobody waiting."""
        (self.folder / "d.toml").mkdir()
        os.mkfifo(self.folder / "p.toml")

        self.assertEqual(
            [
                Remark(f"{self.folder}/d.toml: Is a directory"),
                Remark(f"{self.folder}/p.toml: is no regular file"),
                Remark("has a NUL character in it"),
                Remark(f"main.toml/*.toml: {self.folder}/main.toml: Not a directory"),
            ],
            self.include("d.toml", "p.toml", "a\0b", "main.toml/*.toml").mistakes,
        )

    def test_not_utf8(self) -> None:
        """It is said in its file, at its line."""
        self.put("a.toml").write_bytes(b"a = 1\n# \xe9")
        (mistake,) = self.include("a.toml").mistakes

        self.assertEqual((f"{self.folder}/a.toml", 2), (mistake.file, mistake.line))
        self.assertTrue(mistake.text.startswith("not UTF-8: column 3"), mistake.text)

    def test_bounds(self) -> None:
        """Files, their bytes together, and names in a directory are bounded."""
        self.put("a1.toml", "a2.toml", "a3.toml")
        room = len("# a1.toml") * 2
        included = self.include("a*.toml", most_bytes=room)
        self.assertEqual(2, len(included.files))
        self.assertEqual([Remark(f"{self.folder}/a3.toml: is larger than 0 bytes")], included.mistakes)
        with patch.object(including, "MOST_FILES", 2):
            self.assertEqual(["a1.toml", "a2.toml"], self.names("a[12].toml"))
            self.assertEqual([Remark("a*.toml: more than 2 files are included")], self.include("a*.toml").mistakes)
        with patch.object(including, "_MOST_NAMES", 3):
            (mistake,) = self.include("a*.toml").mistakes
            self.assertIn("has more than 3 files in it", mistake.text)

    def test_names_that_make_lines(self) -> None:
        """A file's name can forge no line of a list of mistakes."""
        self.put("a\nb.toml")

        self.assertEqual([f"{self.folder}/a\\nb.toml"], [each.name for each in self.include("a*.toml").files])


class OthersFilesTests(RootTestCase):
    """What others may write decides nothing that root does."""

    def test_refused(self) -> None:
        """A file of somebody's, one that others may write to, one in a directory of theirs, a link in such a one."""
        self.file("main.toml")
        self.file("good.toml")
        self.file("theirs.toml", STRANGER)
        self.file("open.toml", mode=0o666)
        self.directory("open", mode=0o777)
        self.file("open/x.toml")
        self.directory("theirs", STRANGER)
        self.link("theirs/x.toml", self.folder / "good.toml", STRANGER)

        for pattern, said in {
            "theirs.*": "belongs to somebody else",
            "open.toml": "may be written by others",
            "open/*.toml": "may be written by others",
            "theirs/*": "belongs to somebody else",
        }.items():
            included = include(self.folder / "main.toml", [pattern], 1 << 20)
            self.assertEqual([], included.files, pattern)
            (mistake,) = included.mistakes
            self.assertIn(said, mistake.text)
        self.assertEqual(1, len(include(self.folder / "main.toml", ["good.toml"], 1 << 20).files))
