"""What a request costs, in counts: as many as docs/benchmarks.md says, so that nobody makes it worse unawares."""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: How far a count may be from what is written, and how many make one of these.
TOLERANCE = 0.1
REQUESTS = 100
ROWS = "line,web"
HEADING = "## What a request costs"
#: Of the numbers of a row.
CALLS, DAEMON, RUNNER = 0, 4, 5


def written() -> tuple[str, Mapping[str, list[float]]]:
    """Read which Python the table is of, and its rows."""
    section = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    python = re.search(r"Python (\d+\.\d+)", section)
    assert python is not None
    rows = re.findall(r"^\| ([a-zA-Z, ]+) \|((?: *[0-9.]+ \|){6})$", section, re.MULTILINE)
    return python[1], {name: [float(each) for each in numbers.split("|")[:-1]] for name, numbers in rows}


def counted(*options: str) -> "subprocess.CompletedProcess[str]":
    """Count."""
    argv = [sys.executable, str(ROOT / "bench" / "counting"), "--rows", ROWS, "--requests", str(REQUESTS), "--json"]
    return subprocess.run([*argv, *options], capture_output=True, text=True, check=False, timeout=300)


def test_a_request_costs_what_is_written() -> None:
    """Calls of Python in the daemon, and system calls of daemon and runner, of a line and of a request of the web."""
    python, rows = written()
    if not platform.python_version().startswith(f"{python}."):
        pytest.skip(f"the table is of Python {python}, which counts its calls in its own way")
    done = counted()
    has_system_calls = done.returncode == 0
    if not has_system_calls and "strace" in done.stderr:
        done = counted("--no-strace")
    assert done.returncode == 0, done.stderr
    found = {each["row"]: each for each in json.loads(done.stdout)}
    assert set(found) == {"line", "line, shared", "web", "web, shared"}
    for name, costs in found.items():
        calls = costs["ours"] + costs["twisted"] + costs["others"]
        assert calls == pytest.approx(rows[name][CALLS], rel=TOLERANCE), name
        if has_system_calls:
            assert costs["daemon"] == pytest.approx(rows[name][DAEMON], rel=TOLERANCE), name
            assert costs["runner"] == pytest.approx(rows[name][RUNNER], rel=TOLERANCE), name


def test_wrong_usage() -> None:
    """A row that there is not is named."""
    done = subprocess.run(
        [str(ROOT / "bench" / "cost"), "--rows", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, "there are no rows nonsense" in done.stderr) == (2, True)
