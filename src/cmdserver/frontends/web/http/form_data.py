"""The form data of a request: fields of its query, and of its body, which is a form or a JSON object.

A JSON object is for programs: its members are fields, with numbers and booleans as JSON spells them. An array is
several fields of one name, and ``null`` is none.
"""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import parse_qsl

from cmdserver.core.errors import Malformed

#: Names and values, in the order in which they came.
Fields = Sequence[tuple[str, str]]

#: The most fields of a query or a body.
MOST_FIELDS: Final = 50

FORM: Final = b"application/x-www-form-urlencoded"
JSON: Final = b"application/json"
#: Media types of bodies, as the header Accept-Post lists them (W3C Linked Data Platform 1.0, section 7.1).
TYPES: Final = b", ".join((FORM, JSON))


class UnsupportedBody(Malformed):
    """A body has a media type other than `TYPES`."""

    #: RFC 9110, section 15.5.16.
    status: ClassVar = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class _Object(list[tuple[str, object]]):
    """The members of a JSON object, in order; names may repeat."""


def of_query(text: bytes) -> Fields:
    """Read a query, or a form, which is encoded in the same way.

    Raises:
        Malformed: It is not UTF-8, or has too many fields.
    """
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Malformed(f"the fields are not UTF-8, or more than {MOST_FIELDS}") from error


def of_body(content_type: bytes | None, body: bytes) -> Fields:
    """Read a whole body; an empty one has no fields.

    Raises:
        UnsupportedBody: It has another media type.
        Malformed: It is not what its type says.
    """
    if not body:
        return []
    media = (content_type or b"").partition(b";")[0].strip().lower()
    if media == FORM:
        return of_query(body)
    # RFC 6839, section 3.1: every type that ends in +json is JSON.
    if media == JSON or (media.startswith(b"application/") and media.endswith(b"+json")):
        return _of_json(body)
    given = media[:100].decode("ascii", "replace") or "no type at all"
    raise UnsupportedBody(f"a body is a form ({FORM.decode()}) or a JSON object ({JSON.decode()}); this one is {given}")


def _of_json(body: bytes) -> Fields:
    try:
        read = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_Object, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON in UTF-8") from error
    if not isinstance(read, _Object):
        raise Malformed('a JSON body is an object, such as {"name": "value"}')
    fields = [(name, text) for name, value in read for text in _values(name, value)]
    if len(fields) > MOST_FIELDS:
        raise Malformed(f"the body has more than {MOST_FIELDS} values")
    return fields


def _values(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list) and not isinstance(value, _Object):
        return [_value(name, each) for each in value]
    return [_value(name, value)]


def _value(name: str, value: object) -> str:
    match value:
        case str():
            return value
        case True:
            return "true"
        case False:
            return "false"
        case _:
            raise Malformed(f'"{name}" is neither a string, nor a number, nor a boolean, nor an array of these')
