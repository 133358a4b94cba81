"""Which questions are answered by which process: the law of freshness, and nothing else.

The law: *an answer never comes from a process that was started before the question arrived.* So a question that finds a
run under way waits for the next one, with all that arrive meanwhile; a group takes more requests until
its process starts, however long it waits for a place. There is one run at a time for equal questions.

Rule of this file: pure; it starts nothing and knows no clock. What counts as the same question is the key's business.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Request = TypeVar("Request", bound=Hashable)


class Group(Generic[Key, Request]):
    """Questions that are, or will be, answered by one process. Made by `Coalescing` only."""

    def __init__(self, key: Key) -> None:
        self.key = key
        #: In order of arrival; a dict for its order and for leaving in constant time.
        self.requests: dict[Request, None] = {}
        self.is_started = False


class Coalescing(Generic[Key, Request]):
    """The groups that wait and those that run, by key: at most one of each."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Group[Key, Request]] = {}
        self._running: dict[Key, Group[Key, Request]] = {}

    def ask(self, key: Key, request: Request) -> Group[Key, Request]:
        """Add a question to the group that waits under ``key``, which is a new one if there was none."""
        group = self._waiting.get(key)
        if group is None:
            group = self._waiting[key] = Group(key)
        group.requests[request] = None
        return group

    def may_start(self, group: Group[Key, Request]) -> bool:
        """Whether nothing runs under the group's key, so that it need not wait for an end."""
        return not group.is_started and group.key not in self._running

    def start(self, group: Group[Key, Request]) -> None:
        """Close the group to others: its process starts now."""
        if not self.may_start(group):
            message = "a run is under way for the same question"
            raise ValueError(message)
        del self._waiting[group.key]
        self._running[group.key] = group
        group.is_started = True

    def end(self, group: Group[Key, Request]) -> Group[Key, Request] | None:
        """Note that the group's process has ended; return the group that has been waiting for that, if any."""
        del self._running[group.key]
        return self._waiting.get(group.key)

    def leave(self, group: Group[Key, Request], request: Request) -> bool:
        """Take a question back; a group that nobody waits for any more is forgotten unless it has started.

        Returns:
            Whether nobody is left in the group.
        """
        group.requests.pop(request, None)
        if not group.requests and self._waiting.get(group.key) is group:
            del self._waiting[group.key]
        return not group.requests
