"""The runner's allow-list, which it reads itself from the configuration, and reads again when it is asked to.

It reads for the daemon, too, which may not be allowed to open the configuration, or the key of its certificate, any
more. It hands over what it has read, so that both use the same text.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import Source
from cmdserver.core.model import Command
from cmdserver.execution.posix import in_memory
from cmdserver.files.safe_path import UnsafePath, read_file
from cmdserver.privsep.messages import Read, Report, checksum_of

#: Of a list of mistakes, for a report, which has to fit into a packet: who has more has seen enough.
_MOST_MISTAKES = 50
_MOST_CHARACTERS = 300
#: Besides what may run: what is being ended and is not yet dead.
_SPARE_RUNS = 64


class LoadedConfiguration(Struct, frozen=True):
    """The configuration, as read at one time."""

    source: Source
    configuration: Configuration

    @property
    def checksum(self) -> int:
        """A checksum of the text of all its files."""
        return checksum_of(self.source.packed())


class AllowList:
    """The active allow-list, and the one that `reread` has loaded and `adopt` activates.

    Args:
        read: Reads the configuration; raises `Mistakes` or OSError.
    """

    def __init__(self, read: Callable[[], LoadedConfiguration]) -> None:
        self._read = read
        self._now = read()
        self._next: LoadedConfiguration | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands that may be run."""
        return self._now.configuration.commands

    @property
    def most(self) -> int:
        """How many may run at once."""
        return self._now.configuration.limits.running + _SPARE_RUNS

    @property
    def sockets(self) -> tuple[Path, ...]:
        """The daemon's UNIX sockets."""
        paths = (each.endpoint.path for each in self._now.configuration.listening)
        return tuple(path for path in paths if path is not None)

    @property
    def checksum(self) -> int:
        """Of the text of the active configuration."""
        return self._now.checksum

    def reread(self) -> tuple[Report, tuple[int, ...]]:
        """Read the configuration again; return what to tell the daemon, and the descriptors to go with it."""
        self._next = None
        try:
            allowed = self._read()
            files = dict(_read_safely(_named_files(allowed.configuration)))
            descriptors = _in_memory([allowed.source.packed().encode(), *files.values()])
        except Mistakes as mistakes:
            return mistaken(mistakes), ()
        except OSError as error:
            return Read((_cut(f"{error.filename}: {error.strerror}"),), ()), ()
        self._next = allowed
        return Read((), tuple(files)), descriptors

    def adopt(self, checksum: int) -> bool:
        """Activate what was read last, or else what there is to be read now, if it has this checksum.

        Returns:
            Whether one of them has; if not, nothing is changed.
        """
        meant, self._next = self._next, None
        if meant is None or meant.checksum != checksum:
            try:
                meant = self._read()
            except (Mistakes, OSError):
                return False
        if meant.checksum != checksum:
            return False
        self._now = meant
        return True


def mistaken(mistakes: Mistakes) -> Read:
    """Say what is wrong with a configuration, in a report that fits into a packet."""
    return Read(tuple(_cut(str(each)) for each in mistakes.mistakes[:_MOST_MISTAKES]), ())


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _named_files(configuration: Configuration) -> Iterator[str]:
    """Name the files that the daemon may have to be given, each once."""
    authorities = (each.ca for each in configuration.receivers if each.ca is not None)
    yield from dict.fromkeys((*_tls_files(configuration), *_secret_files(configuration), *authorities))


def _tls_files(configuration: Configuration) -> tuple[str, ...]:
    tls = configuration.settings.tls
    if not any(each.tls for each in configuration.listening):
        return ()
    return tuple(each for each in (tls.certificate, tls.key, tls.client_ca) if each is not None)


def _secret_files(configuration: Configuration) -> tuple[str, ...]:
    return tuple(file for hook in configuration.hooks for file in hook.secret_files)


def _read_safely(files: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read files for the daemon, but those that it could have put there: it reads them itself."""
    for file in files:
        with contextlib.suppress(UnsafePath):
            yield file, read_file(Path(file))


def _in_memory(contents: Iterable[bytes]) -> tuple[int, ...]:
    """Put bytes into files that have no name, to be read by whoever gets the descriptors."""
    descriptors: list[int] = []
    try:
        for content in contents:
            descriptors.append(in_memory(content))  # noqa: PERF401 - what was made is to be closed
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return tuple(descriptors)
