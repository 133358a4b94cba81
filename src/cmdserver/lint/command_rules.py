"""What is to be said of one command, besides what its words allow: its values, its user and its environment."""

from collections.abc import Iterator, Sequence
from typing import Final

from cmdserver.config.lint_rule import LintRule
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.core.model import Command, Role
from cmdserver.core.names import is_meant
from cmdserver.lint.arguments import ArgumentRules
from cmdserver.lint.facts import HostFacts
from cmdserver.lint.finding import LintFinding
from cmdserver.lint.path_rules import look_at_paths
from cmdserver.lint.programs.kinds import words
from cmdserver.lint.programs.wrappers import PRIVILEGED
from cmdserver.lint.secret_words import is_secret_name, secret_words
from cmdserver.lint.words import Value, values_in, words_of
from cmdserver.parameters.text_types import String

#: Variables that say which code a program loads or runs, by their names or how these begin.
_LOADING: Final = words(
    "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT BASH_ENV ENV SHELLOPTS BASHOPTS PS4 PROMPT_COMMAND IFS PATH SHELL EDITOR"
    " VISUAL PAGER MANPAGER SYSTEMD_PAGER LESSOPEN LESSCLOSE LESS BROWSER PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5LIB"
    " PERL5OPT PERL5DB RUBYLIB RUBYOPT NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS CLASSPATH "
    "LUA_PATH LUA_CPATH LUA_INIT PHPRC PHP_INI_SCAN_DIR GCONV_PATH OPENSSL_CONF TAR_OPTIONS RSYNC_RSH MAKEFLAGS PSQLRC "
    "PSQL_PAGER KUBECONFIG DOCKER_HOST ANSIBLE_CONFIG TERMINFO HOME XDG_CONFIG_HOME"
)
_LOADING_PREFIXES: Final = ("LD_", "GIT_", "BASH_FUNC_", "npm_config_", "PIP_", "SSH_ASK")


class CommandRules:
    """Looks at a command.

    Args:
        command: As the daemon runs it.
        settings: As the file has it.
        roles: All of them.
    """

    def __init__(self, command: Command, settings: CommandSettings, roles: Sequence[Role]) -> None:
        self._command = command
        self._settings = settings
        self._path = ("commands", command.name)
        only = _left_of_parameters(command, roles)
        self._words = words_of(command, only)
        self._values = [Value(each, only.get(each.name)) for each in command.parameters]
        template = command.template
        stdin = values_in(command, template.stdin, only) if template is not None and template.stdin else ()
        self._environment = {
            name: values_in(command, pieces, only) for name, pieces in (template.environment if template else ())
        }
        self.arguments = ArgumentRules((*self._path, "run"), stdin)
        self.arguments.look(self._words)

    def findings(self, facts: HostFacts) -> list[LintFinding]:
        """List what is to be said, by what is known of the host."""
        found = [*self.arguments.findings, *self._loading()]
        found += self._privileges()
        found += look_at_paths(self._command, self.arguments.scripts, facts)
        found += self._root(facts)
        found += self._secrets()
        told = {each.parameter for each in found if each.parameter}
        return [*found, *self._free_strings(told)]

    def _loading(self) -> Iterator[LintFinding]:
        """Variables that load code, and are a caller's."""
        set_by_words = [("run", *each) for each in self.arguments.assigned]
        for key, name, values in (*set_by_words, *(("environment", *each) for each in self._environment.items())):
            if name not in _LOADING and not name.startswith(_LOADING_PREFIXES):
                continue
            for value in values:
                if value.is_free:
                    text = f"{name} says what a program loads or runs, and {value.name} is what a caller makes of it"
                    path = (*self._path, key, name) if key == "environment" else (*self._path, key)
                    yield LintFinding(
                        LintRule.ENVIRONMENT_LOADS_CODE, path, f"{text}; make a choice of {value.name}", value.name
                    )

    def _privileges(self) -> Iterator[LintFinding]:
        """Programs that give rights: which do not work here, as `check` says, or do for root."""
        path = (*self._path, "run")
        told = self._command.warnings
        yield from (LintFinding(LintRule.PRIVILEGES, path, each) for each in told)
        named = [each for each in self.arguments.programs if each.rpartition("/")[2] in PRIVILEGED]
        if named and not told:
            text = f"{named[0]} changes whose rights the command has, and this file does not bound them"
            yield LintFinding(LintRule.PRIVILEGES, path, f"{text}; leave it out, and say user = of the command")

    def _root(self, facts: HostFacts) -> Iterator[LintFinding]:
        command = self._command
        uid = command.controls.uid if command.controls.uid is not None else facts.uid
        if uid != 0 or not command.parameters:
            return
        says = self._settings.user is not None
        what = "runs as root" if says else "runs as root, if root starts the daemon, as it names no user,"
        text = f"{what} with values of a caller; say a user = that has the rights it needs and no others"
        yield LintFinding(LintRule.ROOT_WITH_PARAMETERS, (*self._path, "user") if says else self._path, text)

    def _secrets(self) -> Iterator[LintFinding]:
        path = (*self._path, "run")
        shown = [each.lead if each.values else each.text or "" for each in self._words]
        if any(True for _ in secret_words(shown)):
            text = "has what looks like a secret in it, which all users of this host can see in the list of processes"
            yield LintFinding(LintRule.SECRET_IN_ARGUMENTS, path, f"{text}; let the program read it from a file")
        for value in {value.name: value for value in self._in_secret_places()}.values():
            if isinstance(value.type, String):
                text = (
                    f"{value.name} seems to be a secret: as a {value.type.name} in run it is in the list of processes,"
                )
                advice = 'the log and the audit file; say type = "secret", in stdin or environment'
                yield LintFinding(LintRule.SECRET_IN_ARGUMENTS, path, f"{text} {advice}", value.name)

    def _in_secret_places(self) -> Iterator[Value]:
        """List values that are called like secrets, or given to options that are: ``--password={x}``."""
        before = ""
        for word in self._words:
            option = word.lead[:-1] if word.lead.endswith("=") else before if word.begins_with_value else ""
            for value in word.values:
                if is_secret_name(value.name) or (option.startswith("-") and is_secret_name(option)):
                    yield value
            before = word.text or ""

    def _free_strings(self, told: set[str]) -> Iterator[LintFinding]:
        """Strings that may be any: a choice, or a pattern, would say what they are for."""
        in_words = {value.name for word in self._words for value in word.values}
        for index, value in enumerate(self._values):
            type_ = value.type
            if value.name in told or value.name not in in_words or not isinstance(type_, String) or not value.is_free:
                continue
            if type_.pattern is None and (value.only is None or "*" in value.only):
                text = f"{value.name} may be any line of {type_.max_length} characters"
                advice = 'if few values are meant, say type = "choice", choices_from, or a pattern'
                yield LintFinding(
                    LintRule.FREE_STRING, (*self._path, "parameters", index), f"{text}; {advice}", value.name
                )


def _left_of_parameters(command: Command, roles: Sequence[Role]) -> dict[str, tuple[str, ...]]:
    """Say what all the roles that have a command leave of its parameters; others are left out."""
    narrowings = [each.only.get(command.name, {}) for each in roles if is_meant(command.name, each.patterns)]
    names = set[str]().union(*narrowings) if narrowings else set()
    return {
        name: tuple(glob for each in narrowings for glob in each[name])
        for name in names
        if all(name in each for each in narrowings)
    }
