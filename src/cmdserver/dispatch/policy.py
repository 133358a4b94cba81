"""The one answer to "may they?": roles, globs, and which names a caller is told of.

Order of refusals: first whether the caller may have the command at all, then its arguments; limits come later and
elsewhere, so that a stranger learns nothing from them. For the anonymous a command that they may not run does not
exist. Rule of this file: pure; it knows no processes and no listeners.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from cmdserver.core.errors import BadArgument, Denied, LoginRequired, Refusal, UnknownCommand
from cmdserver.core.escaping import visible
from cmdserver.core.model import Caller, Command, Grant, Role, Rule
from cmdserver.core.names import ANONYMOUS, AUTHENTICATED

#: Longer names than a command's can be are not compared: a stranger's megabyte would cost seconds.
_LONGEST_NAME = 64


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
        self._commands = {command.name: command for command in sorted(commands, key=lambda each: each.name)}
        self._roles = tuple(roles)
        self._rules: dict[tuple[str, ...], Mapping[str, Rule]] = {}

    def admit(self, caller: Caller) -> None:
        """Raise `LoginRequired` for the anonymous of a listener that requires a login.

        No such caller is made. This is the second lock, and the one for connections that were open when a reload
        began to require a login.
        """
        if caller.is_anonymous and caller.listener in self._login_required_at:
            raise LoginRequired

    def roles_of(self, caller: Caller) -> tuple[str, ...]:
        """The caller's roles as they are now, in the order of the configuration."""
        if caller.is_anonymous:
            return () if caller.listener in self._login_required_at else (ANONYMOUS,)
        return tuple(role.name for role in self._roles if caller.name in role.users or role.name == AUTHENTICATED)

    def allowed(self, caller: Caller) -> tuple[Command, ...]:
        """What this caller may run, by name."""
        return tuple(self._commands[name] for name in self._allowed_names(caller))

    def require(self, caller: Caller, words: Sequence[str]) -> Grant:
        """Give leave to run ``words``, or say why not.

        Args:
            caller: Who asks.
            words: A command's name and its arguments; at least one.

        Raises:
            LoginRequired: See `admit`.
            UnknownCommand: There is none, or none that a stranger may know of.
            Denied: A logged-in caller's roles do not include it.
            BadArgument: The command takes no such argument.
        """
        self.admit(caller)
        command = self._commands.get(words[0])
        if command is None:
            raise UnknownCommand(words[0], self._nearest(caller, words[0]))
        self.require_leave(caller, command.name)
        if len(words) > 1:
            raise BadArgument(f"{command.name} takes no arguments, but got: {visible(' '.join(words[1:]))}")
        return Grant(command=command, arguments=())

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

    def rule_for(self, caller: Caller, command: Command) -> Rule:
        """Why the caller may run a command that `require` granted: the first rule that says so."""
        return self._rules_for(caller)[command.name]

    def _is_permitted(self, caller: Caller, name: str) -> bool:
        """Whether the caller's roles include the name, and what it has logged in with is good for it."""
        return self._has_role_for(caller, name) and (caller.commands is None or name in caller.commands)

    def _has_role_for(self, caller: Caller, name: str) -> bool:
        if name in self._commands:
            return name in self._rules_for(caller)
        return _first_rule(self._its_roles(self.roles_of(caller)), name) is not None

    def _refusal(self, caller: Caller, name: str) -> Refusal:
        """Say why a name is not permitted."""
        if caller.is_anonymous:
            return UnknownCommand(name, self._nearest(caller, name))
        if self._has_role_for(caller, name):
            return Denied(f"the {caller.method} that you have logged in with is not good for {name}")
        return Denied(f"no role of {caller.name} includes {name}; ask the administrator for one that does")

    def _nearest(self, caller: Caller, name: str) -> tuple[str, ...]:
        if len(name) > _LONGEST_NAME:
            return ()
        return tuple(difflib.get_close_matches(name.lower(), self._allowed_names(caller), n=3))

    def _allowed_names(self, caller: Caller) -> Iterable[str]:
        names = self._rules_for(caller)
        return names if caller.commands is None else [name for name in names if name in caller.commands]

    def _rules_for(self, caller: Caller) -> Mapping[str, Rule]:
        """The first rule for each command that the caller may run; worked out once for each set of roles."""
        names = self.roles_of(caller)
        rules = self._rules.get(names)
        if rules is None:
            roles = self._its_roles(names)
            rules = self._rules[names] = {
                command: rule for command in self._commands if (rule := _first_rule(roles, command))
            }
        return rules

    def _its_roles(self, names: tuple[str, ...]) -> list[Role]:
        return [role for role in self._roles if role.name in names]


def _first_rule(roles: Iterable[Role], command: str) -> Rule | None:
    for role in roles:
        for pattern in role.patterns:
            if fnmatchcase(command, pattern):
                return Rule(role=role.name, pattern=pattern)
    return None
