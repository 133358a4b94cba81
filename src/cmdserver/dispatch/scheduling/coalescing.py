"""Request coalescing: requests that arrive before a process starts may share its output; later ones wait for the next.

*An answer never comes from a process that was started before the request arrived.* So a request that finds a run under
way waits for the next one, with all that arrive meanwhile; a group takes more requests until its process starts,
however long it waits for a place. Of equal requests there is one run at a time. What counts as equal is the key's
business. (Elsewhere: singleflight, nginx's ``proxy_cache_lock``.)
"""

from collections.abc import Callable, Hashable, Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Request = TypeVar("Request", bound=Hashable)


class Group(Generic[Key, Request]):
    """Requests that are, or will be, answered by one process.

    Args:
        key: What they have in common.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        #: In order of arrival; a dict for its order and for leaving in constant time.
        self.requests: dict[Request, None] = {}
        self.is_started = False


SomeGroup = TypeVar("SomeGroup", bound=Group[Any, Any])


class Coalescing(Generic[SomeGroup]):
    """The groups that wait and those that run, by key: at most one of each."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, SomeGroup] = {}
        #: In the order in which they started.
        self.running: dict[Hashable, SomeGroup] = {}

    def __iter__(self) -> Iterator[SomeGroup]:
        """Iterate over the groups that run, then those that wait."""
        return chain(self.running.values(), self._waiting.values())

    def ask(self, key: Hashable, request: Hashable, make: Callable[[Any], SomeGroup]) -> SomeGroup:
        """Add a request to the group that waits under ``key``, or to one that ``make`` makes of the key."""
        group = self._waiting.get(key)
        if group is None:
            group = self._waiting[key] = make(key)
        group.requests[request] = None
        return group

    def may_start(self, group: SomeGroup) -> bool:
        """Whether nothing runs under the group's key, so that it need not wait for an end."""
        return not group.is_started and group.key not in self.running

    def start(self, group: SomeGroup) -> None:
        """Close the group to later requests: its process starts now."""
        if group.is_started or group.key in self.running:
            message = "a run is under way for the same request"
            raise ValueError(message)
        del self._waiting[group.key]
        self.running[group.key] = group
        group.is_started = True

    def end(self, group: SomeGroup) -> SomeGroup | None:
        """Note that the group's process has ended; return the group that waits for that, if any."""
        del self.running[group.key]
        return self._waiting.get(group.key)

    def leave(self, group: SomeGroup, request: Hashable) -> bool:
        """Take a request back; a group that nobody waits for any more is forgotten unless it has started.

        Returns:
            Whether nobody is left in the group.
        """
        group.requests.pop(request, None)
        if not group.requests and self._waiting.get(group.key) is group:
            del self._waiting[group.key]
        return not group.requests
