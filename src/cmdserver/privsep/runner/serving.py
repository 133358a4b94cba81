"""The runner's loop: requests from the daemon, deaths of children, reports, heartbeats.

Rules: as long as a report waits to be sent no request is read, so that a daemon that does not listen costs no memory.
Nothing waits but `poll`.
"""

import contextlib
import errno
import os
import select
import time
from typing import assert_never

from cmdserver.files.credential_files import CredentialDirectory
from cmdserver.privsep.channel import RETRY_SECONDS, Channel
from cmdserver.privsep.messages import (
    Adopt,
    Fetch,
    Fetched,
    Ready,
    Request,
    Reread,
    Signal,
    Start,
    Trouble,
    decode_request,
)
from cmdserver.privsep.runner.allow_list import AllowList
from cmdserver.privsep.runner.process_table import ProcessTable
from cmdserver.privsep.runner.standby import HEARTBEAT_SECONDS, Standby

#: Requests in a row, before deaths are looked at.
_REQUESTS_IN_A_ROW = 64
#: Of a name that is no file's, in what is said about it.
_MOST_CHARACTERS = 256


class Server:
    """Serves the daemon; the descriptor ``deaths`` is readable when a child may have died."""

    def __init__(
        self,
        channel: Channel,
        processes: ProcessTable,
        allow_list: AllowList,
        credentials: CredentialDirectory,
        standby: Standby,
        deaths: int,
    ) -> None:
        self._channel = channel
        self._processes = processes
        self._allow_list = allow_list
        self._credentials = credentials
        self._standby = standby
        self._deaths = deaths
        self._is_over = False
        self._has_complained = False
        #: When the next heartbeat is due.
        self._heartbeat_at = 0.0

    def serve(self) -> None:
        """Serve requests until the daemon is gone.

        Raises:
            Forked: In the process that is to wait for the death of this one.
        """
        self._processes.allow(self._allow_list.commands, self._allow_list.most)
        self._standby.require()
        ready = Ready(self._standby.generation, os.getpid(), self._allow_list.checksum)
        self._channel.post(ready)
        poll = select.poll()
        poll.register(self._deaths, select.POLLIN)
        while not self._is_over:
            poll.register(self._channel, self._wanted())
            for descriptor, _ in poll.poll(self._seconds_to_wait(time.monotonic()) * 1000 + 1):
                if descriptor == self._deaths:
                    self._reap()
                elif not self._channel.is_clogged:
                    self._listen()
            if self._channel.is_clogged:
                self._channel.flush()
            self._processes.pass_time(time.monotonic())
            if self._standby.pid is None:
                self._standby.require()

    def _seconds_to_wait(self, now: float) -> float:
        if now >= self._heartbeat_at:
            self._standby.send_heartbeat()
            self._heartbeat_at = now + HEARTBEAT_SECONDS
            self._look_for_deaths()  # two may be one signal, and the second no run's
        times = [self._heartbeat_at - now]
        if (seconds := self._processes.seconds_to_wait(now)) is not None:
            times.append(seconds)
        if self._channel.is_short or self._standby.pid is None:
            times.append(RETRY_SECONDS)
        return min(times)

    def _wanted(self) -> int:
        if self._channel.is_short:
            return 0
        return select.POLLOUT if self._channel.is_clogged else select.POLLIN

    def end(self) -> None:
        """Kill the standby, everything that we started, and its descendants."""
        self._standby.stop()
        self._processes.end_all()

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._deaths, 4096)
        self._look_for_deaths()

    def _look_for_deaths(self) -> None:
        for pid in self._processes.reap(time.monotonic()):
            self._standby.reaped(pid)

    def _listen(self) -> None:
        for _ in range(_REQUESTS_IN_A_ROW):
            if self._channel.is_clogged or (packet := self._channel.receive()) is None:
                return
            if not packet:
                self._is_over = True
                return
            try:
                request = decode_request(packet)
            except ValueError as error:
                self._complain(f"the daemon has sent what is no request: {error}")
            else:
                self._perform(request)
                if self._processes.count <= 1 or isinstance(request, Reread):
                    # Nobody asks for much at a time, or `poll` says so; and a row of what takes long would look as if
                    # we did not respond.
                    return

    def _perform(self, request: Request) -> None:
        match request:
            case Start():
                if request.generation == self._standby.generation:
                    self._processes.start(request, time.monotonic())
            case Signal():
                if request.generation == self._standby.generation:
                    self._processes.signal(request, time.monotonic())
            case Reread():
                self._channel.post(*self._allow_list.reread())
            case Adopt():
                if self._allow_list.adopt(request.checksum):
                    self._processes.allow(self._allow_list.commands, self._allow_list.most)
                    self._standby.replace()  # its copy of the allow-list is the old one
                else:
                    self._complain("the configuration was changed again; send another SIGHUP")
            case Fetch():
                self._fetch(request.name)
            case _:
                assert_never(request)

    def _fetch(self, name: str) -> None:
        try:
            descriptor = self._credentials.open(name)
        except OSError as error:
            self._channel.post(Fetched(name[:_MOST_CHARACTERS], error.errno or errno.EIO))
        else:
            self._channel.post(Fetched(name, 0), (descriptor,))

    def _complain(self, text: str) -> None:
        """Tell the administrator of a request that makes no sense, once: there may be a million more."""
        if not self._has_complained:
            self._has_complained = True
            self._channel.post(Trouble(text))

    def let_go(self) -> None:
        """In a standby: close what is open for the daemon."""
        self._channel.drop_waiting()
        self._processes.let_go()
