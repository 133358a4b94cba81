"""Tests that the date of a page is the source's."""

from pathlib import Path

import pytest

from manpages.dating import NoDate, date_of, last_commit, version_of

RELEASED = "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2027-02-03\n\n## [1.0.0] - 2026-12-01\n"


def test_the_first_that_there_is() -> None:
    """What packages say, the last release, the last commit."""
    assert date_of({"SOURCE_DATE_EPOCH": "86400"}, RELEASED, lambda: "2026-01-01") == "1970-01-02"
    assert date_of({}, RELEASED, lambda: "2026-01-01") == "2027-02-03"
    assert date_of({}, "## [Unreleased]\n", lambda: "2026-01-01") == "2026-01-01"


def test_none() -> None:
    """The day on which it is built is no date of the source."""
    with pytest.raises(NoDate, match="set SOURCE_DATE_EPOCH"):
        date_of({}, "", lambda: "")
    for text in ("soon", "9" * 30):
        with pytest.raises(NoDate, match=text):
            date_of({"SOURCE_DATE_EPOCH": text}, RELEASED, lambda: "")


def test_no_checkout(tmp_path: Path) -> None:
    """There is no last commit."""
    assert last_commit(tmp_path) == ""


def test_version(tmp_path: Path) -> None:
    """It is the project's."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2"\n')
    assert version_of(tmp_path / "pyproject.toml") == "1.2"
