"""NATS' client (nats-py), but that it bears what a bus, and whoever can write to it, may say.

What it overrides is nats-py's own, so each method here has a test that shows what would happen without it.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error, ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

#: A message: no bus of NATS' takes more, whatever its `max_payload`.
_MOST_MESSAGE_BYTES: Final = 64 * 1024 * 1024
#: A line that is no message; a bus of many servers names them all in one.
_MOST_LINE_BYTES: Final = 16 * 1024
_CLOSE_SECONDS: Final = 1


class BusClient(Client):
    """nats-py's client, for a bus that may be hostile.

    nats-py begins TLS only if the bus' first line asks for it, which a man in the middle can take away: here TLS is
    required. A message that cannot be decoded is dropped, and does not end the reading; `lost` tells when that ends.

    Args:
        is_tls: Whether TLS is required.
    """

    def __init__(self, *, is_tls: bool) -> None:
        super().__init__()
        self._wants_tls = is_tls
        self._ps = _Parser(self)
        #: Set when nothing is read any more, for whatever reason.
        self.lost = asyncio.Event()

    async def end(self) -> None:
        """End a connection, whatever state it is in.

        nats-py would wait for ever for a bus that reads no more, and where TLS has failed.
        """
        with suppress(Exception):  # one that is lost already cannot be closed, in many ways
            await asyncio.wait_for(self.close(), _CLOSE_SECONDS)
        writer = getattr(getattr(self, "_transport", None), "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    # As called by nats-py

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002
        if initial_connection and self._wants_tls and not info.get("tls_required"):
            raise Error("it offers no TLS")
        await super()._process_info(info, initial_connection)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        with suppress(ValueError, IndexError):  # subjects that are no UTF-8, and headers that end too soon
            await super()._process_msg(sid, subject, reply, data, headers)

    async def _read_loop(self) -> None:
        try:
            await super()._read_loop()
        finally:
            self.lost.set()

    async def _ping_interval(self) -> None:
        with suppress(OSError):  # it closes the connection by itself, which `_close` below may cut short
            await super()._ping_interval()


class _Parser(Parser):
    """NATS' parser, for which a bus that writes what none writes is lost, and not an exception of its own."""

    async def parse(self, data: bytes = b"") -> None:
        try:
            await super().parse(data)
        except (ProtocolError, OSError):
            raise
        except Exception as error:
            raise ProtocolError from error
        is_line = self.state == AWAITING_CONTROL_LINE
        if self.needed > _MOST_MESSAGE_BYTES or (is_line and len(self.buf) > _MOST_LINE_BYTES):
            self.reset()
            raise ProtocolError
