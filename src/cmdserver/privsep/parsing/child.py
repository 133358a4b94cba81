"""A child of the parsing process: it parses one output, and ends."""

import json
import os
import resource
import signal
from collections.abc import Callable
from typing import Final, NoReturn

from cmdserver.checks.data import Json
from cmdserver.core.output import NotParsed
from cmdserver.privsep import linux
from cmdserver.privsep.parsing.messages import RESULT_BYTES, Kind
from cmdserver.privsep.seccomp import bar_programs

#: What it may use. The daemon ends it earlier; these hold if the daemon cannot.
_LIMITS: Final = {
    resource.RLIMIT_CPU: 10,
    resource.RLIMIT_AS: 1 << 29,
    resource.RLIMIT_FSIZE: RESULT_BYTES,
    resource.RLIMIT_NOFILE: 32,
    resource.RLIMIT_CORE: 0,
}


def work(parse: Callable[[str, bytes], Json], parser: str, output: int, result: int, parent: int) -> NoReturn:
    """Parse what a descriptor has, write data or a reason to another, and exit with a `Kind`."""
    kind = Kind.ENDED
    try:
        _give_up_rights(parent)
        with os.fdopen(os.dup(output), "rb") as file:
            file.seek(0)
            content = file.read()
        kind, told = outcome(parse, parser, content)
        with os.fdopen(os.dup(result), "wb") as file:
            file.write(told)
    except BaseException:  # noqa: BLE001 - MemoryError, say; the exit status is all that there is to say
        kind = Kind.ENDED
    finally:
        os._exit(kind)


def outcome(parse: Callable[[str, bytes], Json], parser: str, output: bytes) -> tuple[Kind, bytes]:
    """Say what comes of output: what to exit with, and data or the reason for none."""
    try:
        data = json.dumps(parse(parser, output)).encode("ascii")
    except NotParsed as error:
        return Kind.NOT_PARSED, str(error).encode("ascii", "replace")
    if len(data) > RESULT_BYTES:
        return Kind.TOO_LONG, b""
    return Kind.DATA, data


def _give_up_rights(parent: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    linux.die_with_parent(signal.SIGKILL, parent)
    for limit, value in _LIMITS.items():
        hard = resource.getrlimit(limit)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (least, least))
    try:
        bar_programs(with_network=True)
    except OSError:
        return  # as the daemon, where the kernel or the machine has no such filter
