"""The object graph: what a configuration and a reactor are made into, and what a reload replaces in it.

To add a protocol: write its package in ``frontends``, and name it in `FRONT_ENDS`.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReactorProcess, IReactorTime
from twisted.logger import Logger

from cmdserver.app.host_process import allow_connections
from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.cached_file import Fetch, open_to_read
from cmdserver.auth.credentials import Certificate
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.config.loading import Configuration
from cmdserver.config.schema import Limits
from cmdserver.core.addresses import parse_network
from cmdserver.core.events import EventLog
from cmdserver.core.model import Listening, Login
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.scheduler import Run, Scheduler
from cmdserver.execution.local_backend import LocalBackend
from cmdserver.execution.posix_spawn import Spawner
from cmdserver.execution.runner import Runner
from cmdserver.files.opening import Opener, ReadFile
from cmdserver.files.safe_path import read_file
from cmdserver.frontends.common.interface import Exposition, FrontEnd, FrontEndContext
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.max_startups import MaxStartups, UnauthenticatedConnections
from cmdserver.limits.rate_limit import Throttle
from cmdserver.limits.source_penalties import Penalties
from cmdserver.net.host_names import own_names
from cmdserver.net.listener import Listener
from cmdserver.net.peer_liveness import PeerLiveness
from cmdserver.net.proxied_endpoint import MOST_PENDING
from cmdserver.observers.audit_log import AuditFile

#: The listeners that there are. Named, not imported: a listener that is not configured costs nothing at start-up.
FRONT_ENDS: Mapping[str, str] = {
    "line": "cmdserver.frontends.line.front_end",
    "web": "cmdserver.frontends.web.front_end",
    "ssh": "cmdserver.frontends.ssh.front_end",
}

_log = Logger()


class Composition:
    """All parts, put together.

    Args:
        reactor: The real one.
        configuration: To begin with.
        state_directory: Prepared.
        remote: Starts commands, by their names; None: we do.
        open_file: Opens a credential file to be read.
        open_audit: Opens the audit file to append to.
        read: Reads the files of TLS at the start.
        fetch: Has a credential file opened that we may not open; None: nobody does.

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
        read: ReadFile = read_file,
        fetch: Fetch | None = None,
    ) -> None:
        self._open_file = open_file
        self._read = read
        self._fetch = fetch
        self._reactor = reactor
        self._configuration = configuration
        self._state_directory = state_directory
        limits = configuration.limits
        inherited = allow_connections(_descriptors(configuration))
        self.audit = AuditFile(self.audit_path(configuration), open_audit)
        self._events = EventLog(self.audit)
        self.connection_limit = ConnectionLimit(limits.connections, limits.connections_per_source)
        self._throttle = Throttle(limits.caller_requests_per_minute)
        self._commands = {each.name: each for each in configuration.commands}
        starts = remote or LocalBackend(Spawner(reactor, inherited), lambda: self._commands)
        self.runner = Runner(starts, reactor)
        self._fair_queue: FairQueue[Run] = FairQueue(limits.running, limits.queued)
        self._scheduler = Scheduler(self._fair_queue, self.runner, reactor)
        self.dispatcher = Dispatcher(
            policy=self.policy(),
            throttle=self._throttle,
            scheduler=self._scheduler,
            events=self._events,
            connection_limit=self.connection_limit,
            clock=reactor,
            time_of_day=time.time,
        )
        self._login_limit = _make_login_limit(limits, reactor)
        self._liveness = PeerLiveness(reactor)
        self._context = self._make_context()
        self._web_hosts = _web_hosts(configuration)
        self._metrics: Any = None
        self._front_ends: dict[Listening, FrontEnd] = {}
        # Made when the first listener speaks TLS, and when the first listener asks who is calling: until then nothing
        # of what they rest on is imported, as it takes a tenth of a second.
        self._tls: Any = None
        self._authenticator: Authenticator | None = None
        self._verifier: Any = None

    # Parts

    def _make_context(self) -> FrontEndContext:
        return FrontEndContext(
            dispatcher=self.dispatcher,
            connection_limit=self.connection_limit,
            liveness=self._liveness,
            clock=self._reactor,
            limits=lambda: self._configuration.limits,
            web_hosts=lambda: self._web_hosts,
            web_base_path=lambda: self._configuration.settings.web.base_path,
            logs_access=lambda: self._configuration.settings.web.access_log,
            exposition=self._exposition,
            ssh_host_keys=self._ssh_host_keys,
        )

    def policy(self) -> Policy:
        """Who may run what, by the configuration as it is now."""
        return Policy(self._configuration.commands, self._configuration.roles, self._login_required_at())

    def _login_required_at(self) -> frozenset[str]:
        """Name the listeners at which nobody does anything without a login."""
        return frozenset(each.endpoint for each in self._configuration.listening if each.login == Login.REQUIRED)

    @property
    def _command_names(self) -> frozenset[str]:
        return frozenset(command.name for command in self._configuration.commands)

    def audit_path(self, configuration: Configuration) -> Path:
        """Where a configuration wants its audit file."""
        return self._state_directory / configuration.settings.audit.file

    def listener(self, listening: Listening, configuration: Configuration) -> Listener:
        """Make, but do not open, a listener of a configuration.

        Raises:
            BadTLSFiles: It speaks TLS, and certificate or key are no good.
        """
        front_end = self._front_ends.get(listening)
        if front_end is None:
            login = Login(listening.login)
            authenticator = None if login is Login.NEVER else self._require_authenticator()
            auth = ListenerAuth(listening.protocol, login, authenticator, place=listening.endpoint)
            make = import_module(FRONT_ENDS[listening.protocol]).make
            front_end = make(auth, self._context, self._certificate_of if listening.tls else None)
            self._front_ends[listening] = front_end
        factory: IProtocolFactory = front_end
        if listening.tls:
            from cmdserver.net import tls_transport  # noqa: PLC0415 - see _tls

            factory = tls_transport.wrap(front_end, self._require_tls(configuration), self._reactor)
        return Listener(self._reactor, listening, factory, front_end.example_command)

    # A reload, in the order in which it may fail

    def replace(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; its listeners and its audit file are others' to see to."""
        self._configuration = configuration
        self._web_hosts = _web_hosts(configuration)
        self._commands = {each.name: each for each in configuration.commands}
        limits = configuration.limits
        self._throttle.per_minute = limits.caller_requests_per_minute
        self.connection_limit.connections, self.connection_limit.per_source = (
            limits.connections,
            limits.connections_per_source,
        )
        self._fair_queue.running_limit, self._fair_queue.queued_limit = limits.running, limits.queued
        self._login_limit.unauthenticated_connections.startups = MaxStartups.parse(limits.unauthenticated)
        self._login_limit.unauthenticated_connections.per_source = limits.unauthenticated_per_source
        self._login_limit.penalties.exempt = tuple(map(parse_network, limits.penalty_exempt))
        # Behind all that is counted and bounded: whoever is refused may ask again at once.
        self.dispatcher.reconfigure(self.policy())
        # By the new policy: what they have sent ahead is answered on their way out.
        self._part_from_the_anonymous()
        self._scheduler.start_all_that_may()
        allow_connections(_descriptors(configuration))

    def _part_from_the_anonymous(self) -> None:
        """Bring connections to their end that were made to a listener before it required a login.

        The policy refuses whoever has not logged in there; they are to come back through the new listener.
        """
        required_at = self._login_required_at()
        for listening, front_end in self._front_ends.items():
            if listening.login != Login.REQUIRED and listening.endpoint in required_at:
                front_end.close()

    def load_tls(self, configuration: Configuration, read: ReadFile | None = None) -> Any:
        """Read certificate and key as they are now; None if no listener of a configuration needs them.

        Args:
            configuration: Which names them.
            read: Reads a file, from now on; None: as before.

        Raises:
            BadTLSFiles: They are no good.
        """
        if not any(listening.tls for listening in configuration.listening):
            return None
        from cmdserver.net import tls_context  # noqa: PLC0415 - see _tls

        self._read = read or self._read
        return tls_context.load(self._tls_files(configuration), datetime.now(UTC), self._read)

    def use_tls(self, loaded: Any) -> None:
        """Open new connections with what `load_tls` has read."""
        if self._tls is not None and loaded is not None:
            self._tls.loaded = loaded
            self._warn_about_tls()

    # The end

    def close_connections(self) -> None:
        """Bring every connection to its end, and take no more requests."""
        self.dispatcher.close()
        for front_end in self._front_ends.values():
            front_end.close()

    def close(self) -> None:
        """Let go of everything."""
        if self._verifier is not None:
            self._verifier.stop()
        self._liveness.close()
        self.audit.close()

    # Identity

    def _require_authenticator(self) -> Authenticator:
        """Find out who callers are; where nobody is known yet, make the one who is."""
        if self._authenticator is None:
            from cmdserver.app.bootstrap import require_user  # noqa: PLC0415
            from cmdserver.auth import checkers  # noqa: PLC0415 - see above
            from cmdserver.auth.credential_store import CredentialFiles  # noqa: PLC0415
            from cmdserver.auth.password_cache import PasswordCache  # noqa: PLC0415
            from cmdserver.auth.password_verifier import HashingThreads, PasswordVerifier, threads_for  # noqa: PLC0415

            files = CredentialFiles(self._state_directory, open_file=self._open_file, fetch=self._fetch)
            require_user(files, self._state_directory)
            for complaint in files.complaints():
                _log.warn("{complaint}", complaint=complaint)
            self._verifier = PasswordVerifier(self._reactor, HashingThreads(threads_for(os.cpu_count() or 1)))
            public_keys = checkers.PublicKeyChecker(files, lambda: datetime.now(UTC))
            believed = [
                checkers.PasswordChecker(files, self._verifier, PasswordCache(os.urandom(32)), self._reactor.seconds),
                public_keys,
                checkers.TokenChecker(files, lambda: datetime.now(UTC)),
                checkers.CertificateChecker(),
            ]
            self._authenticator = Authenticator(
                believed, self._login_limit, self._events, time.time, public_keys.is_acceptable
            )
        return self._authenticator

    def _ssh_host_keys(self) -> Any:
        """Read the keys that SSH listeners prove themselves with; make those that are missing."""
        from cmdserver.app.bootstrap import require_ssh_host_keys  # noqa: PLC0415 - see _tls
        from cmdserver.net.ssh_host_keys import read_host_keys  # noqa: PLC0415

        return read_host_keys(require_ssh_host_keys(self._state_directory))

    def _certificate_of(self, transport: Any, source: str) -> Certificate | None:
        from cmdserver.net import tls_context  # noqa: PLC0415 - see _tls

        peer = tls_context.peer_name(transport, datetime.now(UTC))
        if peer is None:
            return None
        return Certificate(names=peer.names, trouble=peer.trouble, fingerprint=peer.fingerprint, source=source)

    # The web

    def _exposition(self) -> Exposition:
        """Begin to measure: events are counted from now on."""
        if self._metrics is None:
            from cmdserver.observers import metrics  # noqa: PLC0415 - for web listeners only

            now = metrics.Now(
                running=lambda: self._fair_queue.running,
                queued=lambda: self._fair_queue.queued,
                connections=self.connection_limit.counts,
                commands=lambda: self._command_names,
            )
            self._metrics = metrics.Metrics(FRONT_ENDS, now)
            self._events.subscribe(self._metrics)
        exposition: Exposition = self._metrics.render
        return exposition

    # TLS

    def _require_tls(self, configuration: Configuration) -> Any:
        if self._tls is None:
            from cmdserver.net import tls_context  # noqa: PLC0415 - see _tls

            self._tls = tls_context.ServerCredentials(self.load_tls(configuration))
            self._warn_about_tls()
        return self._tls

    def _tls_files(self, configuration: Configuration) -> Any:
        """Say where certificate and key are; without any in the configuration, make our own."""
        from cmdserver.app import bootstrap  # noqa: PLC0415 - see _tls
        from cmdserver.net import tls_context  # noqa: PLC0415 - see _tls

        wanted = configuration.settings.tls
        if wanted.certificate is None or wanted.key is None:
            return tls_context.files_of(wanted, *bootstrap.require_tls_pair(self._state_directory, datetime.now(UTC)))
        return tls_context.files_of(wanted, wanted.certificate, wanted.key)

    def _warn_about_tls(self) -> None:
        for warning in self._tls.loaded.warnings:
            _log.warn("{warning}", warning=warning)


def _descriptors(configuration: Configuration) -> int:
    """Say how many may be open: for connections, those that have not said yet whose they are, and pipes of commands."""
    limits = configuration.limits
    proxied = sum(listening.endpoint.startswith("haproxy:") for listening in configuration.listening)
    return limits.connections + proxied * MOST_PENDING + 4 * limits.running


def _make_login_limit(limits: Limits, clock: IReactorTime) -> LoginLimit:
    unauthenticated_connections = UnauthenticatedConnections(
        MaxStartups.parse(limits.unauthenticated), limits.unauthenticated_per_source
    )
    penalties = Penalties(map(parse_network, limits.penalty_exempt))
    return LoginLimit(unauthenticated_connections, penalties, clock, random.SystemRandom().random)


def _web_hosts(configuration: Configuration) -> frozenset[str]:
    endpoints = [listening.endpoint for listening in configuration.listening if listening.protocol == "web"]
    return own_names(socket.gethostname(), endpoints, configuration.settings.web.hosts)
