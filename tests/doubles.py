"""Values and stand-ins for the pure modules' tests: whatever a test does not care about has a default here."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from twisted.internet.defer import Deferred, fail, succeed

from cmdserver.config.executables import LentRights
from cmdserver.config.host import SEARCH_PATH, Host
from cmdserver.core.model import Caller, Command, Grant, Role
from cmdserver.core.output import Answer, NotParsed, Parsed, ProcessResult
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.source_penalties import Offence
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import Element, Place, Template
from cmdserver.parsers import jc_library
from cmdserver.privsep.daemon.parser_process import checked
from cmdserver.runs.outcome import problem_of

#: How properties are tried: the same examples every time, nothing written to disk, no clock.
LAW = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
)


class FakeLoginLimit(LoginLimit):
    """Refuses whom the test says, and remembers who was counted and charged."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.unauthenticated = 0
        #: How many were counted out.
        self.left = 0
        self.offences: list[Offence] = []
        #: Who was counted in or out, or charged.
        self.sources: list[str] = []

    def enter(self, listener: str, source: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.unauthenticated += 1
        self.sources.append(source)

    def leave(self, listener: str, source: str) -> None:
        self.unauthenticated -= 1
        self.left += 1
        self.sources.append(source)

    def offend(self, source: str, offence: Offence) -> None:
        self.offences.append(offence)
        self.sources.append(source)


def a_command(**overrides: Any) -> Command:
    """Make a command; ``df -h`` unless told otherwise."""
    values: dict[str, Any] = {
        "name": "df",
        "argv": ("/usr/bin/df", "-h"),
        "run": ("df", "-h"),
        "executable": "/usr/bin/df",
        "help": "How full the file systems are",
        "read_only": True,
        "timeout_seconds": 30.0,
        "output_limit_bytes": 1 << 20,
        "working_directory": "/",
        "environment": (("HOME", "/"), ("LANG", "C.UTF-8")),
        "user": "daemon",
        "group": "adm",
        "share": True,
        "max_running": None,
        "raw": False,
        "parser": None,
    }
    return Command(**values | overrides)


def with_parameters(*parameters: Parameter, **overrides: Any) -> dict[str, Any]:
    """Make the fields of a command that prints its values, each as an element ``NAME=VALUE`` of its own."""
    words = [
        (Place(each.name),) if each.is_flag or each.repeat > 1 else (f"{each.name}=", Place(each.name))
        for each in parameters
    ]
    template = Template(elements=tuple(Element((pieces,), is_nested=True) for pieces in words))
    return {"parameters": ParameterList(parameters), "template": template, **overrides}


def a_caller(name: str | None = None, **overrides: Any) -> Caller:
    """Make a caller; the anonymous one from 192.0.2.1 at the line listener unless told otherwise."""
    values: dict[str, Any] = {"protocol": "line", "source": "192.0.2.1", "method": "password" if name else "none"}
    return Caller(name=name, **values | overrides)


def a_role(name: str = "staff", patterns: Collection[str] = ("*",), users: Collection[str] = ()) -> Role:
    """Make a role."""
    return Role(name=name, patterns=tuple(patterns), users=frozenset(users))


def a_grant(**overrides: Any) -> Grant:
    """Make leave to run a command, which is `a_command` with these overrides."""
    return Grant(command=a_command(**overrides), arguments=())


def a_finished(**overrides: Any) -> ProcessResult:
    """Make the end of a process; a success without output unless told otherwise."""
    values: dict[str, Any] = {
        "exit_status": 0,
        "signal": None,
        "timed_out": False,
        "truncated": False,
        "duration_seconds": 0.25,
        "stdout_bytes": 0,
        "stderr_bytes": 0,
    }
    return ProcessResult(**values | overrides)


def an_answer(grant: Grant | None = None, *, shared: bool = False, **overrides: Any) -> Answer:
    """Make an answer from `a_finished` with these overrides."""
    grant, finished = grant or a_grant(), a_finished(**overrides)
    return Answer(
        id="q1",
        command=grant.command.name,
        arguments=grant.arguments,
        finished=finished,
        state=finished.state(grant.command.ok_statuses),
        problem=problem_of(grant.command, finished),
        parser=grant.command.parser,
        shared=shared,
    )


@contextmanager
def without_jc() -> Iterator[None]:
    """Let the jc library be missing for a while."""
    jc_library._parser.cache_clear()
    with patch.dict(sys.modules, {"jc": None, "jc.lib": None}):
        yield
    jc_library._parser.cache_clear()


class ParserHere:
    """Parses output at once and here; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def parse(self, parser: str, output: bytes) -> Deferred[Parsed]:
        self.asked.append((parser, output))
        try:
            return succeed(checked(json.dumps(jc_library.parse(parser, output)).encode()))
        except NotParsed as error:
            return fail(error)


class FakeHost(Host):
    """A host that has what it is told.

    Args:
        programs: Names of those in ``/usr/bin``.
        users: Each with its own group.
        directories: Those that there are, besides ``/``.
        runs_as: User and group of the daemon.
        root: Whether the daemon may become somebody else.
        lent_rights: What files of programs would give, by their paths.
        obstacles: What users may not go through, by the paths that they are on the way to.
        missing: What scripts need and will not find.
    """

    def __init__(
        self,
        *,
        programs: Collection[str] = ("df", "uptime", "sh", "env", "setpriv"),
        users: Mapping[str, str] | None = None,
        directories: Collection[str] = ("/var/tmp",),
        runs_as: tuple[str, str] = ("daemon", "adm"),
        root: bool = False,
        lent_rights: Mapping[str, LentRights] | None = None,
        obstacles: Mapping[str, str] | None = None,
        missing: Mapping[str, str] | None = None,
    ) -> None:
        self._programs = {name: f"/usr/bin/{name}" for name in programs}
        self._users = (
            {"root": "root", "daemon": "adm", "operator": "disk", "nobody": "nogroup"} if users is None else users
        )
        self._directories = {"/", *directories}
        self._runs_as = runs_as
        self._root = root
        self._lent_rights = lent_rights or {}
        self._obstacles = obstacles or {}
        self._missing = missing or {}

    def is_root(self) -> bool:
        return self._root

    def user(self) -> str:
        return self._runs_as[0]

    def group(self) -> str:
        return self._runs_as[1]

    def executable(self, name: str) -> str:
        if not name or "\0" in name:
            text = "is no name of a program"
            raise ValueError(text)
        if name in self._programs.values():
            return name
        if "/" in name:
            raise ValueError(f"{name} is {'missing' if name.startswith('/') else 'a relative path'}")
        if name not in self._programs:
            raise ValueError(f"no executable {name} on {SEARCH_PATH}")
        return self._programs[name]

    def require_directory(self, path: str) -> None:
        if path not in self._directories:
            raise ValueError(f"{path} is not {'a directory' if path.startswith('/') else 'an absolute path'}")

    def missing_program(self, script: str, search_path: str) -> str | None:
        return self._missing.get(script)

    def lent_rights(self, path: str) -> LentRights:
        return self._lent_rights.get(path, LentRights())

    def obstacle(self, uid: int | None, gid: int | None, path: str) -> str | None:
        return self._obstacles.get(path)

    def is_network_interface(self, name: str) -> bool:
        return name == "eth0"

    def may_bind(self, port: int) -> bool:
        return self._root or port == 0 or port >= 1024

    def user_name(self, uid: int) -> str:
        return next((name for name in self._users if self.user_id(name) == uid), str(uid))

    def group_name(self, gid: int) -> str:
        return next((name for name in self._users.values() if self.group_id(name) == gid), str(gid))

    def group_of(self, user: str) -> str:
        if user not in self._users:
            raise ValueError(f"there is no user {user}")
        return self._users[user]

    def user_id(self, user: str) -> int | None:
        return 1000 + list(self._users).index(user) if user in self._users else None

    def group_id(self, group: str) -> int | None:
        groups = list(self._users.values())
        return 2000 + groups.index(group) if group in groups else None

    def require_group(self, group: str) -> None:
        if group not in self._users.values():
            raise ValueError(f"there is no group {group}")
