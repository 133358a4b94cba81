"""The one answer to "may they?": roles, globs, values, and which names a caller is told of.

Order of refusals: first whether the caller may have the command at all, then its arguments; limits come later and
elsewhere, so that a stranger learns nothing from them. For the anonymous a command that they may not run does not
exist; where only checks and what reads are offered (NRPE), nothing else exists for anybody. Rule of this file: pure; it
knows no processes and no listeners.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NoReturn

from cmdserver.core.addresses import FLEET
from cmdserver.core.errors import BadArgument, Busy, Denied, LoginRequired, Refusal, UnknownCommand
from cmdserver.core.escaping import visible
from cmdserver.core.model import Caller, Command, Grant, Role, Rule
from cmdserver.core.names import ANONYMOUS, AUTHENTICATED, is_meant
from cmdserver.core.protocols import Protocol
from cmdserver.dispatch.narrowing import narrowed, objections, permits
from cmdserver.parameters.declaration import Values
from cmdserver.parameters.mistakes import BadValues, ValueMistake
from cmdserver.parameters.parameter_list import MASK, Field
from cmdserver.runs.query import Sight

#: Longer names than a command's can be are not compared: a stranger's megabyte would cost seconds.
_LONGEST_NAME = 64

#: Where nothing but checks and what only reads is offered, whatever roles say.
_MONITORING = frozenset(protocol for protocol in Protocol if protocol.monitors)


class Policy:
    """Which commands there are, and which roles may run them.

    Args:
        commands: The allow-list.
        roles: What the administrator wrote; `ANONYMOUS` and `AUTHENTICATED` have the meaning of the contract.
        login_required_at: The listeners at which nobody does anything without a login, by their endpoints.
    """

    def __init__(
        self, commands: Iterable[Command], roles: Iterable[Role], login_required_at: Iterable[str] = ()
    ) -> None:
        self._login_required_at = frozenset(login_required_at)
        self._commands = {command.name: command for command in commands}
        #: The names of commands that take secrets.
        self.with_secrets = frozenset(name for name, each in self._commands.items() if each.parameters.secrets)
        self._roles = tuple(roles)
        #: Of a command without parameters there is one grant.
        self._grants = {name: Grant(command=command) for name, command in self._commands.items()}
        self._rules: dict[tuple[str, ...], Mapping[str, tuple[Rule, ...]]] = {}
        self._narrowed: dict[tuple[tuple[str, ...], str], Command] = {}

    def admit(self, caller: Caller) -> None:
        """Raise `LoginRequired` for the anonymous of a listener that requires a login.

        No such caller is made. This is the second lock, and the one for connections that were open when a reload
        began to require a login.
        """
        if caller.name is None and caller.listener in self._login_required_at:
            raise LoginRequired

    def roles_of(self, caller: Caller) -> tuple[str, ...]:
        """The caller's roles as they are now, in the order of the configuration."""
        if caller.name is None:
            return () if caller.listener in self._login_required_at else (ANONYMOUS,)
        is_person, has_second_factor = caller.is_person, caller.has_second_factor
        return tuple(
            role.name
            for role in self._roles
            if (caller.name in role.users or (role.name == AUTHENTICATED and is_person))
            and (has_second_factor or not role.second_factor)
        )

    def allowed(self, caller: Caller) -> tuple[Command, ...]:
        """What this caller may run, in the order of the configuration, with what they may give to it."""
        return tuple(self.narrowed(caller, self._commands[name]) for name in self._allowed_names(caller))

    def usual_names(self, caller: Caller) -> frozenset[str]:
        """Name what this caller may run with its defaults, or without any values."""
        rules = self._rules_for(caller)
        return frozenset(
            name for name in self._allowed_names(caller) if _permits_defaults(rules[name], self._commands[name])
        )

    def narrowed(self, caller: Caller, command: Command) -> Command:
        """Return a command as it is shown to a caller: its parameters accept what the caller may give."""
        if command.template is None:
            return command
        key = (self.roles_of(caller), command.name)
        known = self._narrowed.get(key)
        if known is None:
            known = self._narrowed[key] = narrowed(command, self._rules_for(caller).get(command.name, ()))
        return known

    def require(self, caller: Caller, words: Sequence[str], fields: Sequence[Field] = ()) -> Grant:
        """Give leave to run a command with the values that a caller gives, or say why not.

        Args:
            caller: Who asks.
            words: A command's name, and words as `ParameterList.bind` reads them; at least one.
            fields: Named values, as forms have them.

        Raises:
            LoginRequired: See `admit`.
            UnknownCommand: There is none, or none that a stranger may know of.
            Denied: A logged-in caller's roles do not include it, or may not give these values; or a secret came by a
                bus.
            BadArgument: The command takes no such values.
        """
        grant = self.require_command(caller, words[0])
        command = grant.command
        if command.template is None:
            if len(words) > 1 or fields:
                given = " ".join((*_values_among(words[1:]), *(f"{name}={value}" for name, value in fields)))
                raise BadArgument(f"{command.name} takes no arguments, but got: {visible(given)}")
            return grant
        try:
            values = command.parameters.bind(words[1:], fields)
        except BadValues:
            raise bad_argument(self._mistakes(caller, command, words, fields)) from None
        if caller.source == FLEET and (secrets := command.parameters.secrets_given(words[1:], fields)):
            raise Denied(f"{', '.join(secrets)} is secret, and a bus reads what it carries; ask this host itself")
        rules = self._rules_for(caller).get(command.name, ())
        if not any(permits(rule, command, values) for rule in rules):
            self._forbid(caller, command, values)
        return Grant(command=command, arguments=command.parameters.shown(values), values=values)

    def require_command(self, caller: Caller, name: str) -> Grant:
        """Give leave to have to do with a command; it has no values yet, and is not to be run if it takes some.

        Raises:
            LoginRequired: See `admit`.
            UnknownCommand: There is none, or none that a stranger may know of.
            Denied: A logged-in caller's roles do not include it.
        """
        self.admit(caller)
        grant = self._grants.get(name)
        if grant is None or (caller.protocol in _MONITORING and not grant.command.is_for_monitoring):
            raise UnknownCommand(name, self._nearest(caller, name))
        if not self._is_permitted(caller, name):
            raise self._refusal(caller, name)
        return grant

    def grant_source(self, name: str) -> Grant:
        """Give leave to run what prints the choices of a command that was granted, whatever the caller's roles.

        Raises:
            Busy: It cannot be run so any more: a reload has changed it since.
        """
        try:
            command = self._commands[name]
            values = command.parameters.bind(())
        except (KeyError, BadValues):
            raise changed() from None
        return Grant(command=command, arguments=command.parameters.shown(values), values=values)

    def masked(self, words: Sequence[str], fields: Sequence[Field] = ()) -> tuple[str, ...]:
        """Return what a caller gave to a command, to be written down: without what may be a secret."""
        command = self._commands.get(words[0])
        if command is not None and command.parameters:
            return command.parameters.masked(words[1:], fields)
        given = _values_among(words[1:])
        # A name that is spelled wrong: what it was meant for may take secrets.
        if command is None and self.with_secrets:
            return (*(MASK for _ in given), *(f"{name}={MASK}" for name, _ in fields))
        return (*given, *(f"{name}={value}" for name, value in fields))

    def _mistakes(
        self, caller: Caller, command: Command, words: Sequence[str], fields: Sequence[Field]
    ) -> Sequence[ValueMistake]:
        """Say what is wrong with values, and name nothing that the caller may not give."""
        try:
            self.narrowed(caller, command).parameters.bind(words[1:], fields)
        except BadValues as error:
            return error.mistakes
        return (ValueMistake(None, "these values do not go together"),)

    def _forbid(self, caller: Caller, command: Command, values: Values) -> NoReturn:
        """Refuse values that no role of the caller's may give: to a stranger, as if there were no such choice."""
        mistakes = objections(self.narrowed(caller, command), values)
        if caller.is_anonymous:
            raise bad_argument(mistakes)
        why = visible("; ".join(map(str, mistakes)))
        raise Denied(f"no role of {caller.name} may give that to {command.name}: {why}", tuple(mistakes))

    def require_leave(self, caller: Caller, name: str) -> None:
        """Ask whether a caller may have to do with a command at all, whatever its arguments.

        The command need not exist any more: what was begun before it was taken out of the file is judged by its name.

        Raises:
            LoginRequired: See `admit`.
            UnknownCommand: An anonymous caller may not.
            Denied: A logged-in caller may not.
        """
        self.admit(caller)
        if not self._is_permitted(caller, name):
            raise self._refusal(caller, name)

    def command(self, name: str) -> Command | None:
        """Return the command of a name, whoever may run it; None if there is none."""
        return self._commands.get(name)

    @property
    def names(self) -> Iterable[str]:
        """The names of all commands."""
        return self._commands.keys()

    def sees_any(self, caller: Caller) -> bool:
        """Whether there could be runs that a caller may see."""
        return not caller.is_anonymous or any(role.sees for role in self._its_roles(self.roles_of(caller)))

    def sees(self, caller: Caller, command: str, *, is_own: bool) -> bool:
        """Whether a caller may see a run of a command.

        Args:
            caller: Who asks; what they have logged in with may be good for some commands only.
            command: The command's name; it need not exist any more.
            is_own: Whether they have asked for the run; then they need a role that includes the command.
        """
        return self._may_reach(caller, command) and (
            (is_own and self._has_role_for(caller, command))
            or any(is_meant(command, role.sees) for role in self._its_roles(self.roles_of(caller)))
        )

    def stops(self, caller: Caller, command: str, *, is_own: bool) -> bool:
        """Whether a caller may end a run that they may see."""
        return self._may_reach(caller, command) and (
            (is_own and self._has_role_for(caller, command))
            or any(is_meant(command, role.stops) for role in self._its_roles(self.roles_of(caller)))
        )

    def sight(self, caller: Caller, commands: Iterable[str]) -> Sight:
        """Say which runs of these commands a caller may see."""
        commands = tuple(commands)
        own = () if caller.is_anonymous else commands
        return Sight(
            user=caller.name,
            own=frozenset(name for name in own if self.sees(caller, name, is_own=True)),
            all=frozenset(name for name in commands if self.sees(caller, name, is_own=False)),
        )

    def _may_reach(self, caller: Caller, command: str) -> bool:
        """Whether what a caller has logged in with is good for a command's runs."""
        if caller.forced_words is not None:
            return command == caller.forced_words[0]
        return caller.commands is None or is_meant(command, caller.commands)

    def rule_for(self, caller: Caller, grant: Grant) -> Rule:
        """Why the caller may run what `require` granted: the first rule that says so."""
        rules = self._rules_for(caller)[grant.command.name]
        return next(rule for rule in rules if permits(rule, grant.command, grant.values))

    def _is_permitted(self, caller: Caller, name: str) -> bool:
        """Whether the caller's roles include the name, and what it has logged in with is good for it."""
        return self._has_role_for(caller, name) and (caller.commands is None or is_meant(name, caller.commands))

    def _has_role_for(self, caller: Caller, name: str) -> bool:
        if name in self._commands:
            return name in self._rules_for(caller)
        return bool(_rules(self._its_roles(self.roles_of(caller)), name))

    def _refusal(self, caller: Caller, name: str) -> Refusal:
        """Say why a name is not permitted."""
        if caller.is_anonymous:
            return UnknownCommand(name, self._nearest(caller, name))
        if self._has_role_for(caller, name):
            return Denied(f"the {caller.method} that you have logged in with is not good for {name}")
        if caller.is_person and _rules(_with_second_factor(self._roles, caller.name or ""), name):
            return Denied(f"{name} takes a login with a second factor, which the {caller.method} alone is not")
        return Denied(f"no role of {caller.name} includes {name}; ask the administrator for one that does")

    def _nearest(self, caller: Caller, name: str) -> tuple[str, ...]:
        """Name the nearest of what the caller may run; nobody is led to what changes something by a slip."""
        if len(name) > _LONGEST_NAME:
            return ()
        offered = [each for each in self._allowed_names(caller) if self._commands[each].read_only]
        return tuple(difflib.get_close_matches(name.lower(), offered, n=3))

    def _allowed_names(self, caller: Caller) -> Iterable[str]:
        names: Iterable[str] = self._rules_for(caller)
        if caller.protocol in _MONITORING:
            names = [name for name in names if self._commands[name].is_for_monitoring]
        return names if caller.commands is None else [name for name in names if is_meant(name, caller.commands)]

    def _rules_for(self, caller: Caller) -> Mapping[str, tuple[Rule, ...]]:
        """Each role's rule for each command that the caller may run; worked out once for each set of roles."""
        names = self.roles_of(caller)
        if names not in self._rules:
            roles = self._its_roles(names)
            self._rules[names] = {command: found for command in self._commands if (found := _rules(roles, command))}
        return self._rules[names]

    def _its_roles(self, names: tuple[str, ...]) -> list[Role]:
        return [role for role in self._roles if role.name in names]


def wants_second_factor(roles: Iterable[Role], user: str) -> bool:
    """Whether a role of a user's counts only with a second factor."""
    return bool(_with_second_factor(roles, user))


def _with_second_factor(roles: Iterable[Role], user: str) -> list[Role]:
    return [role for role in roles if role.second_factor and (user in role.users or role.name == AUTHENTICATED)]


def _values_among(words: Sequence[str]) -> Sequence[str]:
    """Leave out the word by which front ends say that what follows are values."""
    return words[1:] if len(words) > 1 and words[0] == "--" else words


def _permits_defaults(rules: Iterable[Rule], command: Command) -> bool:
    if all(not rule.only for rule in rules):
        return True
    try:
        values = command.parameters.bind(())
    except BadValues:
        return False
    return any(permits(rule, command, values) for rule in rules)


def changed() -> Busy:
    """Say that what was granted is not what it was."""
    return Busy("the configuration of this command has changed", 1)


def bad_argument(mistakes: Sequence[ValueMistake]) -> BadArgument:
    """Say all that is wrong with values."""
    return BadArgument("; ".join(visible(str(each)) for each in mistakes), tuple(mistakes))


def _rules(roles: Iterable[Role], command: str) -> tuple[Rule, ...]:
    """Return the first rule of each role that includes a command."""
    found = ((role, next((each for each in role.patterns if fnmatchcase(command, each)), None)) for role in roles)
    return tuple(
        Rule(role=role.name, pattern=pattern, second_factor=role.second_factor, only=role.only.get(command, {}))
        for role, pattern in found
        if pattern is not None
    )
