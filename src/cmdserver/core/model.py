"""Values that every other module speaks of: who asks, what may be run, and by whom.

Values are frozen, and nothing here acts. Only ``auth.callers`` makes a `Caller`, so that a Caller in a
signature means that somebody has been let in; somebody who has not (yet) is a `Stranger`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import astuple, replace

from cmdserver.checks.check import Check
from cmdserver.core.addresses import block_of
from cmdserver.core.run_states import Keep, OnDisconnect, WhenRunning
from cmdserver.parameters.declaration import NO_VALUES, Values
from cmdserver.parameters.mistakes import BadValues, ValueMistake
from cmdserver.parameters.parameter_list import NO_PARAMETERS, ParameterList
from cmdserver.parameters.template import Invocation, Pieces, Template, filled

#: RFC 4252, section 5.2: the name of the authentication method that is none.
NO_METHOD = "none"


class Caller(Struct, frozen=True, kw_only=True):
    """Somebody whose request may be considered."""

    #: The user's name, None for the anonymous.
    name: str | None
    #: Which listener they came through: the protocol's name.
    protocol: str
    #: Where from: an IP address, or ``unix``.
    source: str
    #: How they proved who they are; ``none`` is RFC 4252's name for not at all.
    method: str
    #: The only commands that what they proved it with is good for, names or globs; None: all that their roles include.
    commands: frozenset[str] | None = None
    #: What is run whatever they ask for (``command=`` of an SSH key); None: what they ask for.
    forced_words: tuple[str, ...] | None = None
    #: Whether they may have a terminal (``no-pty`` and ``restrict`` of an SSH key).
    permits_pty: bool = True
    #: Which listener they came through: its endpoint, as the configuration has it.
    listener: str = ""
    #: Whether that listener speaks TLS.
    tls: bool = False
    #: Whether they have shown a one-time code as well.
    has_second_factor: bool = False
    #: Whether they may have logged in; schedules and hooks have not, and have the roles that list them alone.
    is_person: bool = True

    @property
    def is_anonymous(self) -> bool:
        """Whether they have not logged in."""
        return self.name is None

    @property
    def key(self) -> str:
        """Whose allowance their requests use: the user's, or for the anonymous that of their source (`block_of`)."""
        return _key_of_source(self.source) if self.name is None else f"user {self.name}"


class Stranger(Struct, frozen=True, kw_only=True):
    """Somebody who has not been let in: what they get wrong is counted and written down, and nothing is run for them.

    It lacks what a `Caller` is asked for before anything is run, so that it cannot be taken for one at run time either.
    """

    #: As in `Caller`.
    protocol: str
    source: str
    tls: bool = False

    @property
    def name(self) -> None:
        """Nobody's: whatever name was given is not proved."""
        return

    @property
    def method(self) -> str:
        """Not at all."""
        return NO_METHOD

    @property
    def key(self) -> str:
        """Whose allowance their requests use: that of the anonymous from the same source."""
        return _key_of_source(self.source)


#: Whoever may have done something that is written down.
Somebody: TypeAlias = Caller | Stranger


@lru_cache(maxsize=4096)
def _key_of_source(source: str) -> str:
    return f"source {block_of(source)}"


class Controls(Struct, frozen=True, kw_only=True):
    """What is done to a process between fork and exec, besides what is done to all."""

    #: As whom it runs, with no supplementary groups; None: as whoever started the daemon.
    uid: int | None = None
    gid: int | None = None
    umask: int = 0o022
    nice: int = 0
    #: Resource limits, by their names in the configuration.
    limits: tuple[tuple[str, int], ...] = ()


_NO_CONTROLS: Final = Controls()


class Rate(Struct, frozen=True):
    """How many processes may be started in how long."""

    count: int
    seconds: int


class Command(Struct, frozen=True, kw_only=True):
    """One entry of the allow-list, resolved: ready to run as it stands."""

    name: str
    #: What is given to the kernel; the first word is an absolute path.
    argv: tuple[str, ...]
    #: What the administrator wrote under ``run``, for people.
    run: tuple[str, ...]
    #: Where its first word was found at start-up.
    executable: str
    help: str
    read_only: bool
    timeout_seconds: float
    #: Of standard output and standard error together.
    output_limit_bytes: int
    working_directory: str
    #: The child's whole environment, sorted.
    environment: tuple[tuple[str, str], ...]
    #: As whom it runs, for people: names, not numbers.
    user: str
    group: str
    #: Whether questions that wait together are answered by one process.
    share: bool
    #: Processes of this command at once; None is no limit of its own.
    max_running: int | None
    #: Whether terminal control sequences in its output reach terminals as they are.
    raw: bool
    #: Whether colour sequences in its output (SGR of ECMA-48) reach terminals and pages, and these alone.
    colours: bool = False
    #: What makes data of its output: a parser of the jc library, loaded by `structured`; None: nothing does.
    parser: str | None
    controls: Controls = _NO_CONTROLS
    #: What people read instead of its name; empty: nothing.
    title: str = ""
    #: Under which it is listed; empty: under none.
    section: str = ""
    #: What it takes from its caller.
    parameters: ParameterList = NO_PARAMETERS
    #: What the values go into; None for a command without parameters, which is run by ``argv`` and ``environment``.
    template: Template | None = None
    #: What a command without parameters reads; None: /dev/null.
    stdin: bytes | None = None
    #: What people are asked before it runs; empty: nothing.
    confirm: Pieces = ()
    #: Over all callers; None is no limit.
    rate_limit: Rate | None = None
    when_running: WhenRunning = WhenRunning.WAIT
    on_disconnect: OnDisconnect = OnDisconnect.END
    #: Exit statuses that count as success.
    ok_statuses: frozenset[int] = frozenset({0})
    #: Which of its runs are kept.
    history: Keep = Keep.ALL
    #: What its runs say of what they look at; None: it is no check.
    check: Check | None = None
    #: Whether the numbers of its data are told to Prometheus.
    metrics: bool = False
    #: When it runs by itself, as lines of a `cmdserver.triggers.crontab.Schedule`; no part of what it is.
    schedule: tuple[str, ...] = ()
    #: What it is perhaps meant to have and will not have, for whoever asks what would run; no part of what it is.
    warnings: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and self._what_it_is() == other._what_it_is()

    def __hash__(self) -> int:
        return hash(self.name)

    def _what_it_is(self) -> tuple[object, ...]:
        return astuple(replace(self, schedule=(), warnings=()))

    @property
    def is_for_monitoring(self) -> bool:
        """Whether it is offered where nothing else is: it is a check, or only reads."""
        return self.read_only or self.check is not None

    def invocation(self, words: Sequence[str]) -> Invocation:
        """Say what is run for values.

        Args:
            words: Canonical values, as `cmdserver.parameters.parameter_list.words_of` spells them; whoever has sent
                them is not believed.

        Raises:
            BadValues: They are not what the parameters accept.
        """
        if self.template is not None:
            return self.template.fill(self.argv[0], self.parameters, self.parameters.bind_canonical(words))
        if words:
            raise BadValues([ValueMistake(None, "the command takes no values")])
        return Invocation(self.argv, dict(self.environment), self.stdin)


class TargetUser(Struct, frozen=True):
    """The user whom a daemon that root has started becomes."""

    #: For people: a number, if that has no name.
    name: str
    uid: int
    gid: int


class Role(Struct, frozen=True, kw_only=True):
    """What some callers may run."""

    name: str
    #: Names of commands, or globs such as ``net-*``.
    patterns: tuple[str, ...]
    users: frozenset[str]
    #: Globs of the values that it may give, by command and parameter; what is not named may have any.
    only: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    #: Names of commands, or globs: those of which it may see the runs of others, and stop them.
    sees: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    #: Whether it counts only for callers who have shown a second factor.
    second_factor: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """Why a caller may run a command: the role that says so, and the name or glob in it."""

    role: str
    pattern: str
    #: Whether the role counts only with a second factor.
    second_factor: bool = False
    #: What the role may give, by parameter; see `Role.only`.
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Grant(Struct, frozen=True, kw_only=True, cache_hash=True):
    """Leave to run a command with these values; equal grants may share a process."""

    command: Command
    #: The values as words that give them again, for people, programs and the audit file: no secret is in them.
    arguments: tuple[str, ...] = ()
    values: Values = NO_VALUES

    def __repr__(self) -> str:
        return f"Grant({self.command.name!r}, {self.arguments!r})"  # without the values, as a secret may be among them

    @property
    def question(self) -> str:
        """What people are asked before it runs; empty: nothing."""
        return filled(self.command.confirm, {name: ", ".join(values) for name, values in self.values})
