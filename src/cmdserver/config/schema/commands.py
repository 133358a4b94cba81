"""The tables of commands: what each runs, which values it takes, and what bounds its process."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from cmdserver.config.schema.values import Allowed, Count, NonEmpty, Seconds
from cmdserver.core.run_states import Keep, OnDisconnect, WhenRunning


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
    #: Rules of lint that have nothing to say of it; no default, which would hide what is yet to be written.
    allow: Allowed = field(default_factory=list)
