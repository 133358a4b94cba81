"""Tests of a log that strangers can have lines written to."""

import logging

import pytest

from cmdserver.logs.rate_limited_log import RateLimitedLog


def test_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The next one says how many there were between, of whatever level; percent signs of strangers mean nothing."""
    caplog.set_level(logging.INFO)
    time = 0.0
    limited = RateLimitedLog(logging.getLogger("x"), lambda: time)
    for now, value in ((0, "%s"), (0, "b"), (59.9, "c"), (60, "d"), (119.9, "e"), (1000, "f"), (1060, "g")):
        time = now
        limited.info("it was %s", value)
    time = 1119.9
    limited.info("left out")
    time = 1120
    limited.warning("100 %%")

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "it was %s"),
        ("INFO", "it was d (2 more before it)"),
        ("INFO", "it was f (1 more before it)"),
        ("INFO", "it was g"),
        ("WARNING", "100 % (1 more before it)"),
    ]


def test_several_lines_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """As many as were asked for, from the first of a minute on; what was left out is told with the next one."""
    time = 0.0
    limited = RateLimitedLog(logging.getLogger("x"), lambda: time, 2)
    for now in (0, 30, 59, 60, 60, 119.9, 120):
        time = now
        limited.warning("at %g", now)

    assert [each.getMessage() for each in caplog.records] == [
        "at 0",
        "at 30",
        "at 60 (1 more before it)",
        "at 60",
        "at 120 (1 more before it)",
    ]
