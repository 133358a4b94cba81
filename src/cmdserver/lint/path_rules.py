"""Whether somebody else could put another program in the place of the one that is meant."""

from collections.abc import Iterator, Sequence

from cmdserver.config.lint_rule import LintRule
from cmdserver.config.source_map import Path
from cmdserver.core.model import Command
from cmdserver.lint.facts import HostFacts, PathFact
from cmdserver.lint.finding import LintFinding

_ADVICE = "put it where only root, or the command's own user, may write"


def paths_of(command: Command, scripts: Sequence[str]) -> list[tuple[str, str]]:
    """List the keys and paths of a command that decide what it runs.

    Args:
        command: Whose.
        scripts: Files of code that its words name.
    """
    found = [("run", each) for each in (command.executable, *scripts) if each.startswith("/")]
    return found + ([("working_directory", command.working_directory)] if command.working_directory != "/" else [])


def look_at_paths(command: Command, scripts: Sequence[str], facts: HostFacts) -> Iterator[LintFinding]:
    """Look at the ways to a command's program, scripts and working directory; each is told once."""
    path: Path = ("commands", command.name)
    uid = command.controls.uid if command.controls.uid is not None else facts.uid
    told: set[str] = set()
    for key, wanted in paths_of(command, scripts):
        way = facts.ways.get(wanted, ())
        for fact in way:
            is_end = key == "working_directory" and fact is way[-1]
            whose = _others(fact, facts.trusted | {uid}, command.user, is_end=is_end)
            if whose and fact.path not in told:
                told.add(fact.path)
                where = "" if fact.path == wanted else f", on the way to {wanted}"
                yield LintFinding(LintRule.WRITABLE_PATH, (*path, key), f"{fact.path} {whose}{where}; {_ADVICE}")
                break


def _others(fact: PathFact, trusted: frozenset[int], user: str, *, is_end: bool) -> str:
    """Say who else may write to something; nothing if nobody."""
    if fact.uid not in trusted:
        return f"belongs to {fact.owner}"
    if fact.is_sticky and not is_end:
        return ""  # what lies in it is somebody's, and is looked at next
    if fact.is_open:
        return "may be written by everybody"
    others = sorted(fact.members - {"root", user})
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004 - enough to know them by
        return f"may be written by the group {fact.group} ({', '.join(others[:3])}{more})"
    return ""
