"""The configuration file's keys, their types and ranges, and their defaults, which stand nowhere else.

Shape only: whether an executable exists, or a role names a command that there is, is for `validation` to find out.
"""

import os
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from cmdserver.core.listening import Login
from cmdserver.core.protocols import Protocol
from cmdserver.core.run_states import Keep, OnDisconnect, WhenRunning

NonEmpty = Annotated[str, Meta(min_length=1)]
EndpointText = Annotated[str, Meta(min_length=1, examples=["tcp:2022:interface=127.0.0.1"])]
#: Of files that are included.
Patterns = Annotated[list[NonEmpty], Meta(max_length=100)]
#: Of all hooks: the runner process hands them over by a descriptor each, in one message with all names.
MOST_SECRET_FILES = 60
SecretFile = Annotated[str, Meta(min_length=1, max_length=250)]
Seconds = Annotated[float, Meta(gt=0, le=86400 * 7)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
CountOrNone = Annotated[int, Meta(ge=0, le=10_000_000)]


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


class ProcessLimits(Struct, frozen=True, kw_only=True):
    """``[commands.NAME.limits]``: resource limits of its process and of all that come of it, see setrlimit(2)."""

    #: Of a processor, by each process.
    cpu_seconds: Annotated[int, Meta(ge=1, le=86400 * 365)] | None = None
    #: Of address space, by each process.
    memory_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 50)] | None = None
    #: Of its user, those outside of the command counted.
    processes: Annotated[int, Meta(ge=1, le=1 << 22)] | None = None
    #: Below 4 no program finds its C library.
    open_files: Annotated[int, Meta(ge=4, le=1 << 20)] | None = None
    #: Of each file that it writes.
    file_bytes: Annotated[int, Meta(ge=0, le=1 << 50)] | None = None


class ChoiceSettings(Struct, frozen=True, kw_only=True):
    """One of ``choices``: a value, and what people read instead of it."""

    value: NonEmpty
    label: NonEmpty | None = None


class ParameterSettings(Struct, frozen=True, kw_only=True):
    """``[[commands.NAME.parameters]]``: one value that a command takes; which keys there are depends on the type."""

    name: str
    type: Literal[
        "choice",
        "string",
        "integer",
        "number",
        "flag",
        "host",
        "port",
        "date",
        "datetime",
        "duration",
        "text",
        "secret",
    ]
    label: NonEmpty | None = None
    help: str = ""
    required: bool | None = None
    #: A value, or an array of them; for `validation.parameters` to make texts of.
    default: Any = None
    example: Any = None
    repeat: Annotated[int, Meta(ge=1, le=100)] = 1
    choices: Annotated[list[NonEmpty | ChoiceSettings | None], Meta(min_length=1)] | None = None
    choices_from: NonEmpty | None = None
    pattern: NonEmpty | None = None
    min_length: Annotated[int, Meta(ge=0, le=8192)] | None = None
    max_length: Annotated[int, Meta(ge=1, le=8192)] | None = None
    may_begin_with_dash: bool | None = None
    #: A number; of a duration, a time span such as ``1h30m``.
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    gives: list[NonEmpty] | None = None
    networks: Annotated[list[NonEmpty], Meta(min_length=1)] | None = None
    names: Annotated[list[NonEmpty], Meta(min_length=1)] | None = None
    format: NonEmpty | None = None
    #: More would not fit into a message to the runner process.
    max_bytes: Annotated[int, Meta(ge=1, le=65536)] | None = None


class CheckRuleSettings(Struct, frozen=True, kw_only=True):
    """One of ``check``: a value of the data, and ranges as plugins have them."""

    #: A dotted path.
    value: NonEmpty
    #: The key that names the rows of a list.
    row: NonEmpty | None = None
    #: Globs of the rows that count.
    rows: Annotated[list[NonEmpty], Meta(min_length=1)] | None = None
    warning: Annotated[str, Meta(min_length=1, examples=["80"])] | int | float | None = None
    critical: Annotated[str, Meta(min_length=1, examples=["90"])] | int | float | None = None


class CommandDefaults(Struct, frozen=True, kw_only=True):
    """``[defaults]``: what commands have that do not say otherwise."""

    section: str = ""
    stdin: str | None = None
    confirm: NonEmpty | None = None
    #: Lines of five fields, as in crontab(5): when it runs by itself.
    schedule: NonEmpty | Annotated[list[NonEmpty], Meta(min_length=1, max_length=100)] | None = None
    #: ``3/10m``: how many processes in how long.
    rate_limit: NonEmpty | None = None
    read_only: bool = False
    timeout_seconds: Seconds = 30.0
    output_limit_bytes: Annotated[int, Meta(ge=1, le=1 << 40)] = 1 << 20
    working_directory: NonEmpty = "/"
    environment: dict[str, str] = field(default_factory=dict)
    user: NonEmpty | None = None
    group: NonEmpty | None = None
    #: None: as ``read_only`` says, if the output is small enough to be kept.
    share: bool | None = None
    max_running: Count | None = None
    #: What happens when ``max_running`` is reached.
    when_running: WhenRunning = WhenRunning.WAIT
    #: None: what only reads ends with its caller, what changes something goes on.
    on_disconnect: OnDisconnect | None = None
    #: Exit statuses that count as success.
    ok_statuses: Annotated[list[Annotated[int, Meta(ge=0, le=255)]], Meta(min_length=1)] = field(
        default_factory=lambda: [0]
    )
    #: None: of what only reads the failures.
    history: Keep | None = None
    raw: bool = False
    #: Whether colour sequences in its output reach terminals and the page, and these alone.
    colours: bool = False
    parser: NonEmpty | None = None
    #: Whether it is a Nagios plugin; or rules on what its parser makes.
    check: bool | Annotated[list[CheckRuleSettings | None], Meta(min_length=1, max_length=100)] = False
    #: Whether the numbers of its data are told to Prometheus.
    metrics: bool = False
    umask: Annotated[int, Meta(ge=0, le=0o777)] = 0o022
    nice: Annotated[int, Meta(ge=-20, le=19)] = 0
    limits: ProcessLimits = ProcessLimits()


class CommandSettings(CommandDefaults, frozen=True, kw_only=True):
    """``[commands.NAME]``: one entry of the allow-list."""

    #: A nested list is left out where a parameter in it has no value.
    run: Annotated[list[str | Annotated[list[str], Meta(min_length=1)]], Meta(min_length=1)]
    help: str = ""
    title: str = ""
    parameters: list[ParameterSettings | None] = field(default_factory=list)


class RoleSettings(Struct, frozen=True, kw_only=True):
    """``[roles.NAME]``: what some callers may run."""

    commands: list[NonEmpty] = field(default_factory=list)
    users: list[NonEmpty] = field(default_factory=list)
    #: Globs of values, by command and parameter.
    only: dict[str, dict[str, Annotated[list[NonEmpty], Meta(min_length=1)]]] = field(default_factory=dict)
    #: Names of commands, or globs: whose runs by others may be seen, and stopped.
    sees: list[NonEmpty] = field(default_factory=list)
    stops: list[NonEmpty] = field(default_factory=list)


class HookSettings(Struct, frozen=True, kw_only=True):
    """``[hooks.NAME]``: a program elsewhere that starts a command, by ``POST /-/hooks/NAME``."""

    command: NonEmpty
    #: Absolute paths.
    secret_file: SecretFile | Annotated[list[SecretFile], Meta(min_length=1, max_length=10)]
    #: ``github``, ``gitlab`` or ``hmac-sha256:HEADER``.
    signature: NonEmpty
    #: Values, or arrays of them, by paths such as ``body.ref``; for `validation.hooks` to make conditions of.
    only_if: dict[str, Any] = field(default_factory=dict)
    #: Paths by the names of parameters.
    arguments: dict[str, NonEmpty] = field(default_factory=dict)
    #: GitHub sends up to 25 MB, and mostly some 10 kB.
    body_bytes: Annotated[int, Meta(ge=1, le=1 << 25)] = 1 << 20


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


class Audit(Struct, frozen=True, kw_only=True):
    """``[audit]``: a relative path lies in the state directory."""

    file: NonEmpty = "audit.jsonl"


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


class Runner(Struct, frozen=True, kw_only=True):
    """``[runner]``: who starts programs, and as whom the rest runs."""

    #: Whether a process of its own starts programs.
    process: bool = True
    #: Whom the daemon becomes if it is started as root, when its listeners are open and its keys are read; None: the
    #: user ``cmdserver``, or a number of its own.
    daemon_user: NonEmpty | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """The whole file; a table that could not be read is None, until its mistake is told and the rest forgotten."""

    state_dir: NonEmpty | None = None
    #: Patterns of more files, relative to this one.
    include: Patterns = field(default_factory=list)
    site: SiteSettings = field(default_factory=SiteSettings)
    listen: list[Listen | None] = field(default_factory=list)
    defaults: CommandDefaults = field(default_factory=CommandDefaults)
    commands: dict[str, CommandSettings | None] = field(default_factory=dict)
    roles: dict[str, RoleSettings | None] = field(default_factory=dict)
    hooks: dict[str, HookSettings | None] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    tls: TLS = field(default_factory=TLS)
    web: Web = field(default_factory=Web)
    audit: Audit = field(default_factory=Audit)
    history: HistorySettings = field(default_factory=HistorySettings)
    runner: Runner = field(default_factory=Runner)
