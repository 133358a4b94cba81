"""Who may do what by one configuration: each caller's roles together, globs resolved against the commands there are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from cmdserver.config.configuration import Configuration
from cmdserver.core.listening import Login
from cmdserver.core.model import Role
from cmdserver.core.names import ANONYMOUS, AUTHENTICATED, HOOK_PREFIX, SCHEDULE, is_glob, is_trigger_name

#: What a role leaves of the values of a command: globs by parameter; empty: any value.
Narrowing: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
#: What all roles of a caller leave: values that one of them has.
Narrowings: TypeAlias = frozenset[Narrowing]

ANY_VALUE: Narrowings = frozenset({()})


class Power(Struct, frozen=True):
    """What a caller may do."""

    #: What may be run, and with which values.
    runs: Mapping[str, Narrowings]
    #: Whose runs may be seen, and stopped, whoever has asked for them.
    sees: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()


NO_POWER = Power({})


class Powers:
    """What every caller may do.

    Args:
        configuration: By which.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._names = [command.name for command in configuration.commands]
        self._known_patterns: dict[tuple[str, ...], Sequence[str]] = {}
        self._of_roles = {role.name: self._of_role(role) for role in configuration.roles}
        self._with_second_factor = frozenset(role.name for role in configuration.roles if role.second_factor)
        logins = {each.login for each in configuration.all_listening}
        self._lets_anonymous_in = bool(logins - {Login.REQUIRED})
        self._lets_users_in = bool(logins - {Login.NEVER})
        self._known: dict[frozenset[str], Power] = {}
        self._triggered = {
            SCHEDULE: frozenset(command.name for command in configuration.commands if command.schedule),
            **{f"{HOOK_PREFIX}{hook.name}": frozenset({hook.command}) for hook in configuration.hooks},
        }
        self._roles_of: dict[str, list[str]] = {}
        for role in configuration.roles:
            for user in role.users:
                self._roles_of.setdefault(user, []).append(role.name)

    def callers(self) -> Iterable[str]:
        """Name all who are named, in an order that is easy to find somebody in."""
        named = {user for user in self._roles_of if not is_trigger_name(user)}
        return [ANONYMOUS, AUTHENTICATED, *sorted(named), *sorted(set(self._roles_of) - named)]

    def of(self, caller: str, *, has_second_factor: bool = True) -> Power:
        """Say what a caller may do; nothing, if no listener lets them in.

        Args:
            caller: Who.
            has_second_factor: Whether they have shown one, which only users can.
        """
        if caller == ANONYMOUS:
            return (
                self._together(frozenset({ANONYMOUS}), has_second_factor=False) if self._lets_anonymous_in else NO_POWER
            )
        roles = frozenset(self._roles_of.get(caller, ()))
        if is_trigger_name(caller):
            asked = self._triggered.get(caller, frozenset())
            runs = self._together(roles, has_second_factor=False).runs
            return Power({name: runs[name] for name in runs if name in asked})
        if not self._lets_users_in:
            return NO_POWER
        return self._together(roles | {AUTHENTICATED}, has_second_factor=has_second_factor)

    def roles_of(self, caller: str) -> list[str]:
        """Name the roles that list a caller."""
        return self._roles_of.get(caller, [])

    def holders(self, command: str) -> Sequence[str]:
        """Name the callers who may run a command; of users who have it as everybody has, nobody."""
        return self._holders.get(command, ())

    @cached_property
    def _holders(self) -> Mapping[str, Sequence[str]]:
        """The callers of each command."""
        holders: dict[str, list[str]] = {}
        everybodys = self.of(AUTHENTICATED).runs
        for caller in self.callers():
            is_listed = caller not in {ANONYMOUS, AUTHENTICATED} and not is_trigger_name(caller)
            for name in self.of(caller).runs:
                if not is_listed or name not in everybodys:
                    holders.setdefault(name, []).append(caller)
        return holders

    def _together(self, roles: frozenset[str], *, has_second_factor: bool) -> Power:
        """Add up what roles give."""
        if not has_second_factor:
            roles -= self._with_second_factor
        if roles not in self._known:
            runs: dict[str, Narrowings] = {}
            found = [self._of_roles[name] for name in self._of_roles if name in roles]
            for each in found:
                for name, narrowings in each.runs.items():
                    both = runs.get(name, frozenset()) | narrowings
                    runs[name] = ANY_VALUE if () in both else both
            in_order = {name: runs[name] for name in self._names if name in runs}
            sees, stops = (frozenset().union(*(getattr(each, key) for each in found)) for key in ("sees", "stops"))
            self._known[roles] = Power(in_order, sees, stops)
        return self._known[roles]

    def _of_role(self, role: Role) -> Power:
        only = {
            name: tuple(sorted((parameter, tuple(sorted(set(globs)))) for parameter, globs in values.items()))
            for name, values in role.only.items()
        }
        runs = {name: frozenset({only.get(name, ())}) for name in self._meant(role.patterns)}
        return Power(runs, frozenset(self._meant(role.sees)), frozenset(self._meant(role.stops)))

    def _meant(self, patterns: tuple[str, ...]) -> Sequence[str]:
        """List the commands that names and globs stand for, which may be thousands, of hundreds of roles."""
        if patterns not in self._known_patterns:
            exact = {each for each in patterns if not is_glob(each)}
            globs = "|".join(translate(each) for each in patterns if is_glob(each))
            matches = re.compile(globs).match if globs else lambda _: None
            self._known_patterns[patterns] = [each for each in self._names if each in exact or matches(each)]
        return self._known_patterns[patterns]
