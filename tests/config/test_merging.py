"""Several files as one, and where each thing stands."""

import tomllib
import unittest

from cmdserver.config.merging import Conflict, Merged, SourceFile


def _merged(*texts: str) -> Merged:
    files = [SourceFile(name=f"{'abc'[index]}.toml", text=text) for index, text in enumerate(texts)]
    return Merged(files, [tomllib.loads(text) for text in texts])


class MergedTests(unittest.TestCase):
    def test_side_by_side(self) -> None:
        """Tables by name have those of all files, arrays are one behind the other, all else is where it is."""
        merged = _merged(
            'state_dir = "/x"\n[[listen]]\na = 1\n[commands.df]\nb = 1\n',
            "[[listen]]\na = 2\n[[listen]]\na = 3\n[commands.up]\nb = 2\n[limits]\nc = 1\n",
            "[[listen]]\na = 4\n[hooks.x]\nd = 1\n",
        )

        self.assertEqual(
            {
                "state_dir": "/x",
                "listen": [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}],
                "commands": {"df": {"b": 1}, "up": {"b": 2}},
                "limits": {"c": 1},
                "hooks": {"x": {"d": 1}},
            },
            merged.values,
        )
        self.assertEqual([], merged.conflicts)

    def test_places(self) -> None:
        """Each thing is in its file, an array is counted within it, and what is nowhere is in the main one."""
        merged = _merged(
            "[[listen]]\na = 1\n[commands.df]\nb = 1\n",
            "\n[[listen]]\na = 2\n[[listen]]\na = 3\n[commands.up]\nb = 2\n",
            "[hooks.x]\nd = 1\n[[listen]]\na = 4\n[limits]\nc = 1\n",
        )

        for path, place, within in (
            (("listen", 0, "a"), "a.toml:2", ("listen", 0, "a")),
            (("listen", 1), "b.toml:2", ("listen", 0)),
            (("listen", 2, "a"), "b.toml:5", ("listen", 1, "a")),
            (("listen", 3, "zz"), "c.toml:3", ("listen", 0, "zz")),
            (("commands", "df", "b"), "a.toml:4", ("commands", "df", "b")),
            (("commands", "up", "b"), "b.toml:7", ("commands", "up", "b")),
            (("commands",), "a.toml:3", ("commands",)),
            (("hooks", "x", "zz"), "c.toml:1", ("hooks", "x", "zz")),
            (("hooks",), "c.toml:1", ("hooks",)),
            (("limits", "c"), "c.toml:6", ("limits", "c")),
            (("web",), "a.toml", ("web",)),
            ((), "a.toml", ()),
        ):
            with self.subTest(path):
                found = merged.place(path)
                self.assertEqual((place, within), (str(found), found.path))

    def test_a_file_without_a_name(self) -> None:
        """Its lines are called so."""
        merged = Merged([SourceFile(name="", text="a = 1")], [{"a": 1}])

        self.assertEqual("line 1", str(merged.place(("a",))))

    def test_what_two_files_have(self) -> None:
        """It is named, with both; the first one's is what is looked at further."""
        merged = _merged(
            "x = 1\n[limits]\na = 1\n[commands.df]\nb = 1\n",
            "[limits]\nc = 1\n[commands.up]\nb = 2\n",
            "x = 1\n[commands.df]\nb = 3\n[commands.up]\nb = 4\n",
        )

        self.assertEqual(
            [
                Conflict(("limits",), 0, 1),
                Conflict(("x",), 0, 2),
                Conflict(("commands", "df"), 0, 2),
                Conflict(("commands", "up"), 1, 2),
            ],
            merged.conflicts,
        )
        self.assertEqual("c.toml:2", str(merged.place_in(2, ("commands", "df"))))
        self.assertEqual({"df": {"b": 1}, "up": {"b": 2}}, merged.values["commands"])

    def test_what_is_no_table(self) -> None:
        """What one file takes for a table and another does not is in both."""
        for first, second, path in (
            ("commands = 3", "[commands.x]\na = 1", ("commands",)),
            ("[commands.x]\na = 1", "commands = 3", ("commands",)),
            ("[[listen]]\na = 1", "[listen]\na = 1", ("listen",)),
        ):
            self.assertEqual([Conflict(path, 0, 1)], _merged(first, second).conflicts)
