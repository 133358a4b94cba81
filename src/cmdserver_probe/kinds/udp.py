"""A datagram, and one that answers it."""

from cmdserver_probe.connection import exchange
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, Value
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = ()


def probe(run: Run) -> Finding:
    """Send; wait for one datagram; look for what is expected in it."""
    options = run.options
    answer, _ = exchange(run, options.send or b"", "answer")
    if options.expect_bytes is not None and options.expect_bytes not in answer:
        run.steps.current = "answer"
        raise ProbeFailed(f"it is not what is expected: {shown(answer) or '(empty)'}")
    return Finding(f"answers: {shown(answer) or '(empty)'}", values={"bytes": Value(len(answer), "B")})
