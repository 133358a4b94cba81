"""Tests of whom the daemon becomes: whoever is named, or a user that it shares with nobody."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config import daemon_user
from cmdserver.config.daemon_user import (
    FIRST_NUMBER,
    LAST_NUMBER,
    Numbers,
    own_number,
    root_warning,
    shared_user_warning,
    target_user_of_root,
)
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.core.model import TargetUser


class FakeNumbers(Numbers):
    """A host on which some numbers are taken."""

    def __init__(
        self,
        users: Mapping[int, str] | None = None,
        processes: Mapping[int, int] | None = None,
        ours: Mapping[int, int] | None = None,
        unmapped: range = range(0),
    ) -> None:
        super().__init__()
        self._users, self._processes, self._ours = users or {}, processes or {}, ours or {}
        self._unmapped = unmapped

    def user_of(self, number: int) -> str | None:
        return self._users.get(number)

    def process_of(self, number: int, *, but_ours: bool) -> int | None:
        return self._processes.get(number) or (None if but_ours else self._ours.get(number))

    def is_mapped(self, number: int) -> bool:
        return number not in self._unmapped


def _passwd(name: str, uid: int, gid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/false"))


class SuccessorTests(SynchronousTestCase):
    """Whom root becomes."""

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 0)
        self.entries = {"nobody": _passwd("nobody", 65534, 65534), "root": _passwd("root", 0, 0)}
        self.patch(pwd, "getpwnam", lambda name: self.entries[name])
        self.patch(pwd, "getpwuid", lambda uid: {each.pw_uid: each for each in self.entries.values()}[uid])
        self.directory = Path("/nowhere/state")

    def become(self, user: str | None, numbers: Numbers | None = None) -> TargetUser | None:
        """Choose for a state directory that is not there."""
        return target_user_of_root(user, self.directory, numbers or FakeNumbers())

    def test_who_is_named(self) -> None:
        """By name or by number, with that user's group."""
        for user in ("nobody", "65534"):
            self.assertEqual(self.become(user), TargetUser("nobody", 65534, 65534))

    def test_a_number_that_has_no_name(self) -> None:
        """It is a user and a group, if it is nobody's."""
        self.assertEqual(self.become("61234"), TargetUser("61234", 61234, 61234))
        error = self.assertRaises(LookupError, self.become, "61234", FakeNumbers({61234: "docker"}))
        self.assertIn("docker", str(error))

    def test_who_is_not_there(self) -> None:
        """A name that nobody has, and what can be nobody's number, is a LookupError, whoever we are."""
        for uid in (0, 1000):
            self.patch(os, "geteuid", lambda uid=uid: uid)
            for user in ("no-such-user", "4294967295", "99999999999999999999"):
                self.assertRaises(LookupError, self.become, user)

    def test_root_may_be_told_to_stay(self) -> None:
        """Who names root wants root."""
        for user in ("root", "0"):
            self.assertIs(self.become(user), None)

    def test_others_stay_who_they_are(self) -> None:
        """Who is not root becomes nobody else, and looks for nobody."""
        self.patch(os, "geteuid", lambda: 1000)
        for user in ("nobody", None):
            self.assertIs(self.become(user), None)

    def test_the_usual_user(self) -> None:
        """The user cmdserver if there is one, whatever its number is."""
        self.entries["cmdserver"] = _passwd("cmdserver", 998, 997)
        self.assertEqual(self.become(None), TargetUser("cmdserver", 998, 997))

    def test_a_number_of_its_own(self) -> None:
        """Else one of those that systemd gives to services, which needs no name."""
        target_user = self.become(None)
        assert target_user is not None
        self.assertTrue(FIRST_NUMBER <= target_user.uid <= LAST_NUMBER)
        self.assertEqual(target_user, TargetUser(str(target_user.uid), target_user.uid, target_user.uid))


class OwnNumberTests(SynchronousTestCase):
    """Which number that is."""

    def setUp(self) -> None:
        self.directory = Path("/nowhere/state")
        self.owner: int | None = None
        self.patch(daemon_user, "_owner_of", lambda _: self.owner)

    def number(self, numbers: Numbers | None = None) -> int:
        """Choose one."""
        return own_number(self.directory, numbers or FakeNumbers())

    def test_it_stays_the_same(self) -> None:
        """For one directory; others have other ones."""
        self.assertEqual(self.number(), self.number())
        others = {own_number(Path(f"/nowhere/{each}"), FakeNumbers()) for each in range(20)}
        self.assertTrue(len(others) > 15)

    def test_a_directory_is_known_by_all_its_names(self) -> None:
        """A link to it is the same directory."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "state").mkdir()
        (folder / "link").symlink_to("state")
        self.assertEqual(*(own_number(folder / name, FakeNumbers()) for name in ("state", "link")))

    def test_taken_ones_are_passed_over(self) -> None:
        """Those of a user or group, of any process, and those that this user namespace has not; round the end."""
        first = self.number()
        following = FIRST_NUMBER + (first - FIRST_NUMBER + 1) % (LAST_NUMBER - FIRST_NUMBER + 1)
        for numbers in (
            FakeNumbers({first: "other"}),
            FakeNumbers(processes={first: 7}),
            FakeNumbers(ours={first: 7}),
            FakeNumbers(unmapped=range(first, first + 1)),
        ):
            self.assertEqual(self.number(numbers), following)
        but_one = {each: "x" for each in range(FIRST_NUMBER, LAST_NUMBER + 1) if each != first - 1}
        self.assertEqual(self.number(FakeNumbers(but_one)), first - 1)

    def test_none_is_free(self) -> None:
        """It says what to do."""
        error = self.assertRaises(LookupError, self.number, FakeNumbers(unmapped=range(1, 70000)))
        self.assertIn("make a user", str(error))

    def test_the_directorys_own(self) -> None:
        """Who has it already keeps it, also while the last daemon is on its way out."""
        for self.owner in (FIRST_NUMBER, LAST_NUMBER, 61300):
            self.assertEqual(self.number(), self.owner)
            self.assertEqual(self.number(FakeNumbers(ours={self.owner: 7})), self.owner)

    def test_the_directorys_own_has_become_anothers(self) -> None:
        """It says whose, and what to do."""
        self.owner = 61300
        for numbers, who in (
            (FakeNumbers({61300: "dynamic"}), "dynamic"),
            (FakeNumbers(processes={61300: 4711}), "4711"),
        ):
            error = self.assertRaises(LookupError, self.number, numbers)
            self.assertIn(who, str(error))
            self.assertIn("chown -Rh", str(error))

    def test_other_owners_do_not_matter(self) -> None:
        """Those outside of the range are somebody."""
        first = self.number()
        for self.owner in (0, 1000, 65534, FIRST_NUMBER - 1, LAST_NUMBER + 1):
            self.assertEqual(self.number(), first)


class NumbersTests(SynchronousTestCase):
    """This host."""

    def test_users_and_groups(self) -> None:
        """Both have numbers."""
        numbers = Numbers()
        self.assertEqual(numbers.user_of(0), "root")
        self.assertIs(numbers.user_of(61999), None)
        self.assertTrue(numbers.is_mapped(os.getuid()))

    def test_processes(self) -> None:
        """Those that run under a number that comes and goes, by user or group; ours are told from others."""
        proc = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, proc)
        for pid, uid, gid, line in (
            (7, 61300, 61300, "other\0"),
            (8, 0, 61301, "x\0"),
            (9, 61302, 1, "twistd\0cmdserver\0"),
        ):
            (proc / str(pid)).mkdir(parents=True)
            (proc / str(pid) / "status").write_text(
                f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\n"
            )
            (proc / str(pid) / "cmdline").write_text(line)
        (proc / "10").mkdir()
        (proc / "self").mkdir()
        self.patch(daemon_user, "Path", lambda path: proc if path == "/proc" else Path(path))
        numbers = Numbers()

        found = {each: numbers.process_of(each, but_ours=True) for each in (61300, 61301, 61302, 0)}
        self.assertEqual(found, {61300: 7, 61301: 8, 61302: None, 0: 8})
        self.assertEqual(numbers.process_of(61302, but_ours=False), 9)


class WarningTests(SynchronousTestCase):
    """What an administrator should know."""

    def test_users_that_others_are_too(self) -> None:
        """By name and by number."""
        for user in ("nobody", "65534", "www-data"):
            self.assertIn("other services", shared_user_warning(user) or "")
        for own in (None, "cmdserver", "61234", "root"):
            self.assertIs(shared_user_warning(own), None)

    def test_commands_of_root(self) -> None:
        """Those that name no user, a few of them by name."""
        named = CommandSettings(run=["x"], user="root")
        silent = CommandSettings(run=["x"])
        self.assertIs(root_warning({"a": named, "b": None}), None)
        self.assertEqual(
            root_warning({"b": silent, "a": silent, "c": named}), "commands that name no user run as root: a, b"
        )
        many = root_warning({f"c{each:02}": silent for each in range(12)}) or ""
        self.assertTrue(many.endswith("c08, c09 and 2 more"), many)
