"""What lint is told of this host: who may write to the files that commands come from."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field


class PathFact(Struct, frozen=True, kw_only=True):
    """One name on the way to a file, links followed."""

    path: str
    #: Whose it is.
    uid: int
    owner: str
    #: Whether everybody may write to it.
    is_open: bool = False
    #: Who may write to it by its group, by their names: the group's members; empty: nobody.
    members: frozenset[str] = frozenset()
    group: str = ""
    #: Whether only the owner of a file in it may replace that (the sticky bit of /tmp).
    is_sticky: bool = False


class HostFacts(Struct, frozen=True, kw_only=True):
    """What is known of the host."""

    #: User that commands run as who name nobody, by number and name.
    uid: int = 1000
    user: str = "nobody"
    #: Who may do anything anyhow.
    trusted: frozenset[int] = frozenset({0})
    #: What is on the way to a path, from the top; of a script, its interpreter and the way to that besides.
    ways: Mapping[str, Sequence[PathFact]] = field(default_factory=dict)


#: Of a host that nothing is known of.
NOTHING_KNOWN = HostFacts()
