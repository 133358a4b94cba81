"""Where state is kept, and who may write there."""

import os
import stat
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.errors import CannotStart
from cmdserver.state import choose_directory, prepare_directory

_SYSTEMD = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/xdg", "HOME": "/home/ann"}


class ChooseTests(unittest.TestCase):
    def test_order(self) -> None:
        """The option comes before the file, that before systemd."""
        self.assertEqual(Path("/o"), choose_directory("/o", "/c", _SYSTEMD))
        self.assertEqual(Path("/c"), choose_directory(None, "/c", _SYSTEMD))
        self.assertEqual(Path("/var/lib/a"), choose_directory(None, None, _SYSTEMD))

    def test_root(self) -> None:
        """Root has its place in /var/lib, whatever its home is."""
        with patch("os.geteuid", return_value=0):
            for environment in ({"HOME": "/root", "XDG_STATE_HOME": "/xdg"}, {"STATE_DIRECTORY": ""}):
                self.assertEqual(Path("/var/lib/cmdserver"), choose_directory(None, None, environment))

    def test_others(self) -> None:
        """Others have it where the XDG says."""
        with patch("os.geteuid", return_value=1000), patch.object(Path, "home", return_value=Path("/passwd/home")):
            for environment, path in (
                ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/ann"}, "/xdg/cmdserver"),
                ({"HOME": "/home/ann"}, "/home/ann/.local/state/cmdserver"),
                ({"XDG_STATE_HOME": "", "HOME": "/home/ann"}, "/home/ann/.local/state/cmdserver"),
                ({}, "/passwd/home/.local/state/cmdserver"),
                ({"HOME": ""}, "/passwd/home/.local/state/cmdserver"),
            ):
                with self.subTest(environment):
                    self.assertEqual(Path(path), choose_directory(None, None, environment))

    def test_relative(self) -> None:
        """A relative option is meant from here, and stays so when the daemon changes its directory."""
        self.assertEqual(Path.cwd() / "state", choose_directory("state", None, {}))

    def test_a_relative_xdg_directory(self) -> None:
        """A relative XDG_STATE_HOME is ignored, as the XDG base directory specification wants."""
        with patch("os.geteuid", return_value=1000):
            environment = {"XDG_STATE_HOME": "state", "HOME": "/home/ann"}
            self.assertEqual(Path("/home/ann/.local/state/cmdserver"), choose_directory(None, None, environment))


class PrepareTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.folder / "a" / "cmdserver"

    def refusal(self, path: Path) -> str:
        """Return why the daemon does not start with this directory."""
        with self.assertRaises(CannotStart) as raised:
            prepare_directory(path)
        return str(raised.exception)

    def test_made_for_us_alone(self) -> None:
        """What is missing is made, for nobody else to look into, whatever the umask."""
        for umask in (0o022, 0o000, 0o077):
            with self.subTest(oct(umask)):
                path = self.folder / oct(umask) / "cmdserver"
                before = os.umask(umask)
                self.addCleanup(os.umask, before)
                prepare_directory(path)
                os.umask(before)
                self.assertEqual(0o700, stat.S_IMODE(path.stat().st_mode))

    def test_what_is_there_is_left_alone(self) -> None:
        """A directory that is there is taken as it is, also if others may read it, and twice."""
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        (self.path / "passwd").write_text("x")
        for _ in range(2):
            prepare_directory(self.path)
        self.assertEqual(0o755, stat.S_IMODE(self.path.stat().st_mode))
        self.assertEqual("x", (self.path / "passwd").read_text())

    def test_others_may_write(self) -> None:
        """A directory that others may write to is refused, sticky or not."""
        self.path.mkdir(parents=True)
        for mode in (0o770, 0o702, 0o777, 0o1777, 0o720):
            with self.subTest(oct(mode)):
                self.path.chmod(mode)
                self.assertEqual(
                    f"cmdserver: others may write to the state directory {self.path}; chmod 700 it",
                    self.refusal(self.path),
                )

    def test_somebody_elses(self) -> None:
        """A directory of somebody else's is refused."""
        self.path.mkdir(parents=True)
        own = self.path.stat()
        fields = list(own)
        fields[stat.ST_UID] = own.st_uid + 4242
        with patch.object(Path, "stat", return_value=os.stat_result(fields)):
            self.assertEqual(
                f"cmdserver: state directory {self.path} belongs to somebody else (uid {own.st_uid + 4242})",
                self.refusal(self.path),
            )

    def test_roots(self) -> None:
        """A directory of root's will do for others, too."""
        self.path.mkdir(parents=True)
        fields = list(self.path.stat())
        fields[stat.ST_UID] = 0
        with patch.object(Path, "stat", return_value=os.stat_result(fields)), patch("os.geteuid", return_value=4242):
            prepare_directory(self.path)

    def test_no_directory(self) -> None:
        """What is no directory, or cannot be one, is refused."""
        file, dangling = self.folder / "file", self.folder / "dangling"
        file.write_text("")
        dangling.symlink_to("nowhere")
        for path, why in {
            file: "File exists",
            file / "x": "Not a directory",
            dangling: "File exists",
            self.folder / ("x" * 300): "File name too long",
        }.items():
            with self.subTest(path):
                self.assertEqual(f"cmdserver: state directory {path}: {why}", self.refusal(path))

    def test_not_writable(self) -> None:
        """A directory that cannot be written is refused before anything depends on it."""
        self.path.mkdir(parents=True)
        with patch("os.access", return_value=False):
            self.assertEqual(f"cmdserver: state directory {self.path} cannot be written", self.refusal(self.path))
