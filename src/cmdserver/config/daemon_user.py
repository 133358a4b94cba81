"""Whom the daemon becomes if root starts it: a user whom it shares with nobody.

Who has the daemon's number can read its keys and write itself into its users. So, unless the administrator names
somebody, that is the user ``cmdserver`` if there is one, or else a number of the daemon's own, taken as systemd takes
those of ``DynamicUser``: nobody has it, it is the same at every start, and no file but ours need know it.
"""

import binascii
import errno
import grp
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from cmdserver.config.schema.commands import CommandSettings
from cmdserver.core.model import TargetUser

#: Used if there is such a user, and nobody else is named.
USUAL_USER = "cmdserver"

#: What systemd keeps for users that come and go (systemd.exec(5), DynamicUser; "Users, Groups, UIDs and GIDs").
FIRST_NUMBER, LAST_NUMBER = 61184, 65519

#: Whoever is given no user of their own is these: NFS's clients, dnsmasq, many a container.
_SHARED_USERS = frozenset({"nobody", "daemon", "bin", "sys", "www-data", "nfsnobody"})
_NOBODY = 65534
#: The last one, (uid_t) -1, means "leave it as it is".
_MOST = 0xFFFFFFFE
#: Of commands that are named in a line of the log.
_MOST_NAMES = 10


class _Process(Struct, frozen=True):
    pid: int
    numbers: frozenset[int]
    is_ours: bool


class Numbers:
    """Which numbers are whose on this host.

    A class, so that tests can have another host.
    """

    def __init__(self) -> None:
        self._running: tuple[_Process, ...] | None = None

    def user_of(self, number: int) -> str | None:
        """Name the user, or the group, that has a number."""
        with suppress(KeyError):
            return pwd.getpwuid(number).pw_name
        with suppress(KeyError):
            return grp.getgrgid(number).gr_name
        # Kept for the time of a service, whether or not the C library has been taught to look there.
        return "one of systemd's" if Path(f"/run/systemd/dynamic-uid/{number}").exists() else None

    def process_of(self, number: int, *, but_ours: bool) -> int | None:
        """Say which process runs under a number.

        Args:
            number: As a user or as a group.
            but_ours: Leave out those of this program: a daemon that is on its way out has the number that the next one
                is to have.
        """
        if self._running is None:
            self._running = tuple(_processes())
        found = (each.pid for each in self._running if number in each.numbers and not (but_ours and each.is_ours))
        return next(found, None)

    def is_mapped(self, number: int) -> bool:
        """Whether a process may have a number: in a user namespace only some exist."""
        try:
            lines = Path("/proc/self/uid_map").read_text("ascii").splitlines()
        except OSError:
            return True
        spans = [tuple(map(int, line.split())) for line in lines]
        return any(first <= number < first + count for first, _, count in spans)

    def taken(self, number: int, *, but_ours: bool = False) -> str | None:
        """Say why a number cannot be ours alone, or None; see `process_of`."""
        if not self.is_mapped(number):
            return "this user namespace has no such number"
        if user := self.user_of(number):
            return f"it is that of {user}"
        process = self.process_of(number, but_ours=but_ours)
        return None if process is None else f"the process {process} runs under it"


def target_user_of_root(user: str | None, directory: Path, numbers: Numbers | None = None) -> TargetUser | None:
    """Say whom the daemon is to become; None if it is not root, or is to stay it.

    Args:
        user: A name or a number; None for one of the daemon's own.
        directory: The state directory, which need not be there.
        numbers: Of this host.

    Raises:
        LookupError: There is no such user, or no number is free; the text says what to do.
    """
    numbers = numbers or Numbers()
    if user is not None:
        chosen = _named(user, numbers)
    elif os.geteuid() != 0:
        return None
    else:
        try:
            entry = pwd.getpwnam(USUAL_USER)
            chosen = TargetUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
        except KeyError:
            number = own_number(directory, numbers)
            chosen = TargetUser(str(number), number, number)
    return chosen if os.geteuid() == 0 and chosen.uid != 0 else None


def own_number(directory: Path, numbers: Numbers) -> int:
    """Choose a number for the daemon of a state directory: the directory's own, or else by its path, the next free one.

    Raises:
        LookupError: There is none.
    """
    owner = _owner_of(directory)
    if owner is not None and is_dynamic(owner):
        if trouble := numbers.taken(owner, but_ours=True):
            raise LookupError(
                f"{directory} belongs to the number {owner}, and {trouble}; name a user of its own in [runner]"
                f' daemon_user, and say: chown -Rh USER: "{directory}"'
            )
        return owner
    count = LAST_NUMBER - FIRST_NUMBER + 1
    start = binascii.crc32(os.fsencode(os.path.realpath(directory)))  # for the spread, which is all that matters
    for step in range(count):
        number = FIRST_NUMBER + (start + step) % count
        if numbers.taken(number) is None:
            return number
    raise LookupError(
        f"none of the numbers from {FIRST_NUMBER} to {LAST_NUMBER} is free, or in this user namespace; make a user for"
        " the daemon and name it, or"
        ' start the daemon as an ordinary user (or let it stay root, daemon_user = "root")'
    )


def is_dynamic(number: int) -> bool:
    """Whether a number is one of those that come and go."""
    return FIRST_NUMBER <= number <= LAST_NUMBER


def shared_user_warning(user: str | None) -> str | None:
    """Say what is wrong with a user that was named, if others run as that one too."""
    if user is None or (user not in _SHARED_USERS and user != str(_NOBODY)):
        return None
    return (
        f"{user} is whom other services run as, too: each of their processes can read the daemon's keys and let itself"
        f" in; leave daemon_user out, or name a user that is the daemon's alone"
    )


def root_warning(commands: Mapping[str, CommandSettings | None]) -> str | None:
    """Name the commands that run as root because they say nothing else, if root starts the daemon."""
    names = sorted(name for name, each in commands.items() if each is not None and each.user is None)
    if not names:
        return None
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"commands that name no user run as root: {', '.join(names[:_MOST_NAMES])}{more}"


def _named(user: str, numbers: Numbers) -> TargetUser:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        if not user.isdecimal() or not 0 < int(user) <= _MOST:
            raise LookupError(f"there is no user {user}") from None
        number = int(user)
        if other := numbers.user_of(number):
            raise LookupError(f"there is no user {user}, and that number is the group {other}'s") from None
        return TargetUser(user, number, number)
    return TargetUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _owner_of(directory: Path) -> int | None:
    try:
        return directory.stat().st_uid
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        raise LookupError(f"{directory}: {error.strerror}") from error


def _processes() -> Iterator[_Process]:
    """List the processes that run under numbers that come and go."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                status = (entry / "status").read_bytes()
                numbers = frozenset(int(each) for key in (b"\nUid:", b"\nGid:") for each in _line(status, key).split())
                if any(map(is_dynamic, numbers)):
                    is_ours = b"cmdserver" in (entry / "cmdline").read_bytes()
                    yield _Process(int(entry.name), numbers, is_ours)


def _line(status: bytes, key: bytes) -> bytes:
    return status.partition(key)[2].partition(b"\n")[0]
