"""Where state is kept, and who may write there."""

import os
import stat
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.app import state_directory
from cmdserver.app.state_directory import choose_directory, prepare_directory, prepare_directory_for
from cmdserver.core.errors import CannotStart
from tests.config.test_daemon_user import FakeNumbers
from tests.contracts import open_descriptors
from tests.files.doubles import DAEMON, STRANGER, RootTestCase

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

    def test_without_a_home(self) -> None:
        """A number that no user has, without HOME, is told which option to give."""
        with patch("os.geteuid", return_value=54321), patch.object(Path, "home", side_effect=RuntimeError):
            with self.assertRaises(CannotStart) as raised:
                choose_directory(None, None, {})
            self.assertIn("--state-dir", str(raised.exception))
            self.assertEqual(Path("/s"), choose_directory("/s", None, {}))

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


class HandingOverTests(RootTestCase):
    """Root makes the directory, or finds it, and it is the daemon's user's then."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "state"
        self.numbers = FakeNumbers({65534: "nobody", 1000: "ann"})

    def prepare(self, *more: str) -> None:
        """Prepare it for the daemon's user."""
        before = open_descriptors()
        try:
            descriptor = prepare_directory_for(self.path, DAEMON, more, self.numbers)
            self.assertTrue(os.path.samestat(os.fstat(descriptor), self.path.stat()))
            os.close(descriptor)
        finally:
            self.assertEqual(open_descriptors(), before)
            self.assertEqual((os.geteuid(), os.getegid()), (0, 0))

    def refused(self) -> str:
        """Say why it is not prepared; the directory is as it was."""
        before = {each: each.lstat().st_uid for each in (self.path, *self.path.rglob("*"))}
        said = self.refusal(self.prepare, CannotStart)
        self.assertEqual({each: each.lstat().st_uid for each in (self.path, *self.path.rglob("*"))}, before)
        return said

    def owner(self, path: Path) -> tuple[int, int]:
        """Say whose something is."""
        status = path.lstat()
        return status.st_uid, status.st_gid

    def test_a_first_start(self) -> None:
        """It is made for the daemon alone, and those above it for everybody to enter, whatever the umask."""
        os.umask(0)
        self.path = self.folder / "above" / "state"
        for _ in range(2):
            self.prepare()
            self.assertEqual(
                (self.owner(self.path), self.path.stat().st_mode & 0o7777), ((DAEMON.uid, DAEMON.gid), 0o700)
            )
        self.assertEqual((self.owner(self.path.parent), self.path.parent.stat().st_mode & 0o7777), ((0, 0), 0o755))

    def test_what_root_has_put_there(self) -> None:
        """Before the first start, with our own commands or others: what has a name of ours becomes the daemon's."""
        self.directory("state", mode=0o700)
        self.directory("state/authorized_keys", mode=0o700)
        ours = [
            "passwd",
            "tokens",
            ".lock",
            "audit.jsonl",
            "audit.jsonl.1",
            "authorized_keys/ann",
            "tls.key",
            "last-used.json",
            "schedules.json",
            ".x.new",
            "log",
        ]
        for name in ours:
            self.file(f"state/{name}")
        self.file("state/notes")
        self.directory("state/lost+found", mode=0o700)
        self.prepare("log")

        for name in (*ours, "authorized_keys", ""):
            self.assertEqual(self.owner(self.path / name), (DAEMON.uid, DAEMON.gid), name)
        for name in ("notes", "lost+found"):
            self.assertEqual(self.owner(self.path / name), (0, 0), name)

    def test_a_group_that_was_chosen(self) -> None:
        """Who collects logs keeps what the administrator has given them."""
        self.directory("state", mode=0o750, group=4)
        path = self.file("state/audit.jsonl", mode=0o640)
        os.chown(path, 0, 4)
        self.prepare()

        self.assertEqual((self.owner(path), path.stat().st_mode & 0o777), ((DAEMON.uid, 4), 0o640))
        self.assertEqual((self.owner(self.path), self.path.stat().st_mode & 0o777), ((DAEMON.uid, 4), 0o750))

    def test_what_is_not_given(self) -> None:
        """Links, second names of files, and what is somebody else's stay whose they are; nobody waits for a pipe."""
        self.directory("state", mode=0o700)
        victim = self.file("victim")
        self.link("state/passwd", victim)
        self.link("state/authorized_keys", self.folder)
        (self.path / "tokens").hardlink_to(victim)
        os.mkfifo(self.path / "tls.key")
        self.file("state/audit.jsonl", STRANGER)
        self.prepare()

        self.assertEqual(self.owner(victim), (0, 0))
        self.assertEqual(self.owner(self.folder), (0, 0))
        for name, owner in (("passwd", 0), ("authorized_keys", 0), ("tls.key", 0), ("audit.jsonl", STRANGER)):
            self.assertEqual(self.owner(self.path / name), (owner, owner), name)

    def test_a_swap_behind_our_back(self) -> None:
        """What has become a link since it was looked at is not given."""
        self.directory("state", mode=0o700)
        victim = self.file("victim")
        self.link("state/passwd", victim)
        self.patch(state_directory, "_is_plain", lambda *_: True)

        self.refused()
        self.assertEqual(self.owner(victim), (0, 0))

    def test_the_daemons_own(self) -> None:
        """Nothing in it is handed over again."""
        self.directory("state", DAEMON.uid, 0o700)
        self.file("state/passwd")
        self.prepare()
        self.assertEqual(self.owner(self.path / "passwd"), (0, 0))

    def test_what_is_no_state_directory(self) -> None:
        """Such as /etc and /etc/ssh, in which there are names of ours."""
        for index, names in enumerate((("passwd", "hosts"), ("ssh_host_rsa_key", "sshd_config"), ("notes",))):
            self.path = self.directory(f"etc{index}", mode=0o755)
            for name in names:
                self.file(f"etc{index}/{name}")
            self.assertIn("no state directory", self.refused())

    def test_nothing_but_names_of_ours(self) -> None:
        """Who has put users there before the first start has made a state directory."""
        self.directory("state", mode=0o700)
        self.file("state/passwd")
        self.prepare()
        self.assertEqual(self.owner(self.path / "passwd"), (DAEMON.uid, DAEMON.gid))

    def test_somebody_elses(self) -> None:
        """It says whose it is, and what to do; nobody's could hold anything."""
        for owner, who in ((65534, "nobody"), (1000, "ann"), (4711, "4711")):
            self.path = self.directory(f"state{owner}", owner, 0o700)
            said = self.refused()
            self.assertIn(f"{who}", said)
            self.assertIn(f"chown -Rh root: '{self.path}'", said)
            self.assertIn(f'daemon_user = "{who}"', said)

    def test_one_of_a_number_that_nobody_has(self) -> None:
        """A daemon that was given a user of its own since takes over what the old one had; not what another has."""
        self.directory("state", 61400, 0o700)
        self.file("state/passwd", 61400)
        self.file("state/tokens", STRANGER)
        self.numbers = FakeNumbers(processes={61400: 7})
        self.assertIn("61400", self.refused())
        self.numbers = FakeNumbers()
        self.prepare()

        self.assertEqual(self.owner(self.path), (DAEMON.uid, DAEMON.gid))
        self.assertEqual(self.owner(self.path / "passwd"), (DAEMON.uid, DAEMON.gid))
        self.assertEqual(self.owner(self.path / "tokens"), (STRANGER, STRANGER))

    def test_others_may_write(self) -> None:
        """It is refused, whoever it belongs to."""
        for index, (owner, mode) in enumerate(((0, 0o770), (DAEMON.uid, 0o702), (DAEMON.uid, 0o1777))):
            self.path = self.directory(f"state{index}", owner, mode)
            self.assertIn("others may write to the state directory", self.refused())

    def test_below_a_directory_of_the_daemons(self) -> None:
        """There it is made as the daemon's user, and what is root's is not touched, wherever a link leads."""
        self.directory("theirs", DAEMON.uid)
        self.path = self.folder / "theirs" / "state"
        self.prepare()
        self.assertEqual(self.owner(self.path), (DAEMON.uid, DAEMON.gid))
        self.path = self.link("theirs/link", self.directory("roots"), DAEMON.uid)
        self.assertIn("belongs to somebody else", self.refused())

    def test_below_a_directory_of_somebody_elses(self) -> None:
        """It is not made, and not taken."""
        strangers = self.directory("strangers", STRANGER)
        self.path = strangers / "state"
        self.assertIn(f"{strangers} belongs to somebody else", self.refusal(self.prepare, CannotStart))
        self.assertEqual(list(strangers.iterdir()), [])
        everybodys = self.directory("everybodys", mode=0o757)
        self.path = self.directory("everybodys/state")
        self.assertIn(f"{everybodys} may be written by others", self.refused())

    def test_links(self) -> None:
        """The administrator may keep it elsewhere; a link to nothing is a mistake."""
        real = self.directory("real")
        self.path = self.link("link", real)
        self.prepare()
        self.assertEqual(self.owner(real), (DAEMON.uid, DAEMON.gid))
        self.path = self.link("dangling", "nowhere")
        self.assertIn("File exists", self.refusal(self.prepare, CannotStart))

    def test_who_stays_root(self) -> None:
        """Root makes nothing where others could put something else in its place."""
        strangers = self.directory("strangers", STRANGER)
        self.refusal(lambda: prepare_directory(strangers / "state"), CannotStart)
        self.assertEqual(list(strangers.iterdir()), [])
