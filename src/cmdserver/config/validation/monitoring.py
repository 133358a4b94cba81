"""What monitoring is told of commands: checks and metrics, and whether there is anything to make them of."""

from cmdserver.checks.check import Check, CheckRule
from cmdserver.checks.ranges import Range
from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.commands import CheckRuleSettings, CommandSettings
from cmdserver.config.source_map import Path
from cmdserver.parameters.parameter_list import ParameterList


class MonitoringChecks:
    """Looks at ``check`` and ``metrics`` of ``[commands.NAME]``.

    Args:
        reader: Takes the notes.
    """

    def __init__(self, reader: TomlReader) -> None:
        self._reader = reader

    def check(self, path: Path, settings: CommandSettings) -> Check | None:
        """Look at what makes a command a check; None if nothing does."""
        if isinstance(settings.check, bool):
            return Check() if settings.check else None
        if settings.parser is None:
            text = "rules need a parser, which makes data of the output; a plugin has check = true"
            self._reader.note((*path, "check"), text, besides=["parser"])
        rules = [
            self._rule((*path, "check", index), each) for index, each in enumerate(settings.check) if each is not None
        ]
        return Check(tuple(rules)) if rules else None

    def _rule(self, path: Path, settings: CheckRuleSettings) -> CheckRule:
        ranges = {
            key: None if text is None else self._reader.attempt((*path, key), Range.parse, str(text))
            for key, text in (("warning", settings.warning), ("critical", settings.critical))
        }
        return CheckRule(value=settings.value, row=settings.row, rows=tuple(settings.rows or ()), **ranges)

    def metrics(self, path: Path, settings: CommandSettings, parameters: ParameterList) -> bool:
        """Look at whether there are numbers to be told; return whether they are."""
        place = (*path, "metrics")
        if not settings.metrics:
            return False
        if settings.parser is None:
            text = "needs a parser, which finds the numbers in the output"
            if settings.check:
                text += "; what a plugin measures is told without it"
            self._reader.note(place, text, besides=["parser"])
        if missing := [each.name for each in parameters if each.is_required]:
            text = (
                f"is without effect on /metrics, as nobody gives a value for {', '.join(missing)} there;"
                " /-/probe takes it"
            )
            self._reader.warn(place, text, besides=["parameters"])
        return True
