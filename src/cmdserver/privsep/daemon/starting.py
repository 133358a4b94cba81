"""Starts the runner process, and waits until it is ready: in the daemon, before anything listens."""

import os
import signal
import socket
import sys

from cmdserver.config.host import SEARCH_PATH
from cmdserver.core.errors import CannotStart
from cmdserver.execution.posix import open_null
from cmdserver.execution.spawning import spawn
from cmdserver.privsep.arguments import RunnerArguments
from cmdserver.privsep.messages import REPORT_BYTES, Read, Ready, decode_report

#: A tenth of a second is usual; a host that swaps takes longer.
PATIENCE_SECONDS = 30.0

#: Where the runner finds its end of the socket.
_CONNECTION = 3


def start(arguments: RunnerArguments) -> socket.socket:
    """Start a runner.

    Returns:
        Our end of the socket to it. Whoever closes that ends the runner and all that it runs.

    Raises:
        OSError: It cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [sys.executable, "-P", "-m", "cmdserver.privsep", *arguments.words()]
    environment = {"PATH": SEARCH_PATH, "LANG": "C"}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    null = open_null()
    try:
        # The runner ignores itself what else we ignore.
        spawn(sys.executable, argv, environment, {0: null, _CONNECTION: theirs.fileno()}, [signal.SIGPIPE])
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(null)
    return ours


def wait_for(connection: socket.socket) -> Ready:
    """Wait until a runner that was started is ready to be asked; the socket is non-blocking from then on.

    Raises:
        CannotStart: It is not, for a reason that the text says.
    """
    connection.settimeout(PATIENCE_SECONDS)
    try:
        packet = connection.recv(REPORT_BYTES)
    except OSError as error:
        raise CannotStart(f"cmdserver: the runner process does not answer: {error}") from error
    if not packet:
        raise CannotStart("cmdserver: the runner process has ended as soon as it was started; what it said is above")
    connection.setblocking(False)
    match decode_report(packet):
        case Ready() as ready:
            return ready
        case Read(mistakes):
            raise CannotStart("cmdserver: the runner process cannot read the configuration: " + "; ".join(mistakes))
        case report:
            raise CannotStart(f"cmdserver: the runner process begins with {report}")
