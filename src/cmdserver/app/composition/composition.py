"""Every part of a daemon, put together once and told of each configuration.

Parts that not every daemon needs are imported where they are made.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorProcess

from cmdserver.app.composition.forwarding import AuditForwarding
from cmdserver.app.composition.front_ends import FrontEnds
from cmdserver.app.composition.limiters import descriptors_for, make_limiters
from cmdserver.app.composition.observing import Observing
from cmdserver.app.host_process import allow_connections
from cmdserver.auth.cached_file import Fetch, open_to_read
from cmdserver.auth.hook_authenticator import ArmedHook, HookAuthenticator
from cmdserver.config.configuration import Configuration
from cmdserver.core.events import EventLog
from cmdserver.core.listening import Listening, Login
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.output_parsers import OutputParsers
from cmdserver.dispatch.policy import Policy, wants_second_factor
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.execution.local_backend import LocalBackend
from cmdserver.execution.posix_spawn import Spawner
from cmdserver.execution.runner import Runner
from cmdserver.files.opening import Opener, ReadFile
from cmdserver.files.safe_path import read_file
from cmdserver.frontends.common.interface import FrontEndContext, FrontEndResources
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.store import History
from cmdserver.net.listener import Listener
from cmdserver.net.peer_liveness import PeerLiveness
from cmdserver.observers import run_log
from cmdserver.observers.audit_log import AuditFile
from cmdserver.observers.last_line import NAME as KEPT_LINE
from cmdserver.privsep.daemon.parser_process import ParserProcess
from cmdserver.privsep.daemon.parser_process import start as start_parsing
from cmdserver.triggers.hook import Secrets
from cmdserver.triggers.last_look import LastLook
from cmdserver.triggers.schedules import Schedules
from cmdserver.triggers.time_zone import host_zone

if TYPE_CHECKING:  # the types of what is imported late
    from cmdserver.app.authentication import Authentication
    from cmdserver.net.tls_context import Loaded


class Composition:
    """All parts, put together.

    Args:
        state_directory: Prepared.
        remote: Starts commands, by their names; None: this process does.
        fetch: Has a credential file opened that we may not open; None: nobody does.
        parser_process: Makes data of output; None: it is started when it is needed.

    Raises:
        AuditError: The audit file cannot be opened.
    """

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        state_directory: Path,
        remote: IReactorProcess | None = None,
        open_file: Callable[[Path], int] = open_to_read,
        open_audit: Opener | None = None,
        fetch: Fetch | None = None,
        parser_process: ParserProcess | None = None,
    ) -> None:
        self._reactor = reactor
        self._state_directory = state_directory
        self._open_file = open_file
        self._fetch = fetch
        self._parser_process = parser_process or ParserProcess(reactor, partial(start_parsing, None, ()))
        inherited = self._go_by(configuration)
        self.forwarding = AuditForwarding(reactor)
        self.audit = AuditFile(
            self.audit_path(configuration), open_audit, self.forwarding.forward, state_directory / KEPT_LINE
        )
        self._events = EventLog(self.audit)
        self._events.subscribe(run_log.log_event)
        self.limiters = make_limiters(configuration, reactor)
        self.runner = Runner(remote or LocalBackend(Spawner(reactor, inherited).start, lambda: self._commands), reactor)
        log = RequestLog(self._events, time.time)
        path, limits = self._history_of(configuration)
        self.history = History.in_thread(reactor, path, limits, time.time)
        directory = RunDirectory(
            reactor, time.time, self.history, lambda: self.configuration.settings.history.output_bytes
        )
        assessor = Assessor(OutputParsers(self._parser_process, reactor))
        self._scheduler = Scheduler(self.limiters.runs, self.runner, reactor, log, directory, assessor)
        self.dispatcher = Dispatcher(
            policy=self.policy(),
            throttle=self.limiters.requests,
            scheduler=self._scheduler,
            log=log,
            connection_limit=self.limiters.connections,
            clock=reactor,
            assessor=assessor,
        )
        self.schedules = Schedules(
            self.dispatcher, reactor, time.time, host_zone(os.environ), LastLook(state_directory)
        )
        self._hooks: Mapping[str, ArmedHook] = {}
        self._liveness = PeerLiveness(reactor)
        self._observing = Observing(
            self._events, self.limiters, lambda: self.configuration, self._refused_by_protocol, self.forwarding.counts
        )
        context = FrontEndContext(
            dispatcher=self.dispatcher,
            connection_limit=self.limiters.connections,
            liveness=self._liveness,
            clock=reactor,
            time_of_day=time.time,
            started_at=time.time(),
            limits=lambda: self.configuration.settings.limits,
            site=lambda: self.configuration.site,
        )
        resources = FrontEndResources(
            configuration=lambda: self.configuration,
            state_directory=state_directory,
            hooks=HookAuthenticator(lambda: self._hooks, self._events, time.time),
            trends=self._observing.trends,
            exposition=self._observing.exposition,
        )
        self._front_ends = FrontEnds(reactor, context, resources, self._build_authentication, self.policy)

    def _go_by(self, configuration: Configuration) -> tuple[int, int] | None:
        """Replace the configuration and what is derived from it; return as `allow_connections` does."""
        self.configuration = configuration
        self._commands = {each.name: each for each in configuration.commands}
        return allow_connections(descriptors_for(configuration))

    def policy(self) -> Policy:
        """Return who may run what, by the configuration as it is now."""
        return Policy(self.configuration.commands, self.configuration.roles, self._login_required_at())

    def _login_required_at(self) -> frozenset[str]:
        """Name the listeners at which nobody does anything without a login."""
        return frozenset(
            str(each.endpoint) for each in self.configuration.all_listening if each.login is Login.REQUIRED
        )

    def audit_path(self, configuration: Configuration) -> Path:
        """Return where a configuration wants its audit file."""
        return self._state_directory / configuration.settings.audit.file

    def _history_of(self, configuration: Configuration) -> tuple[Path, HistoryLimits]:
        """Say where a configuration wants the history of runs, and what bounds it."""
        settings = configuration.settings.history
        limits = HistoryLimits(
            runs=settings.runs,
            output_bytes=settings.output_bytes,
            megabytes=settings.megabytes,
            days=settings.days,
        )
        return self._state_directory / settings.file, limits

    def require_parsing(self) -> None:
        """Start the parsing process, if a command has a parser; that this cannot be is logged."""
        if any(each.parser is not None for each in self.configuration.commands):
            self._parser_process.start_ahead()

    # Listeners

    def listener(self, listening: Listening, tls: "Loaded | None") -> Listener:
        """Make, but do not open, a listener."""
        return self._front_ends.listener(listening, tls)

    def load_tls(self, configuration: Configuration, read: ReadFile = read_file) -> "Loaded | None":
        """Read certificate and key as they are now; None if no listener of a configuration needs them.

        Raises:
            BadTLSFiles: They are no good.
        """
        if not any(listening.tls for listening in configuration.listening):
            return None
        from cmdserver.app import tls  # noqa: PLC0415 - see `tls`

        return tls.load(configuration.settings.tls, self._state_directory, read)

    def use_secrets(self, secrets: Secrets) -> None:
        """Let in from now on who knows one of these, and nobody else."""
        self._hooks = {each.name: ArmedHook(each, secrets.get(each.name, ())) for each in self.configuration.hooks}

    def reconfigure(self, configuration: Configuration, tls: "Loaded | None", secrets: Secrets | None = None) -> None:
        """Go by another configuration from now on; its listeners and its audit file are for others to see to."""
        before = self.configuration
        self._go_by(configuration)
        self.use_secrets(secrets or {})
        self._front_ends.reconfigure(configuration.listening, tls)
        self.limiters.reconfigure(configuration)
        path, limits = self._history_of(configuration)
        self.history.reconfigure(limits, path)
        # After all limits: whoever is refused may ask again at once.
        self.dispatcher.reconfigure(self.policy())
        self.schedules.reconfigure(configuration.commands)
        self._observing.reconfigure(before, configuration)
        # After the new policy: what they have sent already is answered by it.
        self._front_ends.close_anonymous_connections(self._login_required_at())
        self._scheduler.start_all_that_may()

    def close_connections(self) -> None:
        """Close every connection when it is idle, and take no more requests."""
        self.dispatcher.close()
        self._front_ends.close_connections()

    def close(self) -> None:
        """Release threads and descriptors."""
        self._front_ends.close()
        self._liveness.close()
        self._parser_process.close()
        self.audit.close()

    def _refused_by_protocol(self) -> Mapping[str, int]:
        return self._front_ends.refused_by_protocol()

    def _build_authentication(self) -> "Authentication":
        from cmdserver.app.authentication import build_authentication  # noqa: PLC0415 - see there
        from cmdserver.auth.credential_store import CredentialStore  # noqa: PLC0415 - as above

        files = CredentialStore(self._state_directory, open_file=self._open_file, fetch=self._fetch)
        return build_authentication(
            self._reactor,
            files,
            self._state_directory,
            self.limiters.logins,
            self._events,
            lambda name: wants_second_factor(self.configuration.roles, name),
            lambda: self.configuration.fleet_host,
        )
