"""The parsing process as the daemon uses it: started, asked for one thing at a time, given up when it does not answer.

What it says is not believed: data must be JSON, on one line, and no more than we take.
"""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.config.host import SEARCH_PATH
from cmdserver.core.escaping import printable_line
from cmdserver.core.model import TargetUser
from cmdserver.core.output import NotParsed, Parsed
from cmdserver.execution.posix import ignored_signals, in_memory, open_null
from cmdserver.execution.spawning import spawn
from cmdserver.privsep.channel import Channel, close_all
from cmdserver.privsep.parsing.messages import (
    REASON_CHARACTERS,
    RESULT_BYTES,
    Answer,
    Cancel,
    Kind,
    Parse,
    decode_answer,
)

#: For it to say that it has ended what nobody waits for any more.
CANCEL_SECONDS = 5.0

#: Where it finds its end of the socket.
_CONNECTION = 3

#: Whom it becomes where the daemon stays root; on Linux that is who has no files (the kernel's overflow user).
_NOBODY = 65_534

#: What makes a parsing process of a socket pair: it returns our end, and its process id.
Start = Callable[[], tuple[socket.socket, int]]

_log = Logger()


class Lost(NotParsed):
    """There is no parsing process, or it has died over this."""


def start(target_user: TargetUser | None, parsers: Sequence[str]) -> tuple[socket.socket, int]:
    """Start a parsing process.

    Args:
        target_user: Whom it becomes; None: it is who we are, or nobody if that is root.
        parsers: To be loaded while it may still read whatever we may.

    Returns:
        Our end of the socket to it, and its process id. Whoever closes the socket ends it.

    Raises:
        OSError: It cannot be started: by seccomp, say.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    uid, gid = identity(target_user, os.geteuid())
    argv = [sys.executable, "-P", "-m", "cmdserver.privsep.parsing", str(uid), str(gid), *parsers]
    environment = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    null = open_null()
    try:
        pid = spawn(sys.executable, argv, environment, {0: null, _CONNECTION: theirs.fileno()}, ignored_signals())
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(null)
    return ours, pid


def identity(target_user: TargetUser | None, ours: int) -> tuple[int, int]:
    """Say whom a parsing process becomes: user and group; -1 is who we are, whose user id is ``ours``."""
    if target_user is not None:
        return target_user.uid, target_user.gid
    return (_NOBODY, _NOBODY) if ours == 0 else (-1, -1)


@implementer(IReadDescriptor)
class ParserProcess:
    """The parsing process.

    Args:
        start: Starts one; raises an OSError if that cannot be.
    """

    def __init__(self, reactor: Any, start: Start) -> None:
        self._reactor = reactor
        self._start = start
        self._channel: Channel | None = None
        self._pid: int | None = None
        self._last_number = 0
        self._waiting: Deferred[Parsed] | None = None
        #: How long it may take to say that what was cancelled has ended.
        self._cancelling: IDelayedCall | None = None

    def require(self) -> None:
        """Start it, unless it is there.

        Raises:
            Lost: It cannot be started.
        """
        if self._channel is not None:
            return
        try:
            connection, self._pid = self._start()
        except OSError as error:
            raise Lost("the process that parses output is not there: that takes a restart of the daemon") from error
        self._channel = Channel(connection)
        self._reactor.addReader(self)

    def start_ahead(self) -> None:
        """Start it before it is needed; that it cannot be started is logged, and no reason to do without the rest."""
        try:
            self.require()
        except Lost as error:
            _log.error("there will be no data of what commands print: {error}", error=error)

    def parse(self, parser: str, output: bytes) -> Deferred[Parsed]:
        """Parse output; to be asked when nothing else is being parsed.

        Returns:
            Fires with data; fails with `NotParsed`. To cancel it is to end the work.
        """
        try:
            self.require()
            if self._channel is None or self._waiting is not None:
                raise Lost("the process that parses output is busy")
            descriptor = in_memory(output)
        except NotParsed as error:
            return fail(error)
        except OSError as error:
            return fail(Lost(f"output cannot be given to a parser: {error.strerror}"))
        self._last_number += 1
        waiting = self._waiting = Deferred(self._cancel)
        self._channel.send(Parse(self._last_number, parser).encode(), (descriptor,))
        return waiting

    def close(self) -> None:
        """Close the socket, which ends the process."""
        if self._channel is None:
            return
        self._reactor.removeReader(self)
        channel, self._channel = self._channel, None
        channel.drop_waiting()
        channel.close()
        self._stop_cancelling()
        self._reap()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(Lost("the process that parses output has died over it"))

    def _cancel(self, _: Deferred[Parsed]) -> None:
        self._waiting = None
        if self._channel is not None:
            self._channel.send(Cancel(self._last_number).encode())
            self._stop_cancelling()
            self._cancelling = self._reactor.callLater(CANCEL_SECONDS, self._give_up)

    def _stop_cancelling(self) -> None:
        if self._cancelling is not None and self._cancelling.active():
            self._cancelling.cancel()
        self._cancelling = None

    def _give_up(self) -> None:
        _log.error("the process that parses output does not answer any more, and is given up")
        self.close()

    def _reap(self) -> None:
        """Reap it, if it is dead already; else whoever reaps our children does that later."""
        pid, self._pid = self._pid, None
        if pid is not None:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                return

    # IReadDescriptor

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._channel.fileno() if self._channel is not None else -1

    def logPrefix(self) -> str:
        return "parsing"

    def doRead(self) -> None:
        if self._channel is None or (received := self._channel.receive_with_descriptors()) is None:
            return
        packet, descriptors = received
        try:
            answer = decode_answer(packet)
            self._take(answer, descriptors)
        except ValueError:  # an empty packet is the end
            _log.error("the process that parses output has died")
            self.close()
        finally:
            close_all(descriptors)

    def connectionLost(self, reason: Failure) -> None:
        """Twisted has met with an error of ours, and watches the socket no longer."""
        _log.failure("the process that parses output is not understood", reason)
        self.close()

    def _take(self, answer: Answer, descriptors: tuple[int, ...]) -> None:
        if answer.number != self._last_number:
            return  # nobody has waited for it any more when something else was asked
        self._stop_cancelling()
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        try:
            waiting.callback(_result(answer.kind, descriptors))
        except NotParsed as error:
            waiting.errback(error)


def _result(kind: Kind, descriptors: tuple[int, ...]) -> Parsed:
    """Read what it made; raises `NotParsed`."""
    match kind, descriptors:
        case Kind.DATA, (descriptor,):
            return checked(os.pread(descriptor, RESULT_BYTES + 1, 0))
        case Kind.NOT_PARSED, (descriptor,):
            text = os.pread(descriptor, REASON_CHARACTERS, 0).decode("ascii", "replace")
            raise NotParsed(printable_line(text))
        case Kind.TOO_LONG, _:
            raise NotParsed(f"its data would be longer than {RESULT_BYTES} bytes")
        case _:
            raise Lost("its parser broke over it")


def checked(data: bytes) -> Parsed:
    """Take data that are one line of JSON, of not too many bytes; raises `NotParsed` for others."""
    if len(data) > RESULT_BYTES or not data.isascii() or b"\n" in data or b"\r" in data:
        raise Lost("what its parser made is no line of JSON")
    try:
        return Parsed(json=data, value=msgspec.json.decode(data))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Lost("what its parser made is no line of JSON") from error
