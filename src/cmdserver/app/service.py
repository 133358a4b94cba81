"""The daemon's life: listeners open, SIGHUP replaces what can be, SIGTERM brings everything to its end."""

import errno
import functools
import gc
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cmdserver.app.composition import Composition
from cmdserver.app.drop_privileges import drop_privileges, load_ahead
from cmdserver.app.host_process import isolate_descriptors, on_signal, tell_systemd
from cmdserver.app.startup import open_listener, prepare_state, warn_about_users
from cmdserver.auth.cached_file import open_to_read
from cmdserver.auth.callers import suppose
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import Configuration, Source, changes
from cmdserver.core.errors import AuditError, BadTLSFiles, CannotListen, CannotStart
from cmdserver.core.model import TargetUser
from cmdserver.files.opening import ReadFile, opener_for, reader_for
from cmdserver.files.pid_file import PidFile
from cmdserver.files.run_as_owner import Rights, open_credential_as_root
from cmdserver.files.safe_path import read_file
from cmdserver.net.listeners import Listeners
from cmdserver.privsep.daemon.process import RunnerProcess

#: At the end, for answers that are on their way to clients who read.
FLUSH_SECONDS = 2.0

#: Objects that come to live before the garbage collector looks at the young ones; Python's 700 are a few requests.
_COLLECT_AFTER = 20_000

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rereading:
    """How the configuration is read again."""

    #: Reads its text; raises OSError or `Mistakes`.
    load: Callable[[], Source]
    #: Makes sense of a text; raises `Mistakes`.
    look: Callable[[Source], Configuration]
    #: The same for a text in which the runner process has found no mistakes, with what reads files for it.
    believe: Callable[[Source, ReadFile], Configuration]


class CmdserverService(Service):
    """The daemon.

    Args:
        reactor: The real one.
        source: The configuration's text.
        configuration: What it says.
        state_directory: Where state is kept.
        target_user: Whom we become when the listeners are open; None if we stay who we are.
        rereading: How the configuration is read again.
        pid_file: To be written and removed, if there is to be one.
        terminal: Where a person watches, if one does.
    """

    def __init__(
        self,
        reactor: Any,
        source: Source,
        configuration: Configuration,
        state_directory: Path,
        target_user: TargetUser | None,
        rereading: Rereading,
        pid_file: PidFile | None = None,
        terminal: TextIO | None = None,
    ) -> None:
        self._reactor = reactor
        self._source = source
        self._configuration = configuration
        self._state_directory = state_directory
        self._rereading = rereading
        self._pid_file = pid_file
        self._target_user = target_user
        self._rights = Rights(target_user)
        self._runner_process: RunnerProcess | None = None
        self._terminal = terminal
        self._listeners = Listeners()
        self._is_reloading = False

    # Service

    def privilegedStartService(self) -> None:
        """Build everything and open the listeners, or raise `CannotStart`; connections wait for the reactor to run."""
        super().privilegedStartService()
        self._hear_signals()
        isolate_descriptors()
        warn_about_users(self._configuration.settings)
        directory = prepare_state(self._state_directory, self._configuration.settings, self._rights)
        self._start_runner()
        if directory is not None:
            os.fchdir(directory)
            os.close(directory)
            self._state_directory = Path()
        load_ahead(self._target_user, {each.protocol for each in self._configuration.listening})
        try:
            self._open_doors()
            if self._pid_file is not None:
                self._pid_file.write()
            if self._runner_process is not None:
                self._runner_process.wait_until_ready(self._source.text)
                drop_privileges(self._target_user)
        except BaseException:
            if self._pid_file is not None:
                self._pid_file.remove()
            raise

    def _hear_signals(self) -> None:
        """Take note of what is asked for until the reactor runs, which does it then: else it would be the end of us."""
        on_signal(signal.SIGHUP, lambda: self._reactor.callFromThread(self.reload))
        for number in (signal.SIGTERM, signal.SIGINT):
            on_signal(number, functools.partial(self._end_when_running, number))

    def _end_when_running(self, number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            on_signal(each, lambda: None)
        (self._reactor.sigTerm if number == signal.SIGTERM else self._reactor.sigInt)(number)

    def _open_doors(self) -> None:
        """Build everything as the user whose the state directory is, and open the listeners, which may take root."""
        try:
            with self._rights.as_successor():
                self._composition = Composition(
                    self._reactor,
                    self._configuration,
                    self._state_directory,
                    self._remote(),
                    self._open_to_read,
                    opener_for(self._target_user),
                    reader_for(self._target_user),
                    self._fetch,
                )
            for listening in self._configuration.listening:
                with self._rights.as_successor():
                    listener = self._composition.listener(listening, self._configuration)
                open_listener(self._listeners, listener, self._rights)
        except (AuditError, BadTLSFiles) as error:
            raise CannotStart(f"cmdserver: {error}") from error
        except CannotListen as error:
            raise CannotStart(f"cmdserver: cannot listen on {error}") from error

    def _start_runner(self) -> None:
        """Start it first: it takes a moment, and gets none of the descriptors that are opened next."""
        if self._configuration.settings.runner.process:
            becomes = self._target_user is not None
            try:
                self._runner_process = RunnerProcess(
                    self._reactor,
                    self._source.path,
                    pid_file=str(self._pid_file.path) if self._pid_file is not None and becomes else "",
                    state_directory=str(self._state_directory) if becomes else "",
                    gone=self._give_up,
                    differs=self._read_again,
                )
            except OSError as error:
                raise CannotStart(f"cmdserver: the runner process cannot be started: {error}") from error

    def _read_again(self) -> None:
        """A new runner has found another text than ours."""
        self.reload()

    def _remote(self) -> IReactorProcess | None:
        return self._runner_process.remote if self._runner_process is not None else None

    def _open_to_read(self, path: Path) -> int:
        """Open a credential file; at the start also one that root has put there and only root may read."""
        try:
            return open_to_read(path)
        except PermissionError:
            if (descriptor := open_credential_as_root(path, self._state_directory)) is not None:
                return descriptor
            raise

    def _fetch(self, path: Path) -> Deferred[int]:
        """Have a credential file opened that we may not open: who puts it there may be root, and not think of us."""
        if self._runner_process is None:
            return fail(PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)))
        return self._runner_process.remote.fetch(str(path))

    def _give_up(self) -> None:
        """Stop, as a failure: whoever supervises us is to start us again."""
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def startService(self) -> None:
        """Begin."""
        super().startService()
        if self._state_directory.is_absolute():
            # No file system is kept busy; and commands that we start run here unless they say otherwise.
            os.chdir("/")
        for listener in self._listeners:
            _log.info("listening: {endpoint}", endpoint=listener.key.endpoint)
        self._warn()
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        """Close the listeners, let what runs come to its end, end what does not, and leave nothing behind."""
        super().stopService()
        return Deferred.fromCoroutine(self._drain())

    def _running(self) -> None:
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
        command = next((each.name for each in self._composition.policy().allowed(stranger)), "help")
        for listener in self._listeners:
            if line := listener.example_command(command):
                self._terminal.write(f"{line}\n")
        self._terminal.flush()

    def _warn(self) -> None:
        """Say what in the configuration that we go by is without effect, or has another than may be meant."""
        for warning in self._configuration.warnings:
            _log.warn("configuration: {warning}", warning=str(warning))

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
            await self._reread()
        except Mistakes as mistakes:
            self._complain(map(str, mistakes.mistakes))
        except OSError as error:
            _log.error("the configuration cannot be read; nothing was changed: {error}", error=error)
        except (AuditError, BadTLSFiles, CannotListen, CannotStart) as error:
            _log.error("nothing was changed: {error}", error=error)
        except ImportError as error:  # see `preloading`
            _log.error(
                "nothing was changed: this takes a restart, as Python cannot be read by us: {error}", error=error
            )
        finally:
            self._is_reloading = False
            tell_systemd("READY=1")

    def _complain(self, mistakes: Iterable[str]) -> None:
        for mistake in mistakes:
            _log.error("configuration: {mistake}", mistake=mistake)
        _log.error("the configuration has mistakes; nothing was changed")

    async def _reread(self) -> None:
        """Read, or have it read by the runner process, which must go by the same text."""
        if self._runner_process is None:
            source = self._rereading.load()
            await self._replace(source, self._rereading.look(source), read_file)
            return
        reading = await self._runner_process.reread()
        if reading.mistakes:
            self._complain(reading.mistakes)
            return
        source = Source(path=self._source.path, text=reading.text)
        await self._replace(source, self._rereading.believe(source, reading.read), reading.read)

    async def _replace(self, source: Source, new: Configuration, read: ReadFile) -> None:
        """Swap everything, or raise and leave everything as it was: what can fail is done before what counts."""
        old, composition = self._configuration, self._composition
        audit = composition.audit.prepare(composition.audit_path(new))
        try:
            tls = composition.load_tls(new, read)
            kept = [each for each in self._listeners if each.key in new.listening]
            known = [each.key for each in kept]
            await self._listeners.replace(
                kept, [composition.listener(key, new) for key in new.listening if key not in known]
            )
        except BaseException:
            audit.discard()
            raise
        composition.audit.adopt(audit)
        composition.use_tls(tls)
        self._source, self._configuration = source, new
        if self._runner_process is not None:
            self._runner_process.adopt(source.text)
        composition.replace(new)
        for change in changes(old.settings, new.settings) or ["nothing differs"]:
            _log.info("configuration read again: {change}", change=change)
        self._warn()
        if old.settings.state_dir != new.settings.state_dir:
            _log.warn("state_dir takes effect at the next start")

    # The end

    async def _drain(self) -> None:
        tell_systemd("STOPPING=1")
        # Twisted would complain that it is stopping already. A person who presses Ctrl-C again does not want to wait.
        on_signal(signal.SIGTERM, lambda: None)
        on_signal(signal.SIGINT, lambda: self._reactor.callFromThread(self._composition.runner.end_all))
        try:
            await self._listeners.close()
            self._composition.close_connections()
            await self._close_when_idle()
        finally:
            self._composition.close()
            if self._pid_file is not None:
                self._pid_file.remove()
            if self._runner_process is not None:
                await self._runner_process.end()

    async def _close_when_idle(self) -> None:
        seconds = self._configuration.limits.drain_seconds
        if not await self._is_idle_within(seconds):
            _log.warn("commands still run after {seconds} s; they are ended", seconds=seconds)
            self._composition.runner.end_all()
            await self._composition.runner.wait_idle()
        deadline = self._reactor.seconds() + FLUSH_SECONDS
        while self._composition.connection_limit.total and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.02)

    async def _is_idle_within(self, seconds: float) -> bool:
        idle = self._composition.runner.wait_idle()
        timer = self._reactor.callLater(seconds, idle.cancel)
        try:
            await idle
        except CancelledError:
            return False
        timer.cancel()
        return True
