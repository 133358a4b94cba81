"""What a caller can do with the words of ``run``: looks through programs that run others at what these are given.

Fixed words are what the administrator meant. Only where a value of a caller's comes in, something is to be said; but
for a shell and a pager, which are seldom meant.
"""

from collections.abc import Sequence
from typing import Final

from cmdserver.config.lint_rule import LintRule
from cmdserver.config.source_map import Path
from cmdserver.lint.finding import LintFinding
from cmdserver.lint.interpreted import Interpreted
from cmdserver.lint.programs.file_tools import FILE_TOOLS
from cmdserver.lint.programs.interpreters import INTERPRETERS, PAGERS_AND_EDITORS, SPECIAL_POWERS
from cmdserver.lint.programs.kinds import Interpreter, Tool, entry_of
from cmdserver.lint.programs.tools import TOOLS
from cmdserver.lint.programs.wrappers import WRAPPERS
from cmdserver.lint.tool_words import Danger, DangerKind, ToolWords, leads_anywhere
from cmdserver.lint.words import CODE, Value, Word, Words
from cmdserver.lint.wrapped import Wrapped, unwrap

#: So many programs may run one another; more is not looked at.
_MOST_WRAPPERS: Final = 8

_CODE_POWER: Final = "whoever chooses code runs what they like"


class ArgumentRules:
    """Looks at the words of one command.

    Args:
        path: Of ``run``.
        stdin: The values in what the command reads.
    """

    def __init__(self, path: Path, stdin: Sequence[Value] = ()) -> None:
        self._path = path
        self._stdin = [each for each in stdin if each.is_free]
        self._found: list[LintFinding] = []
        #: Programs that are named by the administrator, those that run others first.
        self.programs: list[str] = []
        #: Files of code that are named by the administrator.
        self.scripts: list[str] = []
        #: Variables that are set by words: names, and the values in each.
        self.assigned: list[tuple[str, tuple[Value, ...]]] = []

    @property
    def findings(self) -> list[LintFinding]:
        """What was found: of each parameter the worst."""
        order = list(LintRule)
        worst: dict[str, LintFinding] = {}
        for each in sorted(self._found, key=lambda found: order.index(found.rule)):
            worst.setdefault(each.parameter, each)
        return [each for each in self._found if not each.parameter or each is worst[each.parameter]]

    def look(self, words: Words, depth: int = 0) -> None:
        """Look at a program and its words."""
        if not words or depth > _MOST_WRAPPERS:
            return
        program = words[0].text
        self.programs += [] if program is None else [program]
        if program is None:
            self._program_from_caller(words[0])
        elif why := entry_of(program, PAGERS_AND_EDITORS):
            self._say(LintRule.PAGER_OR_EDITOR, f"{program} is {why}")
        elif (wrapper := entry_of(program, WRAPPERS)) and (wrapped := unwrap(wrapper, words)):
            self._wrapped(program, wrapped, depth)
        elif interpreter := entry_of(program, INTERPRETERS):
            self._interpreted(program, Interpreted(interpreter, words), interpreter)
        else:
            self._tool(program, entry_of(program, TOOLS) or entry_of(program, FILE_TOOLS), words, depth)

    def _wrapped(self, program: str, wrapped: Wrapped, depth: int) -> None:
        """Look at the program that another one runs."""
        wrapper, rest = wrapped.wrapper, wrapped.rest
        self.assigned += wrapped.assigned
        for code in wrapped.code:
            self._code(program, code, is_shell=True)
        tool = entry_of(program, TOOLS)
        if tool is not None:
            self._tool(program, tool, wrapped.head, depth)
        if wrapper.joins:
            for value in (each for word in rest for each in word.values if each.admits(CODE)):
                text = (
                    f"{program} makes a line for a shell of its words, and {value.name} may be more than one word of it"
                )
                self._say(LintRule.CODE_FROM_CALLER, f"{text}; {_narrow(value)}", value)
        if wrapper.reads_words and (not wrapper.joins or not rest):
            for value in self._stdin:
                text = f"{program} reads {value.name} from its standard input, and makes words of a command of it"
                self._say(LintRule.CODE_ON_STDIN, f"{text}; take the values one by one, as parameters in run", value)
        self.look(rest, depth + 1)

    def _interpreted(self, program: str, found: Interpreted, interpreter: Interpreter) -> None:
        """Look at code and scripts."""
        power = entry_of(program, SPECIAL_POWERS) or _CODE_POWER
        for code in found.code:
            self._code(program, code, is_shell=interpreter.is_shell, power=power)
        for script in found.scripts:
            if script.text is not None:
                self.scripts.append(script.text)
            for value in _escaping(script):
                text = f"{value.name} says which file {program} runs"
                self._say(LintRule.CODE_FROM_CALLER, f"{text}: {power}; make a choice of it", value)
        for word in found.may_be_options:
            text = f"{word.values[0].name} may be an option of {program}, and code behind it: {power}"
            self._say(LintRule.CODE_FROM_CALLER, f"{text}; write -- before it in run", word.values[0])
        for word in found.files:
            for value in _escaping(word):
                text = f"{program} reads the file that {value.name} names, which may be any"
                self._say(LintRule.READS_ANY_FILE, f"{text}; {_narrow(value)}", value)
        if interpreter.reads_stdin and not found.code and not found.scripts:
            for value in self._stdin:
                text = f"{program} runs {value.name}, which it reads from its standard input: {power}"
                self._say(LintRule.CODE_ON_STDIN, f"{text}; write the code into a script", value)

    def _code(self, program: str, code: Word, *, is_shell: bool, power: str = _CODE_POWER) -> None:
        """Look at code on the command line."""
        taken = [
            each
            for index, each in enumerate(code.values)
            if each.admits(CODE) or (each.is_free and index == 0 and not code.lead)
        ]
        for value in taken:
            text = f"{value.name} is code of {program}: {power}"
            advice = "write the code into a script, and give the value to it as a word"
            self._say(LintRule.CODE_FROM_CALLER, f"{text}; {advice}", value)
        if is_shell and not taken:
            text = f"{program} reads a line of its own: quotes and blanks in it mean something, and what fails in it"
            self._say(LintRule.SHELL, f"{text} may go on; write the program and its words, or a script")

    def _tool(self, program: str, tool: Tool | None, words: Words, depth: int) -> None:
        """Look at the words of what is for something else."""
        found = ToolWords(tool, words)
        for danger in found.dangers:
            self._say(*_told(program, tool, danger), danger.value)
        for executed in found.executed:
            self.look(executed, depth + 1)

    def _program_from_caller(self, word: Word) -> None:
        for value in word.values:
            if value.is_free:
                text = f"{value.name} says which program runs"
                self._say(LintRule.PROGRAM_FROM_CALLER, f"{text}; make a choice of it, or a command of each", value)

    def _say(self, rule: LintRule, text: str, value: Value | None = None) -> None:
        finding = LintFinding(rule, self._path, text, value.name if value is not None else "")
        if finding not in self._found:
            self._found.append(finding)


def _escaping(word: Word) -> list[Value]:
    return [each for index, each in enumerate(word.values) if leads_anywhere(word, index)]


def _narrow(value: Value) -> str:
    return f"make a choice of {value.name}, or give it a pattern"


def _told(program: str, tool: Tool | None, danger: Danger) -> tuple[LintRule, str]:
    """Say what a word of a tool allows."""
    name = danger.value.name
    power = f": {tool.power}" if tool is not None else ""
    more = power if tool is not None and (tool.runs or tool.executes) else ""
    match danger.kind:
        case DangerKind.OPTION:
            runs = tool is not None and bool(tool.runs or tool.executes)
            rule = LintRule.RUNS_OTHERS if runs else LintRule.OPTION_FROM_CALLER
            helps = tool is None or tool.ends_options
            advice = "write -- before it in run, or take may_begin_with_dash back" if helps else _narrow(danger.value)
            return rule, f"{name} may be an option of {program}{power}; {advice}"
        case DangerKind.RUN:
            return LintRule.RUNS_OTHERS, f"{name} goes to {program}{power}; {_narrow(danger.value)}"
        case DangerKind.READ:
            text = f"{program} reads what {name} names, which may be any file{more}"
            return (
                LintRule.READS_ANY_FILE,
                f"{text}; {_narrow(danger.value)} without slashes, behind a directory in run",
            )
        case DangerKind.WRITTEN:
            text = f"{program} writes or removes what {name} names, which may be any file{more}"
            return LintRule.WRITES_ANY_FILE, f"{text}; {_narrow(danger.value)} without slashes, behind a directory"
