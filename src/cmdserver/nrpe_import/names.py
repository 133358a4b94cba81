"""What commands are called here that nrpe calls otherwise."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cmdserver.core.names import TAKEN_NAMES, is_command_name

#: What becomes an underscore; letters of other scripts are nothing that somebody could guess.
_OTHERS: Final = re.compile(r"[ -,./:-@\[-`{-~]")


def renamed(names: Iterable[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Find a name for each command.

    Args:
        names: nrpe's, in the order of the file.

    Returns:
        Our names by nrpe's, and the reasons why others have none.
    """
    names = list(dict.fromkeys(names))
    taken = {each: each for each in names if is_command_name(each) and each not in TAKEN_NAMES}
    found = dict(taken)
    reasons: dict[str, str] = {}
    for name in names:
        if name in found:
            continue
        wanted = _OTHERS.sub("_", name.lower()) if name.isascii() else name
        if not is_command_name(wanted):
            reasons[name] = "is no name here: a letter of a to z, then up to 63 of a-z, 0-9, _ and -; rename it"
        elif wanted in TAKEN_NAMES:
            reasons[name] = f"cannot be called {wanted}, which means something here; rename it"
        elif wanted in taken:
            reasons[name] = f"would be called {wanted}, as command[{taken[wanted]}] is; rename one of them"
        else:
            found[name] = wanted
            taken[wanted] = name
    return found, reasons
