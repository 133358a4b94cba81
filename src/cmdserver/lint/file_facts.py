"""Looks at files for lint: modes and owners on the way to each. It judges nothing, and opens nothing but scripts."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from cmdserver.config.executables import interpreter_of
from cmdserver.config.host import Host
from cmdserver.lint.facts import HostFacts, PathFact

#: As many as Linux follows, see path_resolution(7).
_MOST_LINKS = 40


def gather(paths: Iterable[str], host: Host) -> HostFacts:
    """Look at the ways to files; what cannot be looked at is left out.

    Args:
        paths: Absolute.
        host: As whom commands run.
    """
    uid, _ = host.started_as()
    return HostFacts(
        uid=uid,
        user=host.user(),
        trusted=frozenset({0, _owner_of_all()}),
        ways={path: _way_to(path) for path in dict.fromkeys(paths)},
    )


def _owner_of_all() -> int:
    """Whose the file system is: root's, as seen from a user namespace too."""
    return Path("/").stat().st_uid


def _way_to(path: str) -> Sequence[PathFact]:
    found = list(_steps(path))
    interpreter = interpreter_of(path)
    if interpreter is not None and interpreter[0].startswith("/"):
        found += _steps(interpreter[0])
    return list(dict.fromkeys(found))


def _steps(path: str) -> Iterator[PathFact]:
    """Follow a path as the kernel does: each directory, each link's target."""
    rest = _names(path)
    at = Path("/")
    links = 0
    while rest and links <= _MOST_LINKS:
        name = rest.pop(0)
        if name == "..":
            at = at.parent
            continue
        try:
            status = (at / name).lstat()
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = str((at / name).readlink())
                at = Path("/") if target.startswith("/") else at
                rest = _names(target) + rest
                continue
        except OSError:
            return
        at /= name
        yield _fact(str(at), status)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]


def _fact(path: str, status: os.stat_result) -> PathFact:
    by_group = bool(status.st_mode & stat.S_IWGRP) and status.st_gid != 0
    return PathFact(
        path=path,
        uid=status.st_uid,
        owner=_user_name(status.st_uid),
        is_open=bool(status.st_mode & stat.S_IWOTH),
        members=_members(status.st_gid) if by_group else frozenset(),
        group=_group_name(status.st_gid),
        is_sticky=stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX),
    )


@cache
def _members(gid: int) -> frozenset[str]:
    """Say who is in a group, as far as this host can list its users."""
    try:
        named = frozenset(grp.getgrgid(gid).gr_mem)
    except KeyError:
        named = frozenset()
    return named | {each.pw_name for each in pwd.getpwall() if each.pw_gid == gid}


@cache
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@cache
def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"
