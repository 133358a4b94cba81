"""What the runner keeps of root's capabilities: what its commands need, and nothing that could be had again."""

import os
from collections.abc import Iterable

from cmdserver.config.decoding import Mistake, Mistakes
from cmdserver.core.model import Command
from cmdserver.privsep import linux
from cmdserver.privsep.linux import Capability


class RetainedCapabilities:
    """What the runner has kept of root's capabilities; before it gives any up, that is all of them."""

    def __init__(self) -> None:
        #: None: all that there were.
        self._kept: frozenset[Capability] | None = None

    def drop_others(self, commands: Iterable[Command]) -> None:
        """Give up what an allow-list does not need; raises an OSError if the kernel refuses."""
        self._kept = capabilities_for(commands)
        if self._kept is not None:
            linux.keep_capabilities(self._kept)

    def require(self, commands: Iterable[Command]) -> None:
        """Make sure that an allow-list can be run with what was kept.

        Raises:
            Mistakes: It takes more, and so a new start.
        """
        needed = capabilities_for(commands)
        if self._kept is None or (needed is not None and needed <= self._kept):
            return
        text = "a command of root's own, a nice value below 0 or the first limits take a restart, not a SIGHUP"
        raise Mistakes([Mistake(("commands",), text)])


def capabilities_for(commands: Iterable[Command]) -> frozenset[Capability] | None:
    """Say which capabilities the runner needs for an allow-list; None: all that it has.

    A program that root runs has root's capabilities only if the runner has them: nothing gains any (no_new_privs).
    """
    commands = tuple(commands)
    if os.geteuid() != 0:
        return frozenset()
    if any(each.controls.uid in {None, 0} for each in commands):
        return None
    # Files, and the directories above them, are read at SIGHUP as at the start.
    needed = {Capability.DAC_READ_SEARCH, Capability.KILL, Capability.SETGID, Capability.SETUID}
    if any(each.controls.nice < 0 for each in commands):
        needed.add(Capability.SYS_NICE)
    if any(each.controls.limits for each in commands):
        needed.add(Capability.SYS_RESOURCE)
    return frozenset(needed)
