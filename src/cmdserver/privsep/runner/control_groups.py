"""A control group (cgroups(7), version 2) for each run, where we have been given a part of the hierarchy.

No process can leave it without the permission that its runner has, and the kernel ends all that is in it at once
(``cgroup.kill``), however fast it forks. No controllers are enabled: nothing is limited or counted.

What is ours is a directory ``cmdserver-FAMILY`` in the group that we were started in, if that is delegated (systemd's
``Delegate=yes`` tags it so), or is the root of all that we see: nobody else manages it then. It is locked by the
runner, and so by the standby, which shares the descriptor: what nobody has locked is left over from a runner that was
killed together with its standby.

Rules: nothing is made, killed or removed outside of that directory and of others of that name that are ours and that
nobody has locked. Where anything is not as expected there are no control groups.
"""

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_NAME = re.compile(r"cmdserver-[0-9a-f]{6}")
_FAMILIES = 1 << 24
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: What says that somebody has been given a group: systemd sets them; the first only root may read.
_DELEGATED = ("trusted.delegate", "user.delegate")

#: For processes of a runner that nobody has ended to be dead, at our start.
_LEFTOVER_SECONDS = 0.5
_GLANCE_SECONDS = 0.005


class ControlGroup:
    """The group of one run, in the directory of its family.

    Raises:
        OSError: It cannot be made.
    """

    __slots__ = ("_entrance", "_family", "_name")

    def __init__(self, family: int, name: str) -> None:
        self._family = family
        self._name = name
        os.mkdir(name, 0o755, dir_fd=family)
        try:
            # Opened by us: who is somebody else by the time of writing is let in all the same.
            self._entrance = os.open(f"{name}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=family)
        except OSError:
            self.remove()
            raise

    def enter(self) -> None:
        """Move ourselves into it, and so all descendants to come."""
        os.write(self._entrance, b"0")

    def close_entrance(self) -> None:
        """Close the file through which processes enter."""
        os.close(self._entrance)

    def kill(self) -> None:
        """Kill all processes in it; they are dead a moment later."""
        with contextlib.suppress(OSError):  # somebody has removed it, who had to end them first
            _write(f"{self._name}/cgroup.kill", b"1", self._family)

    def remove(self) -> bool:
        """Remove it; False if somebody is still in it."""
        return _remove(self._family, self._name)


class ControlGroups:
    """The control groups of one runner and of those who take its place; their directory is locked."""

    def __init__(self, directory: int, parent: int, name: str) -> None:
        self._directory = directory
        self._parent = parent
        self._name = name
        self._last = 0

    @classmethod
    def below(cls, place: str | None, family: int) -> Self | None:
        """Make a directory for our groups; None if there is no place for it.

        To be called while we have all privileges that we were started with: the root of a hierarchy is nobody's to
        write to, without them. For the same reason the directory, empty, may be left there at our end; the next runner
        removes it.

        ``place`` is as `own_place` says; the family, modulo 2^24, tells ours from other runners' on this host.
        """
        if place is None:
            return None
        name = f"cmdserver-{family % _FAMILIES:06x}"
        try:
            parent = os.open(place, _DIRECTORY)
        except OSError:
            return None
        try:
            _end_leftovers(parent)
            os.mkdir(name, 0o755, dir_fd=parent)
            directory = os.open(name, _DIRECTORY, dir_fd=parent)
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(parent)
            return None
        return cls(directory, parent, name)

    def make(self) -> ControlGroup | None:
        """Make a group for a run; None if the kernel, or whoever rules here by now, lets us make no more."""
        self._last += 1
        try:
            # Our process's number: a successor counts from where we were when it was forked.
            return ControlGroup(self._directory, f"run-{os.getpid()}-{self._last}")
        except OSError:
            return None

    def if_usable(self) -> Self | None:
        """Try it, with a child of ours: there are more reasons against it than can be looked up; None if it fails."""
        if self._can_be_entered():
            return self
        self.end()
        return None

    def _can_be_entered(self) -> bool:
        group = self.make()
        if group is None or not os.access("cgroup.kill", os.W_OK, dir_fd=self._directory):  # before Linux 5.14
            return False
        pid = os.fork()
        if not pid:
            try:
                group.enter()
            except OSError:
                os._exit(1)
            os._exit(0)
        group.close_entrance()
        _, status = os.waitpid(pid, 0)
        return status == 0 and group.remove()

    def holds(self, pid: int) -> bool:
        """Whether a process is in one of the groups."""
        try:
            return f"/{self._name}/run-".encode() in Path(f"/proc/{pid}/cgroup").read_bytes()
        except OSError:
            return False

    def end(self, *, with_directory: bool = True) -> bool:
        """Kill all that are in any of them, and remove them; False if somebody is still in one.

        With ``with_directory`` the directory of them all goes too, and there are to be no others.
        """
        with contextlib.suppress(OSError):
            _write("cgroup.kill", b"1", self._directory)
        return _remove_all(self._directory) and (not with_directory or _remove(self._parent, self._name))


def find_place() -> str | None:
    """See `own_place`."""
    try:
        mounts, membership = (Path("/proc/self", name).read_text("utf-8") for name in ("mountinfo", "cgroup"))
    except (OSError, UnicodeDecodeError):  # a kernel without control groups
        return None
    return own_place(mounts, membership)


def own_place(mounts: str, membership: str) -> str | None:
    """Say where our control group is, as a directory; None if it is not ours to divide.

    The texts are those of /proc/self/mountinfo and /proc/self/cgroup.
    """
    path = next((line[3:] for line in membership.splitlines() if line.startswith("0::/")), None)
    if path is None:
        return None
    for root, point in _hierarchies(mounts):
        below = root.rstrip("/")
        if path != root and not path.startswith(f"{below}/"):
            continue
        rest = path.removeprefix(below).strip("/")
        directory = f"{point}/{rest}" if rest else point
        if _is_where_we_are(directory) and (not rest or _is_delegated(directory)):
            return directory
    return None


def _hierarchies(mounts: str) -> Iterator[tuple[str, str]]:
    """Find where version 2 is mounted: which part of it, and where."""
    for line in mounts.splitlines():
        own, _, others = line.partition(" - ")
        fields = own.split(" ")
        if others.startswith("cgroup2 ") and len(fields) > 4:  # noqa: PLR2004 - proc_pid_mountinfo(5)
            yield _unescape(fields[3]), _unescape(fields[4])


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _is_where_we_are(directory: str) -> bool:
    try:
        return str(os.getpid()) in Path(directory, "cgroup.procs").read_text("ascii").split()
    except OSError:
        return False


def _is_delegated(directory: str) -> bool:
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(directory, name) == b"1":
                return True
    return False


def _end_leftovers(parent: int) -> None:
    """End what a runner has left that was killed together with its standby, and remove its groups."""
    for name in os.listdir(parent):
        if _NAME.fullmatch(name):
            with contextlib.suppress(OSError):
                _end_leftover(parent, name)


def _end_leftover(parent: int, name: str) -> None:
    directory = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        if os.fstat(directory).st_uid != os.geteuid():
            return
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write("cgroup.kill", b"1", directory)
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        while not (_remove_all(directory) and _remove(parent, name)) and time.monotonic() < deadline:
            time.sleep(_GLANCE_SECONDS)
    finally:
        os.close(directory)


def _remove_all(directory: int) -> bool:
    removed = [_remove(directory, name) for name in os.listdir(directory) if name.startswith("run-")]
    return all(removed)


def _remove(directory: int, name: str) -> bool:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        # Somebody is in it; or it is gone, or was made read-only: there is nothing more that we could do.
        return error.errno != errno.EBUSY
    return True


def _write(name: str, content: bytes, directory: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
