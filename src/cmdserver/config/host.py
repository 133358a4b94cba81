"""What the configuration must know of this host: executables, directories, users.

A class, so that the configuration can be read for another host in tests. Every question that cannot be answered as the
administrator hopes raises a ValueError that says why.
"""

import grp
import os
import pwd
import re
import socket
from pathlib import Path

from cmdserver.config.executables import (
    LentRights,
    interpreter_of,
    is_directory,
    obstacle_for,
    rights_lent_by,
    trouble_with,
)

#: The only search path there is: for resolving ``run`` at start-up, and in a child's environment.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


_CAP_NET_BIND_SERVICE = 10


class Host:
    """The host as it is."""

    def name(self) -> str:
        """The host's own name, as hostname(1) says it."""
        return socket.gethostname()

    def started_as(self) -> tuple[int, int]:
        """User and group, by number, that commands run as unless they say otherwise."""
        return os.geteuid(), os.getegid()

    def is_root(self) -> bool:
        """Whether commands may run as other users."""
        return self.started_as()[0] == 0

    def user(self) -> str:
        """As whom commands run that say nothing else."""
        return self.user_name(self.started_as()[0])

    def group(self) -> str:
        """The same for the group."""
        return self.group_name(self.started_as()[1])

    def executable(self, name: str) -> str:
        """Find what a command's first word means.

        Args:
            name: An absolute path, or a name to be looked for along `SEARCH_PATH`.
        """
        if not name or "\0" in name:
            text = "is no name of a program"
            raise ValueError(text)
        if name.startswith("/"):
            return _require_good(name)
        if "/" in name:
            raise ValueError(f"{name} is a relative path; write an absolute one, or a name on {SEARCH_PATH}")
        for directory in SEARCH_PATH.split(":"):
            path = f"{directory}/{name}"
            if _is_executable(path):
                return _require_good(path)
        hint = "; each word of run stands between quotes of its own" if " " in name else ""
        raise ValueError(f"no executable {name} on {SEARCH_PATH}{hint}")

    def missing_program(self, script: str, search_path: str) -> str | None:
        """Name the program that ``#!/usr/bin/env PROGRAM`` of a script will not find; None if there is nothing to miss.

        Args:
            script: An executable file.
            search_path: ``PATH`` as it will be.
        """
        interpreter, program = interpreter_of(script) or ("", "")
        if interpreter != "/usr/bin/env" or not program or program.startswith("-") or set(program) & {"=", "/", " "}:
            return None
        found = any(_is_executable(f"{directory}/{program}") for directory in search_path.split(":"))
        return None if found else program

    def lent_rights(self, path: str) -> LentRights:
        """Say what the file of a program would give to whoever runs it, if it might gain privileges."""
        return rights_lent_by(path)

    def obstacle(self, uid: int | None, gid: int | None, path: str) -> str | None:
        """Name what a command's user may not go through or execute on the way to a path; None if there is nothing.

        Args:
            uid: Of the user; None for whoever we are.
            gid: Of the group.
            path: An executable file or a directory.
        """
        return obstacle_for(os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid, path)

    def is_network_interface(self, name: str) -> bool:
        """Whether there is a network interface of this name."""
        try:
            return name in [each for _, each in socket.if_nameindex()]
        except OSError:
            return False

    def may_bind(self, port: int) -> bool:
        """Whether we may listen on a TCP port, be it free or not."""
        try:
            first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_bytes())
        except (OSError, ValueError):
            first = 1024
        return self.is_root() or port == 0 or port >= first or _has_capability(_CAP_NET_BIND_SERVICE)

    def user_name(self, uid: int) -> str:
        """Name a user; who has no name goes by the number."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def group_name(self, gid: int) -> str:
        """Name a group; one that has no name goes by its number."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def require_directory(self, path: str) -> None:
        """Make sure that a command can run in ``path``."""
        if not path.startswith("/"):
            raise ValueError(f"{path} is not an absolute path")
        if not is_directory(path):
            raise ValueError(f"{path} is not a directory")

    def group_of(self, user: str) -> str:
        """Name a user's own group; a user there is not is a ValueError."""
        try:
            return self.group_name(pwd.getpwnam(user).pw_gid)
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
        self._started_as = started_as

    def started_as(self) -> tuple[int, int]:
        """What the daemon was started as, and not what it has become."""
        return self._started_as

    def executable(self, name: str) -> str:
        """Find what a command's first word means, or believe that it means something."""
        try:
            return super().executable(name)
        except ValueError:
            return name

    def missing_program(self, script: str, search_path: str) -> str | None:  # noqa: ARG002
        """Believe that nothing is missing: we may not see what the runner sees."""
        return None

    def require_directory(self, path: str) -> None:
        """Believe that it is one."""


class AnotherHost(Host):
    """A host that is not this one: whatever a file names is there, so that it can be reviewed elsewhere.

    What is wrong on every host is still a mistake: a relative path, a name that is none.
    """

    def __init__(self) -> None:
        #: Programs, directories, users and groups that a file names and this host lacks.
        self.missing: set[str] = set()

    def name(self) -> str:
        """What no host is called."""
        return "(another host)"

    def started_as(self) -> tuple[int, int]:
        """Root, so that commands may run as anybody."""
        return 0, 0

    def user(self) -> str:
        """Who that is, nobody knows here."""
        return "(whoever starts the daemon)"

    def group(self) -> str:
        """The same for the group."""
        return self.user()

    def executable(self, name: str) -> str:
        """Believe that a program is there."""
        if not name or "\0" in name or ("/" in name and not name.startswith("/")):
            return super().executable(name)
        try:
            return super().executable(name)
        except ValueError:
            self.missing.add(name)
            return name

    def missing_program(self, script: str, search_path: str) -> str | None:  # noqa: ARG002
        """Believe that nothing is missing."""
        return None

    def lent_rights(self, path: str) -> LentRights:  # noqa: ARG002
        """Not known."""
        return LentRights()

    def obstacle(self, uid: int | None, gid: int | None, path: str) -> str | None:  # noqa: ARG002
        """Not known."""
        return None

    def is_network_interface(self, name: str) -> bool:  # noqa: ARG002
        """Believe that there is one."""
        return True

    def require_directory(self, path: str) -> None:
        """Believe that a directory is there."""
        if not path.startswith("/"):
            super().require_directory(path)
        if not is_directory(path):
            self.missing.add(path)

    def group_of(self, user: str) -> str:
        """Believe that a user is there, and has a group of the same name."""
        if super().user_id(user) is None:
            self.missing.add(user)
        return user

    def user_id(self, user: str) -> int | None:
        """Number a user: root is 0 everywhere."""
        return 0 if user == "root" else 1000

    def group_id(self, group: str) -> int | None:
        """Number a group: root's is 0 everywhere."""
        return 0 if group == "root" else 1000

    def require_group(self, group: str) -> None:
        """Believe that a group is there."""
        if super().group_id(group) is None:
            self.missing.add(group)


def _is_executable(path: str) -> bool:
    """Whether execvp(3) would try a file of the search path, whatever is in it."""
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - pathlib raises where we may not look


def _require_good(path: str) -> str:
    if trouble := trouble_with(path):
        raise ValueError(f"{path} {trouble}")
    return path


def _has_capability(number: int) -> bool:
    """Whether we have a capability in effect (capabilities(7))."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        return False
    found = re.search("^CapEff:\\s*([0-9a-f]+)$", status, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> number & 1)
