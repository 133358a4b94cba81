"""``allow``: whether there are rules of lint of these names."""

from collections.abc import Sequence

from cmdserver.config.decoding import TomlReader
from cmdserver.config.lint_rule import LintRule
from cmdserver.config.schema.settings import Settings
from cmdserver.config.source_map import Path

#: Longer names are compared with none: that takes quadratic time.
_LONGEST_COMPARED = 64


def check_allowances(reader: TomlReader, settings: Settings) -> None:
    """Look at every ``allow`` of a file."""
    for index, listen in enumerate(settings.listen):
        if listen is not None:
            _check(reader, ("listen", index, "allow"), listen.allow)
    for table, several in (("commands", settings.commands), ("roles", settings.roles)):
        for name, each in several.items():
            if each is not None:
                _check(reader, (table, name, "allow"), each.allow)


def _check(reader: TomlReader, path: Path, names: Sequence[str]) -> None:
    if not names:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

    known = [rule.value for rule in LintRule]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.5) if len(name) <= _LONGEST_COMPARED else []
            hint = f"did you mean {' or '.join(near)}?" if near else f"they are {', '.join(known)}"
            reader.note(path, f"there is no rule {name[:_LONGEST_COMPARED]} of check --lint; {hint}")
