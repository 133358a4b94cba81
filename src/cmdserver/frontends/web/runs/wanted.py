"""What the parts of a combined event stream are asked for with: fields of a query. Pure.

``run=6f1c….212``, ``run=6f1c…``, ``asked=6f1c….0``; ``runs=state%3Drunning%26command%3Ddf``, as the list is asked for.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.http import form_data
from cmdserver.frontends.web.http.form_data import Fields

#: A run, and perhaps how many bytes of its output the client knows; as long as `event_streams.is_number` has it.
_RUN: Final = re.compile(r"([0-9A-Za-z]{1,64})(?:\.([0-9]{1,15}))?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
#: The fields with the number of a part that is not wanted any more, and with who the client believes to be: a name, or
#: nothing for nobody in particular.
_DROP, _USER = "drop", "user"


class Kind(Enum):
    """What a part tells of."""

    #: A run that the client may see.
    RUN = "run"
    #: A run that the client has asked for, and may resume.
    ASKED = "asked"
    #: The list.
    RUNS = "runs"


class Wanted(Struct, frozen=True, kw_only=True):
    """One part."""

    kind: Kind
    #: Of a run; else empty.
    run_id: str = ""
    #: Of a run: how many bytes of output the client knows; None if it does not know that the run has begun.
    position: int | None = None
    #: Of the list: which runs.
    query: Fields = ()


class Change(Struct, frozen=True, kw_only=True):
    """What is wanted, and what is not wanted any more."""

    wanted: Sequence[Wanted]
    unwanted: Sequence[int]
    #: Who the client believes to be; None if it does not say.
    user: str | None = None


def parse(fields: Iterable[tuple[str, str]]) -> Change:
    """Read the fields of a query.

    Raises:
        Malformed: A field is none of ours, or its value none that it has.
    """
    wanted: list[Wanted] = []
    unwanted: list[int] = []
    user: str | None = None
    for key, value in fields:
        if key == _DROP and _NUMBER.fullmatch(value):
            unwanted.append(int(value))
        elif key == _USER:
            user = value
        elif key == Kind.RUNS.value:
            wanted.append(Wanted(kind=Kind.RUNS, query=_query(value)))
        elif key in {Kind.RUN.value, Kind.ASKED.value} and (found := _RUN.fullmatch(value)):
            position = None if found[2] is None else int(found[2])
            wanted.append(Wanted(kind=Kind(key), run_id=found[1], position=position))
        else:
            raise Malformed("events are asked for with run=ID, run=ID.POSITION, asked=ID.POSITION and runs=QUERY")
    return Change(wanted=wanted, unwanted=unwanted, user=user)


def _query(text: str) -> Fields:
    if not text.isascii():
        raise Malformed("the query of runs= is not encoded")
    return form_data.of_query(text.encode("ascii"))
