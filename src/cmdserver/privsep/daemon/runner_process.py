"""The life of the runner process, as the daemon sees it: started, ready, asked to read again, replaced, lost."""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from cmdserver.core.errors import CannotStart
from cmdserver.execution.posix import next_death
from cmdserver.files.safe_path import read_file
from cmdserver.privsep import linux
from cmdserver.privsep.arguments import RunnerArguments
from cmdserver.privsep.daemon import starting
from cmdserver.privsep.daemon.remote_backend import RemoteBackend
from cmdserver.privsep.messages import Adopt, Read, Ready, Reread, checksum_of
from cmdserver.privsep.process_tags import ProcessTags, end_tagged

#: For a runner to end.
_END_SECONDS = 5.0
#: For a runner to read the configuration.
_READ_SECONDS = 10.0

_log = Logger()


class Reading(Struct, frozen=True, kw_only=True):
    """The configuration as the runner has read it just now; or what is wrong with it."""

    mistakes: tuple[str, ...]
    #: As `Source.packed` returns it.
    text: str
    #: What is in the files that it names for TLS, by their paths.
    files: Mapping[str, bytes]

    def read(self, path: Path) -> bytes:
        """Read a file as the runner has found it; another one, and one that we could have changed, from the disk."""
        content = self.files.get(str(path))
        return read_file(path) if content is None else content


class RunnerProcess:
    """The runner process.

    Args:
        file: The configuration, as an absolute path; None for the one that is built in.
        pid_file: See `RunnerArguments`.
        state_directory: See `RunnerArguments`.
        gone: Called when runner and standby are dead: we have given up the rights that it takes to start others.
        differs: Called when a new runner uses another configuration than we do.
    """

    def __init__(
        self,
        reactor: Any,
        file: str | None,
        *,
        pid_file: str = "",
        state_directory: str = "",
        gone: Callable[[], None],
        differs: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._gone = gone
        self._differs = differs
        self._checksum = 0
        self._reading: Deferred[Reading] | None = None
        self._is_closing = False
        self._ended: Deferred[None] = Deferred()
        # So that a runner that takes another's place is our child, too.
        linux.adopt_orphans()
        self.remote = RemoteBackend(reactor, self._met, self._lost)
        family = int.from_bytes(os.urandom(3), "big")
        self._tags = ProcessTags(family)
        self._connection = starting.start(
            RunnerArguments(
                family=family,
                daemon=os.getpid(),
                configuration=file or "",
                pid_file=pid_file,
                state_directory=state_directory,
            )
        )

    # The beginning

    def wait_until_ready(self, text: str) -> None:
        """Block until it is ready; ``text`` is the configuration that we use, as `Source.packed` returns it.

        Raises:
            CannotStart: It cannot, or the file was changed since we have read it.
        """
        self._checksum = checksum_of(text)
        ready = starting.wait_for(self._connection)
        if ready.checksum != self._checksum:
            raise CannotStart("cmdserver: the configuration was changed while it was being read; start again")
        self.remote.attach(self._connection)
        self.remote.take(ready, ())

    async def end(self) -> None:
        """End it, and all that it runs, and wait until it has ended; return at once if it is lost already."""
        self._is_closing = True
        self._ended.addTimeout(_END_SECONDS, self._reactor, lambda _, __: self.remote.close())
        self.remote.end()
        await self._ended

    # Reading again

    def reread(self) -> Deferred[Reading]:
        """Have the configuration read again; fails with an OSError if the runner does not do it."""
        if self._reading is not None or not self.remote.is_there:
            return fail(OSError("the runner process is busy or being started; try again"))
        reading = self._reading = Deferred()
        reading.addTimeout(_READ_SECONDS, self._reactor, lambda _, __: fail(OSError("the runner process is silent")))
        self.remote.ask(Reread(), self._has_read)
        return reading.addBoth(self._no_longer_reading)

    def _no_longer_reading(self, result: Any) -> Any:
        self._reading = None
        return result

    def _has_read(self, read: Read, descriptors: tuple[int, ...]) -> None:
        contents = [_content(each) for each in descriptors]
        if self._reading is None:
            return
        if read.mistakes:
            self._reading.callback(Reading(mistakes=read.mistakes, text="", files={}))
        elif len(contents) != 1 + len(read.files):
            self._reading.errback(OSError(errno.EMFILE, "too many open files to read the configuration again"))
        else:
            text, *files = contents
            self._reading.callback(
                Reading(mistakes=(), text=text.decode(), files=dict(zip(read.files, files, strict=True)))
            )

    def adopt(self, text: str) -> None:
        """Use the configuration that was read last, whose text this is, from the next command on."""
        self._checksum = checksum_of(text)
        self.remote.ask(Adopt(self._checksum))

    # Replaced and lost

    def _met(self, ready: Ready, predecessor: int | None) -> None:
        if predecessor is not None:
            _log.error(
                "the runner process {old} has died, and what it ran with it; {new} has taken its place",
                old=predecessor,
                new=ready.pid,
            )
            self._reap()
            self._reactor.callLater(1.0, self._reap)
            if self._reading is not None:
                self._reading.errback(OSError(errno.EPIPE, "the runner process died over it; try again"))
        if ready.checksum != self._checksum:
            self._differs()

    def _reap(self) -> None:
        """Reap runners, and orphans of theirs: they are our only children."""
        while next_death() is not None:
            pass

    def _lost(self) -> None:
        self._ended.callback(None)
        if self._is_closing:
            return
        self._reap()
        end_tagged(self._tags)  # as far as we may
        _log.critical("the runner process and its standby are dead, and we may start no other; stopping")
        self._gone()


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
