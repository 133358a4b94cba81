"""Waiting for what other processes do: for a condition, with one limit for all tests, and never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

#: Only a test that fails waits so long. It is no statement about speed: what takes milliseconds on an idle machine may
#: take seconds on one that is busy.
LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.01
_STEADY_LOOKS = 20

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str) -> T:
    """Poll until ``condition`` is true of something, and return that; fail after `LIMIT_SECONDS`."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {LIMIT_SECONDS:g} s: {what}"
        time.sleep(_POLL_SECONDS)


def wait_until_steady(measure: Callable[[], int], what: str) -> int:
    """Poll until a number has not changed for so many looks, and return it; fail after `LIMIT_SECONDS`."""
    seen: list[int] = []

    def is_steady() -> bool:
        seen.append(measure())
        return len(seen) >= _STEADY_LOOKS and len(set(seen[-_STEADY_LOOKS:])) == 1

    wait_until(is_steady, what)
    return seen[-1]
