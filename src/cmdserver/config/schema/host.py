"""The tables of the daemon itself: its listeners, limits and certificates, what it writes down, and as whom it runs."""

import os
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from cmdserver.config.schema.values import Allowed, Count, CountOrNone, NonEmpty, Seconds
from cmdserver.core.listening import Login
from cmdserver.core.protocols import Protocol
from cmdserver.core.site import DEFAULT_FLEET

EndpointText = Annotated[str, Meta(min_length=1, examples=["tcp:2022:interface=127.0.0.1"])]


def _default_running() -> int:
    return max(4, 2 * (os.cpu_count() or 1))


class Listen(Struct, frozen=True, kw_only=True):
    """``[[listen]]``: one listener, on one endpoint or several."""

    protocol: Protocol
    endpoint: EndpointText | Annotated[list[NonEmpty], Meta(min_length=1)]
    tls: bool = False
    login: Login = Login.REQUIRED
    allow_plaintext_passwords: bool = False
    #: Of a line listener: what it says before the first request; None: the usual one, empty: nothing.
    greeting: str | None = None
    #: ``from``, which Python keeps for itself: networks and addresses that may call; None: everybody may.
    sources: Annotated[list[NonEmpty], Meta(min_length=1, max_length=1000)] | None = field(default=None, name="from")
    #: Rules of lint that have nothing to say of it.
    allow: Allowed = field(default_factory=list)


class Limits(Struct, frozen=True, kw_only=True):
    """``[limits]``."""

    connections: Count = 10_000
    connections_per_source: Count = 1_000
    #: See `MaxStartups`, which `Configuration.max_startups` is.
    unauthenticated: str = "10:30:100"
    #: sshd's PerSourceMaxStartups; 0 is no limit, None is a quarter of FULL, but START in any case.
    unauthenticated_per_source: CountOrNone | None = None
    #: Networks whose failed logins are not held against them: a proxy, say, that is everybody's source.
    penalty_exempt: list[NonEmpty] = field(default_factory=list)
    running: Count = field(default_factory=_default_running)
    queued: CountOrNone = 1_000
    login_seconds: Seconds = 30.0
    login_attempts: Count = 3
    idle_seconds: Seconds = 300.0
    line_bytes: Annotated[int, Meta(ge=64, le=1 << 20)] = 8_192
    request_bytes: Annotated[int, Meta(ge=64, le=1 << 30)] = 65_536
    caller_requests_per_minute: CountOrNone = 0
    drain_seconds: Annotated[float, Meta(ge=0, le=86400)] = 10.0


class TLS(Struct, frozen=True, kw_only=True):
    """``[tls]``: PEM files, as absolute paths; without certificate and key the daemon makes its own."""

    certificate: NonEmpty | None = None
    key: NonEmpty | None = None
    client_ca: NonEmpty | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"


class Web(Struct, frozen=True, kw_only=True):
    """``[web]``."""

    #: Names that this host answers to besides its own; localhost and IP addresses always are.
    hosts: list[NonEmpty] = field(default_factory=list)
    access_log: bool = True
    #: Below which a proxy serves the web that keeps this path: ``/ops``.
    base_path: str = ""
    #: Networks and addresses whose ``Forwarded`` and ``X-Forwarded-…`` count; ``unix``: those of UNIX sockets.
    trusted_proxies: Annotated[list[NonEmpty], Meta(max_length=1000)] = field(default_factory=list)
    #: In which they say who the caller is: ``Remote-User``.
    user_header: NonEmpty | None = None


class Forward(Struct, frozen=True, kw_only=True):
    """``[[audit.forward]]``: one receiver of the audit file's lines."""

    to: Annotated[str, Meta(min_length=1, examples=["tls:logs.example:6514"])]
    #: Certificates of authorities, in PEM; None: those that the host trusts.
    ca: NonEmpty | None = None
    #: What the certificate must name; None: the host of ``to``.
    server_name: NonEmpty | None = None


class Audit(Struct, frozen=True, kw_only=True):
    """``[audit]``: a relative path lies in the state directory."""

    file: NonEmpty = "audit.jsonl"
    forward: Annotated[list[Forward | None], Meta(max_length=16)] = field(default_factory=list)


class HistorySettings(Struct, frozen=True, kw_only=True):
    """``[history]``: a relative path lies in the state directory."""

    file: NonEmpty = "history.sqlite3"
    #: That have ended well; failures are kept besides.
    runs: Count = 10_000
    #: Of the output of one run: the first half and the last.
    output_bytes: Annotated[int, Meta(ge=0, le=1 << 24)] = 1 << 18
    megabytes: Annotated[int, Meta(ge=1, le=1 << 20)] = 256
    days: Annotated[int, Meta(ge=1, le=36500)] = 30


class SiteSettings(Struct, frozen=True, kw_only=True):
    """``[site]``: what people are told of this host."""

    #: None: the host's name.
    name: NonEmpty | None = None
    label: str = ""
    #: ``#rrggbb``, or the name of one.
    colour: NonEmpty | None = None
    notice: str = ""


class Fleet(Struct, frozen=True, kw_only=True):
    """``[fleet]``: what signed requests call this host, and the bus by which they reach it."""

    #: The fleet's name.
    name: NonEmpty = DEFAULT_FLEET
    #: None: the host's name.
    host: NonEmpty | None = None
    #: None: there is no bus.
    server: Annotated[str, Meta(min_length=1, examples=["tls://bus.example:4222"])] | None = None
    #: By which callers may choose hosts.
    facts: dict[str, str] = field(default_factory=dict)
    #: A file with the seed of an nkey; None: the bus takes everybody.
    credentials: NonEmpty | None = None
    #: Certificates of authorities, in PEM; None: those that the host trusts.
    ca: NonEmpty | None = None
    #: What the bus' certificate must name; None: the host of ``server``.
    server_name: NonEmpty | None = None


class Runner(Struct, frozen=True, kw_only=True):
    """``[runner]``: who starts programs, and as whom the rest runs."""

    #: Whether a process of its own starts programs.
    process: bool = True
    #: Whom the daemon becomes if it is started as root, when its listeners are open and its keys are read; None: the
    #: user ``cmdserver``, or a number of its own.
    daemon_user: NonEmpty | None = None
