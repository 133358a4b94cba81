"""Values within values, as one text; and values that belong together, as one value."""

from collections.abc import Mapping, Sequence
from typing import Final

from cmdserver.checks.data import Json

#: A nested value is shown up to this many characters.
_CHARACTERS: Final = 200
_DEPTH: Final = 4


def merged(row: Mapping[str, Json]) -> dict[str, Json]:
    """Put together what people read together: ``local_address`` and ``local_port`` are ``local``."""
    result: dict[str, Json] = {}
    for key, value in row.items():
        side, _, what = key.rpartition("_")
        if what == "address" and f"{side}_port" in row:
            result[side] = f"{as_text(key, value)}:{as_text(key, row[f'{side}_port'])}"
        elif what == "num" and side in row:
            continue
        elif not (what == "port" and f"{side}_address" in row):
            result[key] = value
    return result


def as_text(key: str, value: Json) -> str:
    """Make one text of a value, whatever is in it, of `_CHARACTERS` characters at most."""
    text = _process_of(value) if key == "opts" else None
    if text is None:
        text = _text(value, _DEPTH)
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"


def _text(value: Json, depth: int) -> str:
    match value:
        case None | bool():
            return {None: "", True: "yes", False: "no"}[value]
        case str() | int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case Mapping() | Sequence() if depth == 0:
            return "…"
        case Mapping():
            return _address(value) or ", ".join(
                f"{key} {_text(each, depth - 1)}" for key, each in list(value.items())[:_CHARACTERS]
            )
        case _:
            return ", ".join(_text(each, depth - 1) for each in list(value)[:_CHARACTERS] if each is not None)


def _address(value: Mapping[str, Json]) -> str:
    """Write an address of an interface as ip does."""
    local, length = value.get("local"), value.get("prefixlen")
    return f"{local}/{length}" if isinstance(local, str) and isinstance(length, int) else ""


def _process_of(value: Json) -> str | None:
    """Write the processes that have a socket open, as ss knows them."""
    found = value.get("process_id") if isinstance(value, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    return ", ".join(f"{each.get('user')} ({pid})" for pid, each in found.items() if isinstance(each, Mapping))
