"""Parameters as JSON Schema (2020-12) describes values, for programs that make clients and forms of their own.

A schema promises no more than the types keep: what it cannot say is in the description.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.number_types import Duration, Integer, Number
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import TRUE, Choice, Flag, String
from cmdserver.parameters.time_types import Date, DateTime

Schema = Mapping[str, Any]

#: One line, as `String` accepts it.
_LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_LINE_WITHOUT_DASH: Final = r"^(?!-)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_LISTED: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,127}$"
_DURATION: Final = r"^(?:[0-9]{1,12}s?|(?=[0-9])(?:[0-9]{1,12}d)?(?:[0-9]{1,12}h)?(?:[0-9]{1,12}m)?(?:[0-9]{1,12}s)?)$"

#: What is said of other types than strings, which are strings in JSON.
_OTHERS: Final[Mapping[type, Schema]] = {
    Date: {"format": "date"},
    DateTime: {"format": "date-time"},
    Duration: {"pattern": _DURATION},
    Host: {"minLength": 1, "maxLength": 253},
}

#: Python's regular expressions that mean the same in ECMAScript, with its flag u: a part of both languages.
_IN_BOTH: Final = re.compile(
    r"""(?:
        [^\\\[\](){}?*+|^$]                                # a character
      | \\[dDwWbB] | \\[\^$\\.*+?()\[\]{}|/]                # a class of them, a position, or an escaped one
      | \[\^?(?:[^\\\[\]] | \\[dDwW\]\[\\^-])+\]            # some of them
      | \((?:\?:|(?!\?)) | \) | [|^$]
      | (?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??(?![*+?{])      # as often as this; possessive ones are Python's alone
    )*""",
    re.VERBOSE,
)


def schema_of(parameter: Parameter) -> Schema:
    """Describe what a parameter takes: a value, or an array where it takes several."""
    described = {"description": _description(parameter)}
    default = parameter.default
    if parameter.is_secret:
        default = None
    if parameter.repeat == 1:
        shown = {} if default is None else {"default": _as_json(parameter, default[0])}
        return {**_one(parameter), **described, **shown}
    shown = {} if default is None else {"default": [_as_json(parameter, each) for each in default]}
    least = {"minItems": 1} if parameter.is_required else {}
    return {"type": "array", "items": _one(parameter), **least, "maxItems": parameter.repeat, **described, **shown}


def ecma(pattern: Pattern) -> str | None:
    """Return a pattern that must match all of a text as one of ECMAScript; None if it may mean something else there."""
    return f"^(?:{pattern.text})$" if _IN_BOTH.fullmatch(pattern.text) is not None else None


def _one(parameter: Parameter) -> dict[str, Any]:
    match parameter.type:
        case Choice():
            return _choice(parameter.type)
        case Flag():
            return {"type": "boolean"}
        case Integer(minimum=least, maximum=most):
            return {"type": "integer", **_limits(minimum=least, maximum=most)}
        case Number(minimum=least, maximum=most):
            return {"type": "number", **_limits(minimum=_float(least), maximum=_float(most))}
        case String():
            hidden = {"format": "password", "writeOnly": True} if parameter.is_secret else {}
            return {**_string(parameter.type), **hidden}
        case _:
            return {"type": "string", **_OTHERS.get(type(parameter.type), {})}


def _choice(type_: Choice) -> dict[str, Any]:
    if type_.source is None or type_.choices:
        return {"type": "string", "enum": list(type_.choices)}
    pattern = _LISTED if type_.pattern is None else ecma(type_.pattern)
    return {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}


def _string(type_: String) -> dict[str, Any]:
    line = _LINE if type_.may_begin_with_dash else _LINE_WITHOUT_DASH
    own = None if type_.pattern is None else ecma(type_.pattern)
    patterns = {"pattern": line} if own is None else {"allOf": [{"pattern": line}, {"pattern": own}]}
    return {"type": "string", "minLength": type_.min_length, "maxLength": type_.max_length, **patterns}


def _limits(**limits: float | None) -> dict[str, float]:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _float(limit: object) -> float | None:
    return None if limit is None else float(str(limit))


def _description(parameter: Parameter) -> str:
    """Say what it is for, and what is accepted: a schema cannot say all of it."""
    accepts = parameter.accepts
    said = f"{accepts[:1].upper()}{accepts[1:]}"
    example = f" Example: {parameter.example}" if parameter.example and not parameter.is_secret else ""
    return f"{parameter.help.rstrip('.')}. {said}.{example}" if parameter.help else f"{said}.{example}"


def _as_json(parameter: Parameter, canonical: str) -> object:
    match parameter.type:
        case Flag():
            return canonical == TRUE
        case Integer():
            return int(canonical)
        case Number():
            return float(canonical)
        case _:
            return canonical
