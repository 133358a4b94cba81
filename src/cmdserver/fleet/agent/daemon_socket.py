"""The daemon of this host, as the agent asks it: HTTP over the UNIX socket that takes signed requests alone."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from cmdserver.fleet.bus_messages import ANSWER_FIELDS, BusRequest, Fields

_MOST_HEAD_BYTES: Final = 65_536
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: .*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,12}")


class DaemonAway(Exception):  # noqa: N818 - a statement
    """The daemon cannot be asked, or has not answered; the text says why."""


class DaemonAnswer(Struct, frozen=True):
    """The head of an answer, whose body is still to be read."""

    status: int
    #: Those that the bus is told, as they are called there.
    fields: Fields
    #: Of the body, in bytes.
    size: int


class DaemonSocket:
    """Asks the daemon.

    Args:
        path: Where its socket is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def ask(self, request: BusRequest) -> AsyncIterator[tuple[DaemonAnswer, asyncio.StreamReader]]:
        """Ask, and give the head of the answer and what its body is read from.

        Leaving early tells the daemon that nobody waits for the answer any more.

        Raises:
            DaemonAway: There is no answer that could be passed on.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=_MOST_HEAD_BYTES)
        except OSError as error:
            raise DaemonAway(f"the daemon cannot be asked at {self._path}: {error.strerror or error}") from error
        try:
            writer.write(request.http())
            await writer.drain()
            yield _read_head(await reader.readuntil(b"\r\n\r\n")), reader
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise DaemonAway(f"the daemon has not answered: {error}") from error
        finally:
            writer.close()


def _read_head(head: bytes) -> DaemonAnswer:
    """Read the head of an answer.

    Raises:
        DaemonAway: It is none, or that of an answer that comes in pieces: such a one is not signed.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    found = {name.lower(): value.strip() for name, _, value in pairs}
    length = found.get("content-length", "")
    if status is None or not _LENGTH.fullmatch(length) or "transfer-encoding" in found:
        raise DaemonAway("the daemon's answer is not one whole")
    fields = tuple((name, found[name.lower()]) for name in ANSWER_FIELDS if name.lower() in found)
    return DaemonAnswer(int(status[1]), fields, int(length))
