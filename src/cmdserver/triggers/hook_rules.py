"""What a hook takes out of a request whose signature is right: whether it is meant, and the values of parameters.

The body is JSON, or a form whose field ``payload`` is JSON, as GitHub can send it. Rule of this file: pure; whoever has
sent the request knows the secret, and is believed nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from msgspec import Struct

from cmdserver.core.errors import Malformed
from cmdserver.triggers.hook import Condition, Hook, Number, Place, Scalar, ValuePath

#: The most values of one parameter, and the most characters of one value: no parameter takes more.
MOST_VALUES: Final = 100
MOST_CHARACTERS: Final = 65_536
_MOST_FIELDS: Final = 50

_FORM: Final = b"application/x-www-form-urlencoded"
_PAYLOAD: Final = "payload"

#: What JSON can say; numbers are kept as they are spelled.
JSONValue: TypeAlias = Scalar | list["JSONValue"] | dict[str, "JSONValue"] | None

#: Names and values, as forms have them.
Fields: TypeAlias = Sequence[tuple[str, str]]


class HookRequest(Struct, frozen=True, kw_only=True):
    """What a hook's request says."""

    body: JSONValue
    #: Values by the names of header fields, in lower case.
    headers: Mapping[str, Sequence[str]]
    query: Fields


def parse_body(content_type: bytes | None, body: bytes) -> JSONValue:
    """Read a whole body; an empty one says nothing.

    A key that an object has twice is refused: whoever else reads it may take the other one. What begins as JSON does is
    no form, whatever is said of it: ``curl -d`` calls everything one.

    Raises:
        Malformed: It is not JSON in UTF-8, is nested too deep, or has something in it that JSON has not.
    """
    if not body:
        return None
    media = (content_type or b"").partition(b";")[0].strip().lower()
    try:
        is_form = media == _FORM and not body.lstrip().startswith((b"{", b"["))
        text = _payload_of(body) if is_form else body.decode("utf-8-sig")
        read: JSONValue = json.loads(
            text, object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("the body of a hook is JSON in UTF-8, or a form whose field payload is") from error
    return read


def _payload_of(body: bytes) -> str:
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    (payload,) = (value for name, value in fields if name == _PAYLOAD)
    return payload


def _object(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def find(path: ValuePath, request: HookRequest) -> JSONValue:
    """Return the value at a path; None if there is none.

    A header field or a query's field that is there more than once has a list of values.
    """
    match path.place:
        case Place.BODY:
            return _in_body(path.keys, request.body)
        case Place.HEADER:
            values = list(request.headers.get(path.keys[0].lower(), ()))
        case Place.QUERY:
            values = [value for name, value in request.query if name == path.keys[0]]
    found: list[JSONValue] = [*values]
    return found[0] if len(found) == 1 else found or None


def _in_body(keys: Sequence[str], value: JSONValue) -> JSONValue:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 10:  # noqa: PLR2004 - no list is longer
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def is_meant(conditions: Sequence[Condition], request: HookRequest) -> bool:
    """Whether all conditions hold; a value that is missing, a list or an object is equal to nothing."""
    return all(_holds(each, find(each.path, request)) for each in conditions)


def _holds(condition: Condition, value: JSONValue) -> bool:
    return isinstance(value, str | Number | bool) and value in condition.any_of


def arguments(hook: Hook, request: HookRequest) -> Fields:
    """Return the values of a hook's parameters.

    A string, a number or a boolean is a value, a list of them several; anything else is none.

    Raises:
        Malformed: There are more of them, or longer ones, than any parameter takes.
    """
    found: list[tuple[str, str]] = []
    for name, path in hook.arguments:
        texts = _texts(find(path, request))
        if len(texts) > MOST_VALUES or any(len(text) > MOST_CHARACTERS for text in texts):
            raise Malformed(f"{path} is too long for a parameter")
        found += [(name, text) for text in texts]
    return found


def _texts(value: JSONValue) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [_text(each) for each in values]
    return [text for text in texts if text is not None] if None not in texts else []


def _text(value: JSONValue) -> str | None:
    match value:
        case str():
            return value
        case Number():
            return value.text
        case bool():
            return "true" if value else "false"
        case _:
            return None
