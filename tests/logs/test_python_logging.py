"""Tests of Python's own logging, for people and for systemd's journal."""

import io
import logging
import re
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from cmdserver.logs.python_logging import log_to


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    loggers = logging.getLogger(), logging.getLogger("asyncio")
    levels = [each.level for each in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def logged(*, is_for_journal: bool) -> list[str]:
    """Log something of everything; return the lines."""
    stream = io.StringIO()
    with patch.object(logging.getLogger(), "handlers", []):
        log_to(stream, is_for_journal=is_for_journal)
        _log_everything()
    return stream.getvalue().splitlines()


def _log_everything() -> None:
    log = logging.getLogger("some.where")
    log.debug("nobody's business")
    log.info("%s", "one\ntwo")
    log.warning("a\x1b[2Jb\tc")
    log.critical("so")
    log.log(25, "between")
    logging.getLogger("asyncio").warning("of TLS")
    logging.getLogger("asyncio").error("an error")
    try:
        int("a\x1bb")
    except ValueError:
        log.exception("oh")


def test_for_the_journal() -> None:
    """A priority before each line, of tracebacks too, and no time; nothing acts on a terminal."""
    lines = logged(is_for_journal=True)

    assert lines[:8] == [
        "<6>one", "<6>two", "<4>a^[[2Jb^Ic", "<2>so", "<7>between", "<3>an error", "<3>oh",
        "<3>Traceback (most recent call last):",
    ]  # fmt: skip
    assert lines[-1] == "<3>ValueError: invalid literal for int() with base 10: 'a\\x1bb'"
    assert all(line.startswith("<3>") for line in lines[6:])


def test_for_people() -> None:
    """Time and level, once for each event."""
    lines = logged(is_for_journal=False)

    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(f"{time} INFO: one", lines[0])
    assert lines[1] == "two"
    assert re.fullmatch(rf"{time} WARNING: a\^\[\[2Jb\^Ic", lines[2])
    assert lines[-1] == "ValueError: invalid literal for int() with base 10: 'a\\x1bb'"
    assert not any(line.startswith("<") for line in lines)
