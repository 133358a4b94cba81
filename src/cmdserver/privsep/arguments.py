"""What the daemon tells the runner when it starts it, and never again: the daemon is still to be trusted then.

Rule of this file: words of a command line, which everybody may see.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerArguments:
    """The words behind ``python -m cmdserver.privsep``."""

    #: For the tags of what is run.
    family: int
    #: The daemon's process.
    daemon: int
    #: The configuration, as an absolute path; empty for the one that is built in.
    configuration: str
    #: The daemon's, to be removed when it is gone; empty if there is none, or it does that itself.
    pid_file: str
    #: Where credentials are that the daemon may not be allowed to open; empty if it needs no help.
    state_directory: str

    def words(self) -> list[str]:
        """Spell them."""
        return [str(each) for each in astuple(self)]

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        """Read them; raises a ValueError for words that are none."""
        names = [each.name for each in fields(cls)]
        values = dict(zip(names, words, strict=True))
        return cls(
            family=int(values["family"]),
            daemon=int(values["daemon"]),
            configuration=values["configuration"],
            pid_file=values["pid_file"],
            state_directory=values["state_directory"],
        )
