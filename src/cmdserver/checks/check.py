"""A check: what is looked at when a command has ended, and what that comes to."""

from dataclasses import dataclass

from cmdserver.checks import rules
from cmdserver.checks.data import Json
from cmdserver.checks.result import CheckResult, one_line
from cmdserver.checks.rules import CheckRule
from cmdserver.checks.states import CheckState


@dataclass(frozen=True, slots=True)
class Check:
    """How a command checks something."""

    #: On its data; none: it is a plugin, whose exit status and output say it.
    rules: tuple[CheckRule, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self.rules)) or "plugin"

    @property
    def is_plugin(self) -> bool:
        """Whether the command is a plugin."""
        return not self.rules

    def of_data(self, data: Json, problem: str | None) -> CheckResult:
        """Judge data.

        Args:
            data: What a parser has made of the output.
            problem: Why there are none, or why they are not to be believed; None if they are.
        """
        if problem is not None:
            return CheckResult(state=CheckState.UNKNOWN, text=one_line(f"UNKNOWN: {problem}"))
        return rules.judge(self.rules, data)
