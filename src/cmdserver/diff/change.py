"""One thing that is different, and how several are put together for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Struct

from cmdserver.core.escaping import visible

#: Of a page.
MOST_LINES: Final = 5000
#: Of a list in a sentence; the rest is counted.
_LISTED: Final = 20
#: Of a text in a sentence, in characters: whoever reviews it must see all of it, and no file is to fill the screen.
_LONGEST: Final = 4000


class Effect(Enum):
    """What a change means to whoever reviews it; the value is its mark. Widening is read first."""

    WIDENS = "+"
    NARROWS = "-"
    DIFFERS = "~"


_ORDER: Final = {effect: rank for rank, effect in enumerate(Effect)}


class Detail(Struct, frozen=True):
    """What is different, without whose it is."""

    effect: Effect
    text: str
    #: Names of commands that it is about, all of them; the text may list fewer.
    commands: tuple[str, ...] = ()


class Change(Struct, frozen=True):
    """What is different of one thing, or of several that change alike."""

    #: What sort of thing it is: ``caller``, ``command``, ``listener``, ``hook``, ``role``, ``settings``.
    kind: str
    #: Its name, or those of all.
    names: tuple[str, ...]
    details: tuple[Detail, ...]
    #: To go behind the names.
    remark: str = ""

    @property
    def subject(self) -> str:
        """Whose it is, for people."""
        what = (
            "" if self.kind in {"caller", "settings"} else f"{self.kind} " if len(self.names) == 1 else f"{self.kind}s "
        )
        return f"{what}{listed(self.names)}{f' ({self.remark})' if self.remark else ''}"


def lines(changes: Iterable[Change]) -> list[str]:
    """Write each detail as a line of its own: ``+ ann, bob: may run restart``."""
    return [f"{each.effect.value} {change.subject}: {each.text}" for change in changes for each in change.details]


def page(changes: Iterable[Change], most: int = MOST_LINES) -> str:
    """Write changes for people: a heading for each thing, widening first; of many lines how many more there are."""
    found = [
        line
        for change in changes
        for line in (change.subject, *(f"  {each.effect.value} {each.text}" for each in change.details))
    ]
    more = len(found) - most
    cut = [f"and {more} more lines; --json has all"] if more > 0 else []
    return "".join(f"{line}\n" for line in (*found[:most], *cut))


def as_toml(value: Any) -> str:
    """Write a value of the file nearly as it stands there."""
    plain = msgspec.to_builtins(value)
    if isinstance(value, msgspec.Struct):
        plain = {key: each for key, each in plain.items() if each is not None}
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return "unset" if plain is None else json.dumps(plain, ensure_ascii=False, default=str)


def as_json(changes: Iterable[Change]) -> str:
    """Write changes for programs, nothing cut from lists of names."""
    entries = [
        {
            "kind": change.kind,
            "names": change.names,
            "effect": each.effect.name.lower(),
            "commands": each.commands,
            "text": each.text,
        }
        for change in changes
        for each in change.details
    ]
    return json.dumps({"changes": entries}, indent=2)


def grouped(
    kind: str,
    details: Mapping[str, Sequence[Detail]],
    remarks: Mapping[str, str] | None = None,
    *,
    divides: bool = True,
) -> list[Change]:
    """Put together what changes alike, in the order of the first of each; what does not change is left out.

    Args:
        kind: As of `Change`.
        details: By name.
        remarks: By name.
        divides: Whether what has different remarks stands apart; otherwise it is without one.
    """
    said = remarks or {}
    groups: dict[tuple[tuple[Detail, ...], str], list[str]] = {}
    for name, found in details.items():
        if found:
            in_order = tuple(sorted(found, key=lambda each: _ORDER[each.effect]))
            groups.setdefault((in_order, said.get(name, "") if divides else ""), []).append(name)
    changes = []
    for (found, _), names in groups.items():
        several = {said.get(name, "") for name in names}
        changes.append(Change(kind, tuple(names), found, several.pop() if len(several) == 1 else ""))
    return sorted(changes, key=lambda change: min(_ORDER[each.effect] for each in change.details))


def listed(names: Iterable[str], most: int = _LISTED) -> str:
    """List names in a sentence; of many only how many more there are."""
    names = [*names]
    more = len(names) - most
    return ", ".join(map(visible, names[:most])) + (f" and {more} more" if more > 0 else "")


def shown(text: str, longest: int = _LONGEST) -> str:
    """Show a text of the file on one line; what is cut is said."""
    seen = visible(text)
    return seen if len(seen) <= longest else f"{seen[:longest]}… ({len(seen) - longest} characters more)"
