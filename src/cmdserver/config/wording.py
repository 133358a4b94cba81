"""Mistakes of types in words for whoever writes the file: what a value must be, and how it would be written.

msgspec says precisely what is wrong, and says it to programmers.
"""

import json
import re
import shlex
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final

import msgspec
from msgspec.structs import fields

#: Of a value that is wrong: enough to recognise it.
_SHOWN_CHARACTERS = 60

#: msgspec's names of types, and ours.
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_UNITS = frozenset({"seconds", "bytes", "megabytes", "days"})

#: A value that may be secret.
HIDDEN: Final = object()

_EXPECTED = re.compile(
    r"Expected `(?P<types>[^`]+)`"
    r"(?: of length (?P<length>[<>]=) (?P<most>\d+)| (?P<bound>[<>]=?) (?P<number>.*)|, got .*)?"
)
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def wrong_value(error: msgspec.ValidationError, value: object, type_: Any, key: str = "") -> str:
    """Say what a value must be.

    Args:
        key: Whose value it is; its last word may be a unit.
        error: What msgspec says of it.
        value: As TOML has it.
        type_: What it was to become.
    """
    text, _, place = str(error).partition(" - at `$")
    if place and isinstance(value, list):
        return _wrong_element(text, place)
    said = _in_words(text, value, type_)
    unit = key.rpartition("_")[2]
    return said.replace("number", f"number of {unit}", 1) if unit in _UNITS and isinstance(value, str) else said


def unknown_key(key: str, known: Iterable[str], homes: Mapping[str, Sequence[str]]) -> str:
    """Say that a table has no such key, and which may be meant.

    Args:
        key: What is written.
        known: Keys that the table has.
        homes: Where keys belong, see `homes_of`.
    """
    known = list(known)
    beginning = [each for each in known if each.startswith(f"{key}_")]
    from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

    if hint := beginning or get_close_matches(key, known, n=1):
        return f"unknown key; did you mean {hint[0]}?"
    if key in homes:
        return f"unknown key; {key} belongs {' or '.join(homes[key])}"
    return "unknown key"


@cache
def homes_of(root: type[msgspec.Struct]) -> Mapping[str, Sequence[str]]:
    """List for each key of a file in which tables it belongs."""
    homes: dict[str, list[str]] = {}
    for key, place in _keys(root, ""):
        homes.setdefault(key, []).append(place)
    return homes


def wrong_table(value: object, path: Sequence[str | int]) -> str:
    """Say that something is no table, which it must be."""
    if isinstance(value, list) and len(path) == 1:
        return f"must be a table: [{path[0]}], once, and not [[{path[0]}]]"
    return f"must be a table{_but(value)}"


def wrong_tables(value: object, key: str, *, by_name: bool) -> str | None:
    """Say that something is not several tables, which it must be; None if it is no table at all."""
    if by_name and isinstance(value, list):
        return f"has a table for each name: [{key}.NAME], and not [[{key}]]"
    if not by_name and isinstance(value, dict) and "[" not in key:
        return f"may be there several times, so it is written [[{key}]], and not [{key}]"
    return None


def _keys(table: type[msgspec.Struct], name: str) -> Iterator[tuple[str, str]]:
    for info in fields(table):
        inner = table_in(info.type)
        if inner is None:
            yield info.encode_name, f"in {name}" if name else "at the top of the file, before all tables"
        elif not name:
            key, origin = info.encode_name, typing.get_origin(info.type)
            header = {list: f"[[{key}]]", dict: f"[{key}.NAME]"}.get(origin, f"[{key}]")
            yield key, f"in a header of its own: {header}"
            yield from _keys(inner, header)


def table_in(type_: Any) -> type[msgspec.Struct] | None:
    """Say which table a type is, or holds; None if it holds none."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return type_
    return next((found for each in typing.get_args(type_) if (found := table_in(each)) is not None), None)


def _wrong_element(text: str, place: str) -> str:
    """Say which of a list is wrong; people count from 1. It is not shown, as words of a command may be secret."""
    index = re.match(r"\[(\d+)\]", place)
    return f"{f'value {int(index[1]) + 1} ' if index is not None else ''}{_in_words(text, HIDDEN, Any)}"


def _in_words(text: str, value: object, type_: Any) -> str:
    if names := names_of(type_):
        in_quotes = "" if isinstance(value, str) else ", in quotes"
        return f"must be one of {', '.join(names)}{in_quotes}{_but(value)}"
    found = _EXPECTED.fullmatch(text)
    if found is None:
        return text + shown(value)
    if found["length"]:
        return _length(found["types"], found["length"], int(found["most"]))
    if found["bound"]:
        return f"must be {_BOUNDS[found['bound']]} {found['number'].removesuffix('.0')}{shown(value)}"
    wanted = [each for each in found["types"].split(" | ") if each != "null"]
    words = " or ".join(_TYPES.get(each, each) for each in wanted)
    return f"must be {words}{_as_it_should_be(wanted, value, type_)}{_but(value)}"


def _length(kind: str, bound: str, most: int) -> str:
    if bound == ">=" and most == 1:
        return "must not be empty"
    things = "values" if kind == "array" else "characters"
    return f"must have {_BOUNDS[bound]} {most} {things}"


def _as_it_should_be(wanted: Sequence[str], value: object, type_: Any) -> str:
    """Show how a value would be written, if that is plain."""
    if isinstance(value, str):
        is_number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) and not {"int", "float"}.isdisjoint(wanted)
        if is_number or (value in {"true", "false"} and "bool" in wanted):
            return " without quotes"
        if "array" in wanted:
            return _as_list(value)
    if isinstance(value, int) and wanted == ["array"]:
        return f", as in [{json.dumps(value)}]"
    if wanted == ["object"]:
        return ', as in { NAME = "value" }'
    example = _example_of(type_)
    return f", as in {json.dumps(example)}" if example is not None else ""


def _as_list(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError:
        words = [value]
    spelled = json.dumps(words, ensure_ascii=False)
    return f", as in {spelled}" if words and len(spelled) <= _SHOWN_CHARACTERS else ""


def _example_of(type_: Any) -> object:
    """Return the example that a type has (`msgspec.Meta`), if it has one."""
    for each in typing.get_args(type_):
        found = each.examples[0] if isinstance(each, msgspec.Meta) and each.examples else _example_of(each)
        if found is not None:
            return found
    return None


def names_of(type_: Any) -> Sequence[str]:
    """List the names that an enumeration, or a ``Literal``, has in a configuration; nothing for any other type."""
    if isinstance(type_, type) and issubclass(type_, Enum):
        return [str(each.value) for each in type_ if getattr(each, "is_configured", True)]
    if typing.get_origin(type_) is typing.Literal:
        return typing.get_args(type_)
    return [name for each in typing.get_args(type_) for name in names_of(each)]


def shown(value: object) -> str:
    """Quote a value that is wrong; not a table or an array, some of whose values may be right, and secret."""
    if not isinstance(value, str | int | float):
        return ""
    try:
        spelled = json.dumps(value, ensure_ascii=False)
    except ValueError:  # an integer of thousands of digits
        return ""
    cut = spelled if len(spelled) <= _SHOWN_CHARACTERS else f"{spelled[:_SHOWN_CHARACTERS]}..."
    return f", not {cut}"


def _but(value: object) -> str:
    """Say what is there instead."""
    if value is HIDDEN:
        return ""
    return shown(value) or f", not {_kind(value)}"


def _kind(value: object) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "a table"
        case int():
            return "a number of so many digits"
        case _:
            return "a date or a time"
