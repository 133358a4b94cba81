"""The object graph: what a configuration and a reactor are made into, and what a reload replaces in it.

Parts that not every daemon needs are imported where they are made, by the builders at the end of the class.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorProcess, IReactorTime

from cmdserver.app.host_process import allow_connections
from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.cached_file import Fetch, open_to_read
from cmdserver.auth.hook_authenticator import ArmedHook, HookAuthenticator
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.config.configuration import Configuration
from cmdserver.core.events import EventLog
from cmdserver.core.listening import Listening, Login
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.output_parsers import OutputParsers
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import Run
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.execution.local_backend import LocalBackend
from cmdserver.execution.posix_spawn import Spawner
from cmdserver.execution.runner import Runner
from cmdserver.files.opening import Opener, ReadFile
from cmdserver.files.safe_path import read_file
from cmdserver.frontends.common.examples import choose_trial, place_of
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import Exposition, FrontEndContext, FrontEndResources
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.store import History
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.max_startups import UnauthenticatedConnections
from cmdserver.limits.rate_limit import Throttle
from cmdserver.limits.source_penalties import Penalties
from cmdserver.net.listener import Listener
from cmdserver.net.peer_liveness import PeerLiveness
from cmdserver.net.proxied_endpoint import MOST_PENDING
from cmdserver.observers import run_log
from cmdserver.observers.audit_log import AuditFile
from cmdserver.privsep.daemon.parser_process import ParserProcess
from cmdserver.privsep.daemon.parser_process import start as start_parsing
from cmdserver.runs.check_trends import CheckTrends, TrendOf
from cmdserver.triggers.hook import Secrets
from cmdserver.triggers.last_look import LastLook
from cmdserver.triggers.schedules import Schedules
from cmdserver.triggers.time_zone import host_zone

if TYPE_CHECKING:  # the types of what is imported late
    from cmdserver.app.authentication import Authentication
    from cmdserver.net.tls_context import Loaded, ServerCredentials
    from cmdserver.observers.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Limiters:
    """All that counts and bounds what callers use."""

    connections: ConnectionLimit
    logins: LoginLimit
    requests: Throttle
    runs: FairQueue[Run]

    def reconfigure(self, configuration: Configuration) -> None:
        """Go by the limits of another configuration; what was counted stays counted."""
        limits = configuration.limits
        self.connections.reconfigure(limits.connections, limits.connections_per_source)
        self.logins.unauthenticated_connections.reconfigure(
            configuration.max_startups, limits.unauthenticated_per_source
        )
        self.logins.penalties.reconfigure(configuration.penalty_exempt)
        self.requests.reconfigure(limits.caller_requests_per_minute)
        self.runs.reconfigure(limits.running, limits.queued)


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
        self.audit = AuditFile(self.audit_path(configuration), open_audit)
        self._events = EventLog(self.audit)
        self._events.subscribe(run_log.log_event)
        self.limiters = _make_limiters(configuration, reactor)
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
        self._context = FrontEndContext(
            dispatcher=self.dispatcher,
            connection_limit=self.limiters.connections,
            liveness=self._liveness,
            clock=reactor,
            time_of_day=time.time,
            limits=lambda: self.configuration.limits,
            site=lambda: self.configuration.site,
        )
        self._resources = FrontEndResources(
            configuration=lambda: self.configuration,
            state_directory=state_directory,
            hooks=HookAuthenticator(lambda: self._hooks, self._events, time.time),
            trends=self._trends_of,
            exposition=self._exposition,
        )
        self._front_ends: dict[Listening, FrontEnd] = {}
        # Made when the first listener needs them.
        self._credentials: ServerCredentials | None = None
        self._authentication: Authentication | None = None
        self._metrics: Metrics | None = None
        self._trends: CheckTrends | None = None

    def _go_by(self, configuration: Configuration) -> tuple[int, int] | None:
        """Replace the configuration and what is derived from it; return as `allow_connections` does."""
        self.configuration = configuration
        self._commands = {each.name: each for each in configuration.commands}
        return allow_connections(_descriptors(configuration))

    def policy(self) -> Policy:
        """Return who may run what, by the configuration as it is now."""
        return Policy(self.configuration.commands, self.configuration.roles, self._login_required_at())

    def _login_required_at(self) -> frozenset[str]:
        """Name the listeners at which nobody does anything without a login."""
        return frozenset(str(each.endpoint) for each in self.configuration.listening if each.login is Login.REQUIRED)

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
        front_end = self._front_ends.get(listening)
        if front_end is None:
            front_end = self._front_ends[listening] = self._make_front_end(listening)
        front_end.source_filter.networks = listening.networks
        factory = self._wrap(front_end, tls) if listening.tls else front_end
        return Listener(self._reactor, listening, factory, partial(self._example, listening, front_end))

    def _example(self, listening: Listening, front_end: FrontEnd, address: IAddress) -> str | None:
        """Say what a person would type to try a listener, as somebody who may."""
        users = self._authentication.users_at(listening.protocol) if self._authentication is not None else ()
        trial = choose_trial(listening.login, users, self.policy().allowed)
        if trial is None:
            return None
        return front_end.example(place_of(address, is_proxied=listening.endpoint.is_proxied), trial)

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
        before = self._commands
        self._go_by(configuration)
        self.use_secrets(secrets or {})
        if self._credentials is not None and tls is not None:
            self._use_tls(tls)
        for listening in configuration.listening:
            if front_end := self._front_ends.get(listening):
                front_end.source_filter.networks = listening.networks
        self.limiters.reconfigure(configuration)
        path, limits = self._history_of(configuration)
        self.history.reconfigure(limits, path)
        # After all limits: whoever is refused may ask again at once.
        self.dispatcher.reconfigure(self.policy())
        self.schedules.reconfigure(configuration.commands)
        if self._trends is not None:
            self._trends.reconfigure(each.name for each in configuration.commands if before.get(each.name) == each)
        # After the new policy: what they have sent already is answered by it.
        self._close_anonymous_connections()
        self._scheduler.start_all_that_may()

    def _close_anonymous_connections(self) -> None:
        """Close connections, when they are idle, that were made to a listener before it required a login.

        The policy refuses whoever has not logged in there; they are to come back through the new listener.
        """
        required_at = self._login_required_at()
        for listening, front_end in self._front_ends.items():
            if listening.login is not Login.REQUIRED and str(listening.endpoint) in required_at:
                front_end.close()

    def close_connections(self) -> None:
        """Close every connection when it is idle, and take no more requests."""
        self.dispatcher.close()
        for front_end in self._front_ends.values():
            front_end.close()

    def _refused_by_protocol(self) -> Mapping[str, int]:
        """Count whom ``from`` has kept out; listeners that are closed are counted in, as a counter never falls."""
        counts: dict[str, int] = {}
        for listening, front_end in self._front_ends.items():
            sources = front_end.source_filter
            if sources.networks or sources.refused:
                counts[listening.protocol] = counts.get(listening.protocol, 0) + sources.refused
        return counts

    def close(self) -> None:
        """Release threads and descriptors."""
        if self._authentication is not None:
            self._authentication.close()
        self._liveness.close()
        self._parser_process.close()
        self.audit.close()

    # Builders of what not every daemon needs

    def _make_front_end(self, listening: Listening) -> FrontEnd:
        authenticator = None if listening.login is Login.NEVER else self._require_authenticator()
        auth = ListenerAuth(
            listening.protocol, listening.login, authenticator, place=str(listening.endpoint), tls=listening.tls
        )
        certificate_of = import_module("cmdserver.app.tls").certificate_of if listening.tls else None
        make: Callable[..., FrontEnd] = import_module(listening.protocol.front_end).make
        return make(auth, self._context, self._resources, certificate_of)

    def _require_authenticator(self) -> Authenticator:
        if self._authentication is None:
            from cmdserver.app.authentication import build_authentication  # noqa: PLC0415 - see there
            from cmdserver.auth.credential_store import CredentialStore  # noqa: PLC0415 - as above

            files = CredentialStore(self._state_directory, open_file=self._open_file, fetch=self._fetch)
            self._authentication = build_authentication(
                self._reactor, files, self._state_directory, self.limiters.logins, self._events
            )
        return self._authentication.authenticator

    def _wrap(self, front_end: FrontEnd, loaded: "Loaded | None") -> IProtocolFactory:
        """Put TLS around the connections of a front end."""
        from cmdserver.net import tls_transport  # noqa: PLC0415 - see `tls`

        if loaded is not None and self._credentials is None:
            self._use_tls(loaded)
        if self._credentials is None:
            raise ValueError("a listener speaks TLS, and no certificate was loaded")
        return tls_transport.TLSFactory(front_end, self._credentials, self._reactor)

    def _use_tls(self, loaded: "Loaded") -> None:
        from cmdserver.app import tls  # noqa: PLC0415 - see `tls`

        self._credentials = tls.use(loaded, self._credentials)

    def _trends_of(self) -> TrendOf:
        """Begin to listen to what checks find, if nobody has."""
        if self._trends is None:
            self._trends = CheckTrends()
            self._events.subscribe(self._trends)
        return self._trends.of

    def _exposition(self) -> Exposition:
        """Begin to measure, if nobody has: events are counted from now on."""
        if self._metrics is None:
            from cmdserver.observers.metrics import Metrics, Now  # noqa: PLC0415 - for web listeners only
            from cmdserver.observers.series import Offer  # noqa: PLC0415 - likewise

            def offer_of(configuration: Configuration) -> Offer:
                return Offer(
                    commands={each.name: each for each in configuration.commands},
                    listening=configuration.listening,
                    hooked=frozenset(hook.command for hook in configuration.hooks if hook.only_if),
                    limits_callers=configuration.limits.caller_requests_per_minute > 0,
                )

            now = Now(
                running=lambda: self.limiters.runs.running,
                queued=lambda: self.limiters.runs.queued,
                connections=self.limiters.connections.counts,
                refused=self._refused_by_protocol,
                offer=self._resources.latest(offer_of),
            )
            self._metrics = Metrics(now)
            self._events.subscribe(self._metrics)
        return self._metrics


def _make_limiters(configuration: Configuration, clock: IReactorTime) -> Limiters:
    limits = configuration.limits
    startups = UnauthenticatedConnections(configuration.max_startups, limits.unauthenticated_per_source)
    return Limiters(
        connections=ConnectionLimit(limits.connections, limits.connections_per_source),
        logins=LoginLimit(startups, Penalties(configuration.penalty_exempt), clock, random.SystemRandom().random),
        requests=Throttle(limits.caller_requests_per_minute),
        runs=FairQueue(limits.running, limits.queued),
    )


def _descriptors(configuration: Configuration) -> int:
    """Say how many may be open: for connections, those whose proxy has not named their client yet, and pipes."""
    limits = configuration.limits
    proxied = sum(listening.endpoint.is_proxied for listening in configuration.listening)
    return limits.connections + proxied * MOST_PENDING + 4 * limits.running
