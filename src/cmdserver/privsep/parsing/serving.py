"""Answers the daemon: a child for each output, one at a time, until the daemon is gone."""

import os
import select
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

from msgspec import Struct

from cmdserver.execution.posix import in_memory
from cmdserver.privsep.parsing.messages import PACKET_BYTES, Answer, Cancel, Kind, Parse, decode_request

#: Parses a descriptor's content into another's, as `cmdserver.privsep.parsing.child.work`; the last one is the parent.
Work = Callable[[str, int, int, int], NoReturn]
#: Loads a parser before a child is forked that uses it; what goes wrong the child will meet again.
Prepare = Callable[[str], object]


class Gone(Exception):  # noqa: N818 - a statement
    """The daemon is gone, or says what it never does."""


class _Child(Struct, frozen=True):
    number: int
    pid: int
    #: Readable when it is dead.
    pidfd: int
    result: int


class Server:
    """The parsing process.

    Args:
        connection: To the daemon; blocking.
        prepare: Called before each fork.
        work: What a child does.
    """

    def __init__(self, connection: socket.socket, prepare: Prepare, work: Work) -> None:
        self._connection = connection
        self._prepare = prepare
        self._work = work

    def serve(self) -> None:
        """Answer until the daemon is gone."""
        try:
            while True:
                self._answer_one()
        except (Gone, ConnectionError):
            return

    def _answer_one(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self._connection, PACKET_BYTES, 1)
        try:
            request = _decode(packet)
            if isinstance(request, Cancel):
                return  # it was answered in the meantime
            if len(descriptors) != 1:
                raise Gone
            self._parse(request, descriptors[0])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _parse(self, request: Parse, output: int) -> None:
        result = in_memory(b"")
        try:
            child = self._start(request, output, result)
            try:
                self._wait(child)
            finally:
                kind = _reap(child)
            packet = Answer(request.number, kind).encode()
            if kind in {Kind.DATA, Kind.NOT_PARSED}:
                socket.send_fds(self._connection, [packet], [result])
            else:
                self._connection.send(packet)
        finally:
            os.close(result)

    def _start(self, request: Parse, output: int, result: int) -> _Child:
        self._prepare(request.parser)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._connection.close()
            self._work(request.parser, output, result, parent)
        return _Child(request.number, pid, os.pidfd_open(pid), result)

    def _wait(self, child: _Child) -> None:
        """Wait until a child is dead or nobody waits for it any more; raises `Gone`."""
        watched = select.poll()
        watched.register(self._connection, select.POLLIN)
        watched.register(child.pidfd, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in watched.poll()}
            if child.pidfd in ready:
                return
            match _decode(self._connection.recv(PACKET_BYTES)):
                case Cancel(number) if number == child.number:
                    return
                case Parse():
                    raise Gone  # it asks for one thing at a time


def _decode(packet: bytes) -> Parse | Cancel:
    try:
        return decode_request(packet)
    except ValueError as error:  # an empty packet is the end
        raise Gone from error


def _reap(child: _Child) -> Kind:
    """End a child that may be dead already; say how it has ended."""
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    os.close(child.pidfd)
    _, status = os.waitpid(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Kind(code) if code in set(Kind) else Kind.ENDED
