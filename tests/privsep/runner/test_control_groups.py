"""Tests of control groups: where ours are, by what the kernel says; and what they do, where this host has them."""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.privsep.runner import control_groups
from cmdserver.privsep.runner.control_groups import ControlGroup, ControlGroups, find_place, own_place
from tests.contracts import open_descriptors
from tests.waiting import wait_until


class PlaceTests(SynchronousTestCase):
    """Where we are, and whether that is ours to divide; directories stand in for control groups."""

    def setUp(self) -> None:
        self.mount = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.mount)
        self.attributes: dict[tuple[str, str], bytes] = {}
        self.patch(os, "getxattr", self._getxattr)

    def _getxattr(self, path: str, name: str) -> bytes:
        try:
            return self.attributes[str(path), name]
        except KeyError:
            raise OSError(errno.ENODATA, "No data available") from None

    def be_in(self, directory: Path) -> Path:
        """Be a member of a group."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text(f"1\n{os.getpid()}\n", "ascii")
        return directory

    def mounts(self, root: str = "/", point: Path | None = None) -> str:
        """Write a mountinfo as a host with both versions has it."""
        return (
            "22 1 0:20 / /proc rw,relatime - proc proc rw\n"
            "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:3 - tmpfs tmpfs rw,mode=755\n"
            "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
            f"41 31 0:38 {root} {point or self.mount} rw,relatime shared:7 master:2 - cgroup2 cgroup2 rw\n"
        )

    def test_the_root_of_what_we_see_is_ours(self) -> None:
        """In a container with a name space of its own, or on a host that nobody manages; both versions may be there."""
        self.be_in(self.mount)

        self.assertEqual(own_place(self.mounts(), "4:memory:/other\n1:cpu:/\n0::/\n"), str(self.mount))

    def test_what_is_delegated_is_ours(self) -> None:
        """By either of the attributes that systemd sets; and no other value of them."""
        own = self.be_in(self.mount / "system.slice" / "cmdserver.app.service")
        membership = "0::/system.slice/cmdserver.app.service\n"

        for name, value, is_ours in (
            ("user.delegate", b"1", True),
            ("trusted.delegate", b"1", True),
            ("user.delegate", b"0", False),
            ("user.other", b"1", False),
        ):
            self.attributes = {(str(own), name): value}
            self.assertEqual(own_place(self.mounts(), membership), str(own) if is_ours else None)

    def test_what_is_above_or_below_us_is_not(self) -> None:
        """Who manages the host has delegated something else."""
        own = self.be_in(self.mount / "system.slice" / "cmdserver.app.service")
        self.attributes = {
            (str(self.mount / "system.slice"), "user.delegate"): b"1",
            (str(own / "below"), "user.delegate"): b"1",
            (str(self.mount), "user.delegate"): b"1",
        }

        self.assertIsNone(own_place(self.mounts(), "0::/system.slice/cmdserver.app.service\n"))

    def test_a_part_of_the_hierarchy_may_be_mounted(self) -> None:
        """A container sees its own group under the path that it has outside, and that is the root of what it sees."""
        self.be_in(self.mount)

        self.assertEqual(own_place(self.mounts("/docker/4711"), "0::/docker/4711\n"), str(self.mount))
        self.assertIsNone(own_place(self.mounts("/docker/47"), "0::/docker/4711\n"))
        self.assertIsNone(own_place(self.mounts("/docker/4711"), "0::/\n"))

    def test_where_we_are_not_is_not_ours(self) -> None:
        """The path may be another's, in another name space."""
        (self.mount / "cgroup.procs").write_text("1\n", "ascii")

        self.assertIsNone(own_place(self.mounts(), "0::/\n"))
        self.assertIsNone(own_place(self.mounts(point=Path("/nonexistent")), "0::/\n"))

    def test_a_path_may_have_blanks(self) -> None:
        """The kernel writes them as octal numbers."""
        own = self.be_in(self.mount / "a b")

        self.assertEqual(own_place(self.mounts(point=Path(f"{self.mount}/a\\040b")), "0::/\n"), str(own))

    def test_without_version_2_there_is_none(self) -> None:
        """No membership, no mount, or nonsense."""
        self.be_in(self.mount)

        self.assertIsNone(own_place(self.mounts(), "4:memory:/\n"))
        self.assertIsNone(own_place(self.mounts().replace("cgroup2", "cgroup"), "0::/\n"))
        self.assertIsNone(own_place("", ""))
        self.assertIsNone(own_place("x - cgroup2 y z\n", "0::/\n"))

    def test_without_a_place_there_are_no_groups(self) -> None:
        """Nor where the place is gone, or nothing may be made in it."""
        before = open_descriptors()
        (self.mount / "file").touch()

        for place in (None, "/nonexistent", str(self.mount / "file"), "/proc/self"):
            self.assertIsNone(ControlGroups.below(place, 1))

        self.assertEqual(open_descriptors(), before)

    def test_without_the_kernels_files_a_directory_is_no_group(self) -> None:
        """What looks like our place and is something else is left as it was."""
        groups = ControlGroups.below(str(self.mount), 1)
        assert groups is not None
        self.addCleanup(os.close, groups._directory)
        self.addCleanup(os.close, groups._parent)

        self.assertIsNone(groups.if_usable())
        self.assertEqual(list(self.mount.iterdir()), [])


class GroupTests(SynchronousTestCase):
    """The kernel's own; where we may not make any, nothing is tested."""

    def setUp(self) -> None:
        place = find_place()
        if place is None or os.geteuid() != 0:
            raise SkipTest("no control group is ours to divide")
        self.place = Path(place)
        self.family = int.from_bytes(os.urandom(3), "big")
        self.path = self.place / f"cmdserver-{self.family:06x}"
        self.groups = self.make()

    def make(self) -> ControlGroups:
        """Be a runner."""
        groups = ControlGroups.below(str(self.place), self.family)
        if groups is None:
            raise SkipTest("no control group can be made")
        self.addCleanup(self.tidy_up, groups)
        return groups

    def tidy_up(self, groups: ControlGroups) -> None:
        """Leave nothing on the host."""
        with contextlib.suppress(AssertionError):
            wait_until(groups.end, "nobody is left")
        for descriptor in (groups._directory, groups._parent):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def group(self) -> ControlGroup:
        """Make the group of a run."""
        group = self.groups.make()
        assert group is not None
        return group

    @contextmanager
    def member(self, group: ControlGroup) -> Iterator[int]:
        """Have a process in a group that does nothing."""
        pid = os.fork()
        if not pid:
            group.enter()
            os.close(self.groups._directory)  # as exec does
            signal.pause()
            os._exit(0)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def members(self, group: ControlGroup) -> int:
        """Count who is in a group."""
        return len((self.path / group._name / "cgroup.procs").read_text("ascii").split())

    def test_they_can_be_used_here(self) -> None:
        """A trial leaves nothing."""
        self.assertIs(self.groups.if_usable(), self.groups)
        self.assertEqual([each for each in self.path.iterdir() if each.is_dir()], [])

    def test_what_cannot_be_entered_is_of_no_use(self) -> None:
        """The kernel has more reasons against it than can be looked up; what was made for the trial is removed."""

        def refused(_: ControlGroup) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        self.patch(ControlGroup, "enter", refused)

        self.assertIsNone(self.groups.if_usable())
        self.assertFalse(self.path.exists())

    def test_all_who_are_in_it_are_killed(self) -> None:
        """Whatever they are to us; until then it cannot be removed, and from then on it can, once."""
        group = self.group()
        with self.member(group) as pid:
            wait_until(lambda: self.members(group), "it is in it")
            group.close_entrance()
            self.assertTrue(self.groups.holds(pid))
            self.assertFalse(group.remove())

            group.kill()

            wait_until(group.remove, "it is empty")
        self.assertTrue(group.remove())
        group.kill()

    def test_who_is_not_in_it_is_not(self) -> None:
        """We are not, nor is who is not there."""
        self.assertFalse(self.groups.holds(os.getpid()))
        self.assertFalse(self.groups.holds(1 << 30))

    def test_without_room_there_is_none(self) -> None:
        """The kernel's limit is no reason to die of."""
        (self.path / "cgroup.max.descendants").write_text("0", "ascii")

        self.assertIsNone(self.groups.make())
        self.assertIsNone(self.groups.if_usable())

    def test_the_end_is_everybodys(self) -> None:
        """All groups at once; a runner that takes another's place keeps the directory."""
        first, second = self.group(), self.group()
        with self.member(first), self.member(second):
            for group in (first, second):
                wait_until(lambda group=group: self.members(group), "it is in it")  # type: ignore[misc]
                group.close_entrance()
            self.assertFalse(control_groups._remove_all(self.groups._directory))

            wait_until(lambda: self.groups.end(with_directory=False), "all are empty")
        self.assertTrue(self.path.is_dir())
        self.assertTrue(self.groups.end())
        self.assertFalse(self.path.exists())

    def test_what_is_left_over_is_ended_by_the_next(self) -> None:
        """Of a runner that is gone, and its standby; not of one that is there, nor what has another name."""
        group = self.group()
        other = self.place / "cmdserver-other"
        other.mkdir()
        self.addCleanup(other.rmdir)
        with self.member(group):
            wait_until(lambda: self.members(group), "it is in it")
            group.close_entrance()
            parent = os.open(self.place, os.O_RDONLY)
            self.addCleanup(os.close, parent)

            control_groups._end_leftovers(parent)
            self.assertEqual(self.members(group), 1)

            os.close(self.groups._directory)
            self.groups._directory = os.open(self.path, os.O_RDONLY)

            def is_ended() -> bool:
                # Another runner on this host may hold the lock: it looks for leftovers when it starts.
                control_groups._end_leftovers(parent)
                return not self.path.exists()

            wait_until(is_ended, "nothing is left over")
        self.assertTrue(other.is_dir())

    def test_a_standby_holds_it_too(self) -> None:
        """As long as either of the two is there nothing of theirs is left over."""
        standby = os.dup(self.groups._directory)
        os.close(self.groups._directory)
        self.groups._directory = os.open(self.path, os.O_RDONLY)

        with self.assertRaises(BlockingIOError):
            fcntl.flock(self.groups._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(standby)
        fcntl.flock(self.groups._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_who_is_not_its_owner_leaves_it_alone(self) -> None:
        """A directory of somebody else's is no leftover of ours."""
        os.close(self.groups._directory)
        self.groups._directory = os.open(self.path, os.O_RDONLY)
        os.chown(self.path, 65534, 65534)
        parent = os.open(self.place, os.O_RDONLY)
        self.addCleanup(os.close, parent)

        control_groups._end_leftovers(parent)

        self.assertTrue(self.path.is_dir())
