"""Rights that a program's file would give it, and does not give here: no command can gain privileges (no_new_privs)."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from cmdserver.config.host import Host
from cmdserver.core.model import Controls

#: They do nothing else than to give somebody's rights.
_GIVING_RIGHTS = frozenset({"sudo", "doas", "pkexec", "su", "sudo-rs", "su-rs"})
#: They run what their arguments name.
_RUNNING_OTHERS = frozenset(
    {"chroot", "chrt", "env", "flock", "ionice", "nice", "nohup", "setsid", "stdbuf", "time", "timeout", "xargs"}
    | {"ash", "bash", "dash", "ksh", "sh", "zsh"}
)
#: Between the words of a shell's script.
_BETWEEN = re.compile(r"[\s;&|(){}`$\"']+")

_HERE = "which no command gets here (no_new_privs)"


def missing_rights(run: Sequence[str], executable: str, controls: Controls, host: Host) -> list[str]:
    """Say which rights a command is perhaps meant to have and will not have, and what to do instead.

    Args:
        run: What the administrator wrote.
        executable: What its first word stands for.
        controls: As whom it will run.
        host: Where files and users are looked up.
    """
    uid = controls.uid if controls.uid is not None else host.user_id(host.user())
    gid = controls.gid if controls.gid is not None else host.group_id(host.group())
    lent = host.lent_rights(executable)
    # Root has all rights but one: to become somebody who has less.
    is_root = uid == 0
    if lent.uid is not None and lent.uid != uid:
        owner = host.user_name(lent.uid)
        if PurePath(run[0]).name in _GIVING_RIGHTS:
            return [_instead_of(run[0], owner)]
        return [f'{executable} is set-user-ID and expects the rights of {owner}, {_HERE}: say user = "{owner}"']
    if is_root:
        return []
    if lent.gid is not None and lent.gid != gid:
        group = host.group_name(lent.gid)
        return [f'{executable} is set-group-ID and expects the rights of {group}, {_HERE}: say group = "{group}"']
    if lent.has_capabilities:
        return [f'{executable} has file capabilities, {_HERE}: if it needs them, say user = "root"']
    return [_instead_of(word, "root") for word in _named(run)]


def _instead_of(word: str, owner: str) -> str:
    advice = f'leave it out of run, and say user = "{owner}", or whoever is meant'
    return f"{word} gives privileges, {_HERE}: {advice}"


def _named(run: Sequence[str]) -> Iterator[str]:
    """Find programs that give rights, where a program of that name would be run."""
    if PurePath(run[0]).name in _GIVING_RIGHTS:
        yield run[0]
    elif PurePath(run[0]).name in _RUNNING_OTHERS:
        words = [each for word in run[1:] for each in _BETWEEN.split(word)]
        found = [each for each in words if PurePath(each).name in _GIVING_RIGHTS]
        yield from dict.fromkeys(found)
