"""Lines of an NRPE configuration, as nrpe 4.1 reads them (``read_config_file`` in its src/nrpe.c).

Pure; which files there are is for `files` to find out.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct

#: C's isspace().
_SPACES: Final = " \t\n\v\f\r"
#: What nrpe reads of one line (``MAX_INPUT_BUFFER``, less what fgets(3) keeps for itself).
_NRPE_LINE_BYTES: Final = 2046
#: Of one line: more is no command.
MOST_CHARACTERS: Final = 65_536

#: The one directive without which everybody may do everything.
_ALLOWED: Final = "allowed_hosts"
_UNNOTICED: Final = "nrpe takes no notice of this line, as there is a space before the ="


class Place(NamedTuple):
    """Where something stands."""

    file: str
    #: From 1.
    line: int


class Remark(Struct, frozen=True):
    """Something that whoever moves should know of."""

    place: Place
    text: str
    #: Whether something could not be taken; otherwise it was, and may mean something else.
    is_refusal: bool = False


class Directive(Struct, frozen=True):
    """A line such as ``command_timeout=60``."""

    key: str
    value: str
    place: Place
    #: In which column of its line the value begins, from 1.
    column: int


def parse(text: str, file: str) -> Iterator[Directive | Remark]:
    """Read a file's directives, in their order, and what is wrong with lines that are none.

    nrpe takes no notice of a directive with a space before its ``=``, unless it is a command's. Neither does this, or
    somebody might do more than before, but for ``allowed_hosts``: without that line everybody may call.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        place = Place(file, number)
        stripped = line.strip(_SPACES)
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = stripped.partition("=")
        if len(stripped) > MOST_CHARACTERS:
            yield Remark(place, f"the line is longer than {MOST_CHARACTERS} characters", is_refusal=True)
            continue
        if not equals or not key.strip(_SPACES) or not value.strip(_SPACES):
            yield Remark(place, "is no directive: it has no name, no = or no value", is_refusal=True)
            continue
        if any("\ud800" <= each <= "\udfff" for each in stripped):
            yield Remark(place, "is not UTF-8", is_refusal=True)
            continue
        if len(line.encode()) > _NRPE_LINE_BYTES:
            yield Remark(place, f"nrpe reads no more than {_NRPE_LINE_BYTES} bytes of a line; here is all of it")
        if key[-1] in _SPACES and not key.startswith("command["):
            is_taken = key.strip(_SPACES) == _ALLOWED
            yield Remark(
                place, f"{_UNNOTICED}{'; here it counts' if is_taken else ', so it does not count here either'}"
            )
            if not is_taken:
                continue
        begin = line.index("=") + 1
        column = begin + len(line[begin:]) - len(line[begin:].lstrip(_SPACES)) + 1
        yield Directive(key.strip(_SPACES), value.strip(_SPACES), place, column)
