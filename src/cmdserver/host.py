"""What the configuration must know of this host: executables, directories, users.

A class, so that the configuration can be read for another host in tests. Every question that cannot be answered as the
administrator hopes raises a ValueError that says why.
"""

import grp
import os
import pwd
import stat
from pathlib import Path

#: The only search path there is: for resolving ``run`` at start-up, and in a child's environment.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Host:
    """The host as it is."""

    def is_root(self) -> bool:
        """Whether we may run commands as other users."""
        return os.geteuid() == 0

    def user(self) -> str:
        """As whom commands run that say nothing else."""
        return _user_name(os.geteuid())

    def group(self) -> str:
        """The same for the group."""
        return _group_name(os.getegid())

    def executable(self, name: str) -> str:
        """Find what a command's first word means.

        Args:
            name: An absolute path, or a name to be looked for along `SEARCH_PATH`.
        """
        if not name or "\0" in name:
            text = "is no name of a program"
            raise ValueError(text)
        if name.startswith("/"):
            trouble = _trouble_with_executable(name)
            if trouble:
                raise ValueError(f"{name} {trouble}")
            return name
        if "/" in name:
            raise ValueError(f"{name} is a relative path; write an absolute one, or a name on {SEARCH_PATH}")
        for directory in SEARCH_PATH.split(":"):
            path = f"{directory}/{name}"
            if not _trouble_with_executable(path):
                return path
        raise ValueError(f"no executable {name} on {SEARCH_PATH}")

    def require_directory(self, path: str) -> None:
        """Make sure that a command can run in ``path``."""
        if not path.startswith("/"):
            raise ValueError(f"{path} is not an absolute path")
        if not Path(path).is_dir():
            raise ValueError(f"{path} is not a directory")

    def group_of(self, user: str) -> str:
        """Name a user's own group; a user there is not is a ValueError."""
        try:
            return _group_name(pwd.getpwnam(user).pw_gid)
        except KeyError:
            raise ValueError(f"there is no user {user}") from None

    def user_id(self, user: str) -> int | None:
        """Number a user; None if there is none of that name."""
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            return None

    def group_id(self, group: str) -> int | None:
        """Number a group; None if there is none of that name."""
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            return None

    def require_group(self, group: str) -> None:
        """Make sure that there is such a group."""
        try:
            grp.getgrnam(group)
        except KeyError:
            raise ValueError(f"there is no group {group}") from None


class TrustedHost(Host):
    """The host as the runner process has found it, where the daemon has given up what it takes to look again.

    Args:
        started_as: User and group that the daemon was started as, by their numbers.
    """

    def __init__(self, started_as: tuple[int, int]) -> None:
        self._user, self._group = started_as

    def is_root(self) -> bool:
        """Whether the runner may run commands as other users."""
        return self._user == 0

    def user(self) -> str:
        """As whom commands run that say nothing else."""
        return _user_name(self._user)

    def group(self) -> str:
        """The same for the group."""
        return _group_name(self._group)

    def executable(self, name: str) -> str:
        """Find what a command's first word means, or believe that it means something."""
        try:
            return super().executable(name)
        except ValueError:
            return name

    def require_directory(self, path: str) -> None:
        """Believe that it is one."""


def _trouble_with_executable(path: str) -> str | None:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "is not a file"
    return None if os.access(path, os.X_OK) else "is not executable"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
