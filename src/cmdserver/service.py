"""The daemon's life: doors open, SIGHUP replaces what can be, SIGTERM brings everything to its end."""

import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cmdserver.configuration import Configuration, changes
from cmdserver.errors import AuditError, BadTLSFiles, CannotListen, CannotStart
from cmdserver.house import House
from cmdserver.identity import suppose
from cmdserver.listening import Listener
from cmdserver.process import isolate_descriptors, on_signal, tell_systemd
from cmdserver.reading import Mistakes
from cmdserver.state import prepare_directory

#: At the end, for answers that are on their way to clients who read.
FLUSH_SECONDS = 2.0

#: Objects that come to live before the garbage collector looks at the young ones; Python's 700 are a few requests.
_COLLECT_AFTER = 20_000

_log = Logger()


class CmdserverService(Service):
    """The daemon.

    Args:
        reactor: The real one.
        configuration: To begin with.
        state_directory: Where state is kept.
        reread: Reads the configuration again; raises `Mistakes`, OSError or UnicodeDecodeError.
        terminal: Where a person watches, if one does.
    """

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        state_directory: Path,
        reread: Callable[[], Configuration],
        terminal: TextIO | None = None,
    ) -> None:
        self._reactor = reactor
        self._configuration = configuration
        self._state_directory = state_directory
        self._reread = reread
        self._terminal = terminal
        self._listeners: list[Listener] = []
        self._is_reloading = False

    # Service

    def privilegedStartService(self) -> None:
        """Build everything and open the doors, or raise `CannotStart`; nothing is accepted before the reactor runs."""
        super().privilegedStartService()
        isolate_descriptors()
        prepare_directory(self._state_directory)
        try:
            self._house = House(self._reactor, self._configuration, self._state_directory)
            for listening in self._configuration.listening:
                listener = self._house.listener(listening, self._configuration)
                listener.open()
                self._listeners.append(listener)
        except (AuditError, BadTLSFiles) as error:
            raise CannotStart(f"cmdserver: {error}") from error
        except CannotListen as error:
            raise CannotStart(f"cmdserver: cannot open the door at {error}") from error

    def startService(self) -> None:
        """Begin."""
        super().startService()
        # Commands run here unless they say otherwise, and no file system is kept busy.
        os.chdir("/")
        for listener in self._listeners:
            _log.info("listening: {endpoint}", endpoint=listener.key.endpoint)
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        """Close the doors, let what runs come to its end, end what does not, and leave nothing behind."""
        super().stopService()
        return Deferred.fromCoroutine(self._drain())

    def _running(self) -> None:
        on_signal(signal.SIGHUP, lambda: self._reactor.callFromThread(self.reload))
        # What exists now stays, and requests leave no cycles behind: look rarely, and at little.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 10, 10)
        self._say_how_to_try()
        tell_systemd("READY=1")

    def _say_how_to_try(self) -> None:
        """Show a person at a terminal what to type, with a command that everybody may run if there is one."""
        if self._terminal is None:
            return
        stranger = suppose(None)
        command = next((each.name for each in self._house.policy().allowed(stranger)), "help")
        for listener in self._listeners:
            if line := listener.try_it(command):
                self._terminal.write(f"{line}\n")
        self._terminal.flush()

    # SIGHUP

    def reload(self) -> Deferred[None]:
        """Read the configuration again. A good one takes effect, without dropping a connection; a bad one does not."""
        return Deferred.fromCoroutine(self._reload()).addErrback(
            lambda failure: _log.failure("the configuration could not be changed", failure)
        )

    async def _reload(self) -> None:
        if self._is_reloading or not self.running:
            _log.warn("a reload is under way or the daemon is stopping; this SIGHUP is ignored")
            return
        self._is_reloading = True
        tell_systemd("RELOADING=1")
        try:
            await self._replace(self._reread())
        except Mistakes as mistakes:
            for mistake in mistakes.mistakes:
                _log.error("configuration: {mistake}", mistake=str(mistake))
            _log.error("the configuration has mistakes; nothing was changed")
        except (OSError, UnicodeDecodeError) as error:
            _log.error("the configuration cannot be read; nothing was changed: {error}", error=error)
        except (AuditError, BadTLSFiles, CannotListen, CannotStart) as error:
            _log.error("nothing was changed: {error}", error=error)
        finally:
            self._is_reloading = False
            tell_systemd("READY=1")

    async def _replace(self, new: Configuration) -> None:
        """Swap everything, or raise and leave everything as it was: what can fail is done before what counts."""
        old, house = self._configuration, self._house
        audit = house.audit.prepare(house.audit_path(new))
        try:
            tls = house.load_tls(new)
            await self._listen_instead(new)
        except BaseException:
            audit.discard()
            raise
        house.audit.adopt(audit)
        house.use_tls(tls)
        self._configuration = new
        house.replace(new)
        for change in changes(old.settings, new.settings) or ["nothing differs"]:
            _log.info("configuration read again: {change}", change=change)
        if old.settings.state_dir != new.settings.state_dir:
            _log.warn("state_dir takes effect at the next start")

    async def _listen_instead(self, new: Configuration) -> None:
        """Open the doors that are new and close those that are not wanted any more.

        Raises:
            CannotListen: One cannot be opened; the doors are as they were.
            BadTLSFiles: The same.
        """
        kept = [each for each in self._listeners if each.key in new.listening]
        unwanted = [each for each in self._listeners if each.key not in new.listening]
        wanted = [self._house.listener(key, new) for key in new.listening if key not in [each.key for each in kept]]
        # First, because a new endpoint may be an old one's port on another interface.
        for listener in unwanted:
            await self._close(listener)
        opened: list[Listener] = []
        try:
            for listener in wanted:
                listener.open()
                opened.append(listener)
        except CannotListen:
            for listener in opened:
                await self._close(listener)
            for listener in unwanted:
                try:
                    listener.open()
                except CannotListen as error:
                    _log.critical("a door that was closed cannot be opened again: {error}", error=error)
            raise
        self._listeners = kept + opened

    async def _close(self, listener: Listener) -> None:
        """Close a door, whatever its socket has met with: somebody may have removed its file."""
        try:
            await listener.close()
        except OSError as error:
            _log.warn("{endpoint}: closed, but: {error}", endpoint=listener.key.endpoint, error=error)

    # The end

    async def _drain(self) -> None:
        tell_systemd("STOPPING=1")
        # Twisted would complain that it is stopping already. A person who presses Ctrl-C again does not want to wait.
        on_signal(signal.SIGTERM, lambda: None)
        on_signal(signal.SIGINT, lambda: self._reactor.callFromThread(self._house.runner.end_all))
        try:
            for listener in self._listeners:
                await self._close(listener)
            self._house.close_connections()
            await self._come_to_an_end()
        finally:
            self._house.close()

    async def _come_to_an_end(self) -> None:
        seconds = self._configuration.limits.drain_seconds
        if not await self._is_idle_within(seconds):
            _log.warn("commands still run after {seconds} s; they are ended", seconds=seconds)
            self._house.runner.end_all()
            await self._house.runner.wait_idle()
        deadline = self._reactor.seconds() + FLUSH_SECONDS
        while self._house.gate.total and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.02)

    async def _is_idle_within(self, seconds: float) -> bool:
        idle = self._house.runner.wait_idle()
        timer = self._reactor.callLater(seconds, idle.cancel)
        try:
            await idle
        except CancelledError:
            return False
        timer.cancel()
        return True
