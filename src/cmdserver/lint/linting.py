"""All rules on a whole configuration: what they find, but for what the file allows."""

from collections.abc import Iterable, Iterator, Sequence

from cmdserver.config import defaults
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Finding
from cmdserver.config.lint_rule import LintRule
from cmdserver.config.loading import Source
from cmdserver.config.source_map import Path
from cmdserver.lint.caller_rules import look_at_listeners, look_at_role
from cmdserver.lint.command_rules import CommandRules
from cmdserver.lint.facts import NOTHING_KNOWN, HostFacts
from cmdserver.lint.finding import LintFinding
from cmdserver.lint.path_rules import paths_of


class Linter:
    """Looks at a good configuration.

    Args:
        configuration: As the daemon would go by it.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        settings = configuration.settings.commands
        self._commands = [
            (command, CommandRules(command, each, configuration.roles))
            for command in configuration.commands
            if (each := settings[command.name]) is not None
        ]

    def paths(self) -> Sequence[str]:
        """List the files and directories that decide what is run, for `file_facts.gather`."""
        found = (paths_of(command, rules.arguments.scripts) for command, rules in self._commands)
        return list(dict.fromkeys(path for each in found for _, path in each))

    def findings(self, facts: HostFacts = NOTHING_KNOWN) -> list[LintFinding]:
        """List what is found and not allowed, and what is allowed and not found."""
        found = list(self._found(facts))
        kept: list[LintFinding] = []
        used: set[tuple[Path, str]] = set()
        allowed = {path: frozenset(names) for path, names in self._allowed()}
        for each in found:
            if each.rule in allowed.get(each.path[:2], ()):
                used.add((each.path[:2], each.rule))
            else:
                kept.append(each)
        return [*kept, *self._unused(used)]

    def _found(self, facts: HostFacts) -> Iterator[LintFinding]:
        configuration = self._configuration
        for _, rules in self._commands:
            yield from rules.findings(facts)
        for name, role in configuration.settings.roles.items():
            if role is not None:
                yield from look_at_role(name, role, configuration.commands)
        yield from look_at_listeners(configuration.listening)

    def _allowed(self) -> Iterator[tuple[Path, Sequence[str]]]:
        """List the tables that have ``allow``."""
        settings = self._configuration.settings
        yield from ((("listen", index), each.allow) for index, each in enumerate(settings.listen) if each is not None)
        yield from ((("commands", name), each.allow) for name, each in settings.commands.items() if each is not None)
        yield from ((("roles", name), each.allow) for name, each in settings.roles.items() if each is not None)

    def _unused(self, used: set[tuple[Path, str]]) -> Iterator[LintFinding]:
        for path, names in self._allowed():
            if LintRule.UNUSED_ALLOW in names:
                continue
            for name in dict.fromkeys(names):
                if (path, name) not in used:
                    text = f"{name} silences nothing here; leave it out, or it hides what somebody writes later"
                    yield LintFinding(LintRule.UNUSED_ALLOW, (*path, "allow"), text)


def placed(findings: Iterable[LintFinding], source: Source) -> list[Finding]:
    """Give findings their places in the files, and their rules' names, in the order of the files."""
    reader = source.reader()
    defaults.settings_of(reader)
    reader.warnings.clear()
    for each in findings:
        reader.warn(each.path, f"{each.text} [{each.rule}]")
    return reader.in_order(reader.warnings)


def without_told(warnings: Iterable[Finding], configuration: Configuration) -> list[Finding]:
    """Leave out of the warnings of a check what lint says with a rule's name: rights that a command will not get."""
    rights = {each for command in configuration.commands for each in command.warnings}
    return [each for each in warnings if each.text not in rights]
