"""Finds and kills processes that have left their run's process group, among our children.

A process that loses its parent becomes our child, as we are the subreaper of all that we start. Its tag says which run
it is of. A process that forks and exits again and again is never there for long, but its children stay in its process
group until they make one of their own, and a signal to a group reaches all who are in it, however fast they fork.
"""

import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping

from cmdserver.privsep.process_tags import ProcessTags, group_of, kill_with_group

#: What the kernel gives of a list at once, at most; a number that does not fit into the rest comes with the next.
_PAGE_BYTES = 4096
_LONGEST_NUMBER = 12


class EscapedProcesses:
    """Our children that we did not start ourselves.

    Args:
        spared: Children that are no command's: standbys.
        is_grouped: Whether a control group sees to a process.
    """

    def __init__(
        self, tags: ProcessTags, spared: Container[int] = (), is_grouped: Callable[[int], bool] = lambda _: False
    ) -> None:
        self._tags = tags
        self._spared = spared
        self._is_grouped = is_grouped
        self._listing: int | None = None
        #: Who was there at the last look, as the kernel says it and in numbers, and what came of that; None: it holds
        #: no longer.
        self._listed: bytes | None = None
        self._children: frozenset[int] = frozenset()
        self._found: Mapping[int | None, list[int]] = {}
        #: Whether we had any such child at the last look, whatever became of it there.
        self.are_there = False
        #: What each was found to carry: a child's number is nobody else's before we have reaped it, and thousands of
        #: them are not to be read again at each death.
        self._read: dict[int, int | None] = {}
        self._grouped: set[int] = set()
        self._killed: set[int] = set()

    def look(self, known: Container[int]) -> Mapping[int | None, list[int]]:
        """Find those that are there now, but for the known, whom we did start.

        Returns:
            Their numbers by their tags; None for who carries none of ours any more, and is seen to by no control
            group, nor by being in the process group of one of the known.
        """
        listed = self._list()
        if listed != self._listed:
            children = [int(each) for each in listed.split()]
            self._listed, self._children = listed, frozenset(children)
            self._found = self._sort(children, known)
        return self._found

    def _sort(self, children: Iterable[int], known: Container[int]) -> Mapping[int | None, list[int]]:
        found: dict[int | None, list[int]] = {}
        self.are_there = False
        for pid in children:
            if pid in known or pid in self._spared:
                continue
            self.are_there = True
            if pid not in self._read:
                self._read[pid] = self._tags.read(pid)
            tag = self._read[pid]
            if tag is not None or not self._is_seen_to(pid, known):
                found.setdefault(tag, []).append(pid)
        return found

    def _is_seen_to(self, pid: int, known: Container[int]) -> bool:
        if pid not in self._grouped and self._is_grouped(pid):
            self._grouped.add(pid)
        return pid in self._grouped or group_of(pid) in known

    def _list(self) -> bytes:
        """List our children, through a descriptor that is open already: there may be no room for another."""
        if self._listing is None:
            self._listing = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
        listed = chunk = os.pread(self._listing, _PAGE_BYTES, 0)
        while len(chunk) > _PAGE_BYTES - _LONGEST_NUMBER:
            chunk = os.pread(self._listing, _PAGE_BYTES, len(listed))
            listed += chunk
        return listed

    def kill(self, pids: Collection[int]) -> bool:
        """Kill some of those who were found, each once; say whether there was anybody to kill."""
        fresh = [pid for pid in pids if pid not in self._killed]
        for pid in fresh:
            kill_with_group(pid)
        self._killed.update(fresh)
        return bool(fresh)

    def reaped(self, pid: int) -> None:
        """Forget a child that has been reaped: its number may be anybody's."""
        self._read.pop(pid, None)
        self._grouped.discard(pid)
        self._killed.discard(pid)
        if pid in self._children:
            self._listed = None

    def let_go(self) -> None:
        """Close what is open here."""
        if self._listing is not None:
            os.close(self._listing)
