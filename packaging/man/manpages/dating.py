"""The date and the version that pages bear: the same source gives the same pages, whenever they are made."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

_RELEASE = re.compile(r"^## \[[^\]]+\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


class NoDate(Exception):  # noqa: N818
    """Nothing says of when the source is."""


def date_of(environment: Mapping[str, str], changelog: str, last_commit: Callable[[], str]) -> str:
    """Return the date of the source, ISO 8601: that of SOURCE_DATE_EPOCH, the last release or the last commit.

    Raises:
        NoDate: There is none of them, or SOURCE_DATE_EPOCH is no number of seconds.
    """
    if seconds := environment.get("SOURCE_DATE_EPOCH"):
        try:
            return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
        except (ValueError, OverflowError, OSError) as error:
            raise NoDate(f"SOURCE_DATE_EPOCH is no time in seconds: {seconds}") from error
    if (release := _RELEASE.search(changelog)) is not None:
        return release[1]
    if date := last_commit():
        return date
    raise NoDate("no release in CHANGELOG.md, and no commit: set SOURCE_DATE_EPOCH to seconds since 1970")


def last_commit(repository: Path) -> str:
    """Return the date of the last commit; empty if this is no checkout, or git is not here."""
    command = ["git", "-C", str(repository), "log", "-1", "--date=format-local:%Y-%m-%d", "--format=%cd"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, check=False, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def version_of(project: Path) -> str:
    """Return the version in a pyproject.toml."""
    version: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return version
