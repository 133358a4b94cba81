"""A TCP port: it accepts connections, and says what it should, if that is known."""

from cmdserver_probe.connection import MeteredSocket, connect
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, Value
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = ()

_MUCH = 1 << 20


def probe(run: Run) -> Finding:
    """Connect; send; wait for what is expected."""
    options = run.options
    with connect(run) as sock:
        if options.send is not None:
            with run.steps.step("send"):
                sock.sendall(options.send)
        if options.expect_bytes is None:
            return Finding("accepts connections")
        with run.steps.step("answer"):
            answer = _read_until(sock, options.expect_bytes)
    return Finding(f"answers: {shown(answer)}", values={"bytes": Value(len(answer), "B")})


def _read_until(sock: MeteredSocket, expected: bytes) -> bytes:
    answer = bytearray()
    while (found := answer.find(expected)) < 0:
        data = sock.recv(65536)
        if not data:
            raise ProbeFailed(
                f"the target ends without what is expected, having said: {shown(bytes(answer)) or '(nothing)'}"
            )
        answer += data
        if len(answer) > _MUCH:
            raise ProbeFailed(f"what is expected is not in the first {_MUCH} octets: {shown(bytes(answer))}")
    return bytes(answer[: found + len(expected)])
