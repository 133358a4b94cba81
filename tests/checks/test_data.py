"""Numbers in data."""

import math

import pytest

from cmdserver.checks.data import Json, as_number, numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (1.5, 1.5),
        (True, None),
        ("1", None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
    ],
)
def test_as_number(value: Json, number: float | None) -> None:
    """Only what is a finite number is one."""
    assert as_number(value) == number


def test_rows_are_named_by_meaning() -> None:
    """What names a row is no number of it."""
    data: Json = [{"user": "root", "pid": 7, "rss": 5, "nested": {"a": 1}}, {"user": "root", "pid": 8, "rss": 6}]
    assert [(each.key, each.row, each.value) for each in numbers(data)] == [
        ("rss", "7", 5),
        ("nested.a", "7", 1),
        ("rss", "8", 6),
    ]


def test_objects_and_lists() -> None:
    """Keys are joined by dots; rows of rows by blanks; what has no name is numbered."""
    data: Json = {"load": 1, "disks": [{"name": "a", "parts": [{"name": "b", "size": 3}]}], "list": [4, 5], "no": True}
    assert [(each.key, each.row, each.value) for each in numbers(data)] == [
        ("load", None, 1),
        ("disks.parts.size", "a b", 3),
        ("list", "1", 4),
        ("list", "2", 5),
    ]


def test_depth() -> None:
    """What is too deep is not looked at."""
    data: Json = 1
    for _ in range(5000):
        data = {"a": data}
    assert list(numbers(data)) == []
