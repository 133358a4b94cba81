"""The runner's command line: what the daemon tells it when it starts it, and never again.

The daemon is still to be trusted then. Rule: everybody may see a command line, so nothing secret is in it.
"""

from collections.abc import Sequence
from typing import Self

from msgspec import Struct
from msgspec.structs import astuple


class RunnerArguments(Struct, frozen=True, kw_only=True):
    """The words behind ``python -m cmdserver.privsep``.

    Attributes:
        family: For the process tags of what is run.
        daemon: The daemon's process id.
        configuration: An absolute path; empty for the configuration that is built in.
        pid_file: The daemon's, to be removed when it is gone; empty if there is none, or it does that itself.
        state_directory: Where credentials are that the daemon may not be allowed to open; empty if it needs no help.
    """

    family: int
    daemon: int
    configuration: str
    pid_file: str
    state_directory: str

    def words(self) -> list[str]:
        """Make the words."""
        return [str(each) for each in astuple(self)]

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        """Read the words; raises a ValueError if they are not what `words` makes."""
        family, daemon, configuration, pid_file, state_directory = words
        return cls(
            family=int(family),
            daemon=int(daemon),
            configuration=configuration,
            pid_file=pid_file,
            state_directory=state_directory,
        )
