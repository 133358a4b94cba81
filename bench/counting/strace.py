"""System calls of a process, as strace(1) counts them; those of its children are theirs."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon import CannotCountError

#: Per cent, seconds, microseconds a call, calls, and errors if there were any.
_ROW = re.compile(r"^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+) +(?:[0-9]+ +)?(\w+)$")


@contextmanager
def counting(pid: int, file: Path) -> Iterator[Counter[str]]:
    """Count by name while the context lasts; the counter has the numbers behind it."""
    program = shutil.which("strace")
    if program is None:
        raise CannotCountError("strace is not installed")
    calls: Counter[str] = Counter()
    argv = [program, "-c", "-U", "time-percent,time-total,time-avg,calls,errors,name", "-o", str(file), "-p", str(pid)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        if process.stderr is None or "attached" not in (said := process.stderr.readline()):
            process.kill()
            raise CannotCountError(f"strace cannot attach: {said.strip()}")
        try:
            yield calls
        finally:
            process.terminate()
            process.wait()
    for line in file.read_text("ascii").splitlines():
        if (found := _ROW.match(line)) is not None and found[2] != "total":
            calls[found[2]] += int(found[1])
