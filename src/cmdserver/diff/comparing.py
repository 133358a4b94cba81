"""Two configurations: all that differs in power and in what runs, and the lines that a log has of a reload."""

from collections.abc import Sequence
from typing import Final

from cmdserver.config.configuration import Configuration
from cmdserver.diff.callers import compare_callers
from cmdserver.diff.change import Change, lines, shown
from cmdserver.diff.commands import compare_commands
from cmdserver.diff.doors import compare_hooks, compare_listeners
from cmdserver.diff.powers import Powers
from cmdserver.diff.tables import compare_roles, compare_tables, compare_texts

#: Lines of a reload's log.
MOST_LINES: Final = 200
#: Of each, in characters.
LONGEST_LINE: Final = 500


def compare(before: Configuration, after: Configuration) -> list[Change]:
    """Say what differs in power and in what runs: callers first, then commands, listeners, hooks and the rest.

    Comments, order and format are nothing; nor is what people read (help, titles, the site's notice).
    """
    old, new = Powers(before), Powers(after)
    return [
        *compare_callers(old, new, before, after),
        *compare_commands(before, after, new),
        *compare_listeners(before, after),
        *compare_hooks(before, after),
        *compare_tables(before, after),
    ]


def reload_lines(before: Configuration, after: Configuration, most: int = MOST_LINES) -> Sequence[str]:
    """Say what a reload changes, a line a thing; nothing if the two mean the same, however they are written.

    Args:
        before: What the daemon went by.
        after: What it goes by.
        most: Lines; how many more there would be is one more line.
    """
    changes = compare(before, after)
    said = [shown(each, LONGEST_LINE) for each in lines(changes)] + [*compare_texts(before, after)]
    if not any(each.kind == "caller" for each in changes):
        said += compare_roles(before, after)
    more = len(said) - most
    return said if more <= 0 else [*said[:most], f"and {more} more; cmdserver diff says all of them"]
