"""An SSH server: the version that it says it speaks (RFC 4253, section 4.2)."""

import re

from cmdserver_probe.connection import MeteredSocket, connect
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = ()

#: An identification is 255 octets long at most, with CR LF; other lines may stand before it.
_LONGEST_LINE, _LINES = 255, 50
_FORM = re.compile(rb"SSH-[^-]+-.")
_OURS = b"SSH-2.0-cmdserver_probe\r\n"


def probe(run: Run) -> Finding:
    """Connect; read the identification; say ours, so that the server's log is not of a stranger who said nothing."""
    with connect(run) as sock, run.steps.step("greeting"):
        line = _identification(sock)
        _, version, *_ = line.split(b"-", 2)
        if version not in {b"2.0", b"1.99"}:
            raise ProbeFailed(f"the target speaks SSH {shown(version)}, not 2.0")
        expected = run.options.expect
        if expected is not None and expected.encode() not in line:
            raise ProbeFailed(f"it is not what is expected: {shown(line)}")
        sock.sendall(_OURS)
    return Finding(shown(line))


def _identification(sock: MeteredSocket) -> bytes:
    with sock.makefile("rb") as stream:
        for _ in range(_LINES):
            line = stream.readline(_LONGEST_LINE + 1)
            if not line:
                raise ProbeFailed("the target closed the connection")
            if not line.endswith(b"\n"):
                raise ProbeFailed(f"that is no SSH: {shown(line)}")
            if _FORM.match(line):
                return line.rstrip(b"\r\n")
    raise ProbeFailed(f"that is no SSH: {shown(line)}")
