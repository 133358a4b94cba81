"""The instruments: the load generator, the bare limit, the holder of idle connections, each a process of its own."""

import json
import select
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from servers import ADDRESS, EXPECTED, CannotMeasureError, Server

_HERE = Path(__file__).parent

#: Load that is not counted yet, until every caller is under way.
WARM_SECONDS = 0.3
#: For answers that are under way when a cell ends; what has not come by then counts as lost.
_GRACE_SECONDS = 5
#: What a tool may take beyond what it was told to.
_SLACK_SECONDS = 30
#: For one answer of the holder: ten thousand connections at a leisurely pace.
_HOLD_SECONDS = 120


class Tools:
    """The two that are written in C, compiled into a directory.

    Args:
        scratch: The directory.
    """

    def __init__(self, scratch: Path) -> None:
        self._load = _compile("load", scratch)
        self._limit = _compile("limit", scratch)

    def load(self, server: Server, callers: int, seconds: float, *, half_close: bool = False) -> dict[str, Any]:
        """Let so many callers ask a server in a closed loop; say how that went, with the server's CPU time."""
        argv = [self._load, "--address", ADDRESS, "--port", str(server.port), "--callers", str(callers)]
        argv += ["--seconds", str(seconds), "--warm", str(WARM_SECONDS), "--grace", str(_GRACE_SECONDS)]
        argv += ["--expect", EXPECTED]
        argv += ["--greeting", server.greeting, "--send", server.line]
        if half_close:
            argv.append("--half-close")
        before = server.cpu_seconds()
        result = _result(argv, seconds + WARM_SECONDS + _GRACE_SECONDS)
        answered = result["answered"]
        server.answered += answered
        result["rate"] = result["requests"] / seconds
        result["server_cpu_ms"] = (server.cpu_seconds() - before) * 1e3 / answered if answered else None
        result["load_cpu_ms"] = result["cpu_seconds"] * 1e3 / answered if answered else None
        return result

    def limit(self, program: str, in_flight: int, seconds: float, descriptors: int = 0) -> float:
        """Say how many times a second this host can run the program, so many at once."""
        argv = [self._limit, "--in-flight", str(in_flight), "--seconds", str(seconds)]
        argv += ["--descriptors", str(descriptors), "--expect", EXPECTED, program]
        result = _result(argv, seconds)
        if result["errors"] or not result["rate"]:
            raise CannotMeasureError(f"{program} does not work on its own: {result}")
        return float(result["rate"])


class Holder:
    """Idle connections to one server; a context, at whose end they are closed.

    Args:
        server: Which greets them.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def __enter__(self) -> Self:
        argv = [sys.executable, str(_HERE / "hold.py"), str(self._server.port), self._server.greeting]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def hold(self, wanted: int) -> None:
        """Have so many open, each greeted."""
        self._order(f"hold {wanted}")

    def ask(self, count: int) -> dict[str, int]:
        """Ask some; say how many were ``asked`` and ``answered``."""
        outcome = self._order(f"ask {count}")
        self._server.answered += outcome["answered"]
        return outcome

    def check(self) -> dict[str, int]:
        """Say how many are ``held``, and how many of those the server has kept ``open``."""
        return self._order("check")

    def release(self, kept: int) -> None:
        """Close all but so many."""
        self._order(f"release {kept}")

    def _order(self, order: str) -> dict[str, int]:
        if self._process.stdin is None or self._process.stdout is None:
            raise CannotMeasureError("the holder has no pipes")
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _HOLD_SECONDS)
        line = self._process.stdout.readline() if ready else '{"error": "it takes too long"}'
        answer = json.loads(line) if line else {"error": "the holder ended"}
        if "error" in answer:
            raise CannotMeasureError(f"{order} at {self._server.name}: {answer['error']}")
        return dict(answer)


def _compile(name: str, scratch: Path) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotMeasureError("a C compiler (cc) is needed")
    program = scratch / name
    built = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(_HERE / f"{name}.c")], capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise CannotMeasureError(f"{name}.c cannot be compiled\n{built.stderr}")
    return str(program)


def _result(argv: list[str], seconds: float) -> dict[str, Any]:
    """Run a tool, which it survives for a bounded time, and read what it prints."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + _SLACK_SECONDS, check=False)
    if done.returncode:
        raise CannotMeasureError(f"{Path(argv[0]).name} failed: {done.stderr.strip() or done.returncode}")
    return dict(json.loads(done.stdout))
