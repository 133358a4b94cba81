"""The daemon's life: listeners open, SIGHUP replaces what can be, SIGTERM brings everything to its end."""

import errno
import functools
import gc
import os
import signal
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cmdserver.app import hook_secrets
from cmdserver.app.composition.forwarding import load_receivers
from cmdserver.app.drop_privileges import drop_privileges, load_ahead
from cmdserver.app.hook_secrets import BadSecret
from cmdserver.app.host_process import isolate_descriptors, on_signal, tell_systemd
from cmdserver.app.reload import NO_RELOAD, Reloader, Rereading, log_warnings
from cmdserver.app.startup import open_listener, prepare_state, warn_about_users
from cmdserver.auth.cached_file import open_in
from cmdserver.config.configuration import Configuration
from cmdserver.config.loading import Source
from cmdserver.core.errors import AuditError, BadTLSFiles, CannotListen, CannotStart
from cmdserver.core.model import TargetUser
from cmdserver.core.version import VERSION
from cmdserver.files.opening import opener_for, reader_for
from cmdserver.files.pid_file import PidFile
from cmdserver.files.run_as_owner import Rights
from cmdserver.net.listeners import Listeners
from cmdserver.privsep.daemon.parser_process import ParserProcess
from cmdserver.privsep.daemon.parser_process import start as start_parsing
from cmdserver.privsep.daemon.runner_process import RunnerProcess

#: At the end, for answers that are on their way to clients who read.
FLUSH_SECONDS = 2.0

#: Objects that come to live before the garbage collector looks at the young ones; Python's 700 are a few requests.
_COLLECT_AFTER = 20_000

_log = Logger()


class CmdserverService(Service):
    """The daemon.

    Args:
        target_user: Whom we become when the listeners are open; None if we stay who we are.
        terminal: Where a person watches.
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

    # Service

    def privilegedStartService(self) -> None:
        """Build everything and open the listeners, or raise `CannotStart`; connections wait for the reactor to run."""
        super().privilegedStartService()
        self._hear_signals()
        isolate_descriptors()
        warn_about_users(self._configuration.settings)
        directory = prepare_state(self._state_directory, self._configuration.settings, self._rights)
        self._start_runner()
        self._start_parsing()
        if directory is not None:
            os.fchdir(directory)
            os.close(directory)
            self._state_directory = Path()
        load_ahead(self._target_user, {each.protocol for each in self._configuration.all_listening})
        try:
            self._open_listeners()
            if self._pid_file is not None:
                self._pid_file.write()
            if self._runner_process is not None:
                self._runner_process.wait_until_ready(self._source.packed())
                drop_privileges(self._target_user)
        except BaseException:
            if self._pid_file is not None:
                self._pid_file.remove()
            raise

    def _hear_signals(self) -> None:
        """Postpone signals until the reactor runs: unhandled, they would end the process."""
        on_signal(signal.SIGHUP, lambda: self._reactor.callFromThread(self._reload))
        for number in (signal.SIGTERM, signal.SIGINT):
            on_signal(number, functools.partial(self._end_when_running, number))

    def _end_when_running(self, number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            on_signal(each, lambda: None)
        (self._reactor.sigTerm if number == signal.SIGTERM else self._reactor.sigInt)(number)

    def _open_listeners(self) -> None:
        """Build everything as the daemon's user, and open the listeners, which may take root."""
        # Half of the daemon's modules; the runner process starts while they are imported.
        from cmdserver.app.composition.composition import Composition  # noqa: PLC0415

        try:
            with self._rights.as_target_user():
                self._composition = Composition(
                    self._reactor,
                    self._configuration,
                    self._state_directory,
                    self._runner_process.remote if self._runner_process is not None else None,
                    functools.partial(open_in, self._state_directory),
                    opener_for(self._target_user),
                    self._fetch,
                    self._parser_process,
                )
                read = reader_for(self._target_user)
                tls = self._composition.load_tls(self._configuration, read)
                self._composition.use_secrets(hook_secrets.load(self._configuration.hooks, read))
                self._composition.forwarding.reconfigure(load_receivers(self._configuration.receivers, read))
            for listening in self._configuration.all_listening:
                with self._rights.as_target_user():
                    listener = self._composition.listener(listening, tls)
                open_listener(self._listeners, listener, self._rights)
            self._reloader = Reloader(
                self._rereading, self._source, self._composition, self._listeners, self._runner_process
            )
        except (AuditError, BadSecret, BadTLSFiles) as error:
            raise CannotStart(f"cmdserver: {error}") from error
        except CannotListen as error:
            raise CannotStart(f"cmdserver: cannot listen on {error}") from error

    def _start_runner(self) -> None:
        """Start the runner process, before anything is opened that it must not inherit."""
        if self._configuration.settings.runner.process:
            becomes = self._target_user is not None
            try:
                self._runner_process = RunnerProcess(
                    self._reactor,
                    self._source.path,
                    pid_file=str(self._pid_file.path) if self._pid_file is not None and becomes else "",
                    state_directory=str(self._state_directory) if becomes else "",
                    gone=self._give_up,
                    differs=self._reload,
                )
            except OSError as error:
                raise CannotStart(f"cmdserver: the runner process cannot be started: {error}") from error

    def _start_parsing(self) -> None:
        """Start the parsing process, if a command has a parser and we will not be able to start it later."""
        parsers = sorted({each.parser for each in self._configuration.commands if each.parser is not None})
        self._parser_process = ParserProcess(
            self._reactor, functools.partial(start_parsing, self._target_user, parsers)
        )
        if parsers and self._runner_process is not None:
            self._parser_process.start_ahead()

    def _fetch(self, path: Path) -> Deferred[int]:
        """Have the runner process open a credential file that only root may read."""
        if self._runner_process is None:
            return fail(PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)))
        return self._runner_process.remote.fetch(str(path))

    def _give_up(self) -> None:
        """Stop with exit status 1, so that a supervisor starts the daemon again."""
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def startService(self) -> None:
        """Enter the reactor's life: log what is open, and call `_running` when the reactor runs."""
        super().startService()
        if self._state_directory.is_absolute():
            # No file system is kept busy; and commands that we start run here unless they say otherwise.
            os.chdir("/")
        _log.info("cmdserver {version}", version=VERSION)
        for listener in self._listeners:
            _log.info("listening: {endpoint}", endpoint=listener.key.endpoint)
        log_warnings(self._configuration)
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        """Close the listeners, wait ``drain_seconds`` for what runs, end the rest, and clean up."""
        super().stopService()
        return Deferred.fromCoroutine(self._drain())

    def _running(self) -> None:
        # What exists now stays, and requests leave no cycles behind: look rarely, and at little. The few dozen objects
        # that are garbage by now are not worth the 40 ms before the first answer that it takes to find them.
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 10, 10)
        self._composition.forwarding.start()
        self._composition.history.start()
        self._composition.schedules.start(self._composition.configuration.commands)
        self._say_how_to_try()
        tell_systemd("READY=1")

    def _say_how_to_try(self) -> None:
        """Print on a terminal what a person types to try each listener, once however many endpoints it has."""
        if self._terminal is None:
            return
        lines: dict[int, str] = {}
        for listener in self._listeners:
            if listener.key.table not in lines and (line := listener.example()):
                lines[listener.key.table] = line
        self._terminal.write("".join(f"{line}\n" for line in dict.fromkeys(lines.values())))
        self._terminal.flush()

    def _reload(self) -> None:
        """Read the configuration again: on SIGHUP, or when a new runner process has found another text than ours."""
        if self.running:
            self._reloader.reload()
        else:
            _log.warn(NO_RELOAD)

    # The end

    async def _drain(self) -> None:
        tell_systemd("STOPPING=1")
        # Twisted would complain that it is stopping already. A person who presses Ctrl-C again does not want to wait.
        on_signal(signal.SIGTERM, lambda: None)
        on_signal(signal.SIGINT, lambda: self._reactor.callFromThread(self._composition.runner.end_all))
        try:
            self._composition.schedules.stop()
            await self._listeners.close()
            self._composition.close_connections()
            await self._close_when_idle()
        finally:
            await self._composition.forwarding.close(min(FLUSH_SECONDS, self._drain_seconds))
            await self._composition.history.close()
            self._composition.close()
            if self._pid_file is not None:
                self._pid_file.remove()
            if self._runner_process is not None:
                await self._runner_process.end()

    @property
    def _drain_seconds(self) -> float:
        return self._composition.configuration.limits.drain_seconds

    async def _close_when_idle(self) -> None:
        seconds = self._drain_seconds
        if not await self._is_idle_within(seconds):
            _log.warn("commands still run after {seconds} s; they are ended", seconds=seconds)
            self._composition.runner.end_all()
            await self._composition.runner.wait_idle()
        deadline = self._reactor.seconds() + FLUSH_SECONDS
        while self._composition.limiters.connections.total and self._reactor.seconds() < deadline:
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
