"""A connection to the bus (NATS), made again with growing pauses whenever it is lost.

Nothing is kept meanwhile: what cannot be sent now is not sent later. Whatever nats-py does by itself when a connection
is lost is switched off, as it keeps what was published, and ends for good after some errors.
"""

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error, NoServersError, SlowConsumerError

from cmdserver.core.escaping import printable_line
from cmdserver.files.safe_path import read_file
from cmdserver.fleet.membership import BusServer
from cmdserver.fleet.nats_client import BusClient
from cmdserver.logs.rate_limited_log import RateLimitedLog

#: To connect, with TLS and the proof of who we are.
CONNECT_SECONDS: Final = 10
#: All that belongs to that together.
_TRY_SECONDS: Final = 15
_AGAIN_SECONDS: Final = 0.2
#: A bus that says nothing is given up when so many questions have had no answer, one each so many seconds.
_PING_SECONDS: Final = 10
_MOST_PINGS: Final = 2
_FLUSH_SECONDS: Final = 30
_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0
#: A connection that has lasted so long was a good one: the next pause is short again.
_GOOD_SECONDS: Final = 30.0
#: Lines a minute of what the bus does not permit: a host has two subjects, and answers.
_MOST_REFUSALS: Final = 4
#: A seed has 58 characters.
_MOST_SEED_BYTES: Final = 1024

#: Logged once for each loss of the connection.
AWAY: Final = "the bus %s is away (%s); trying again"

_log = logging.getLogger(__name__)


class NotConnected(Exception):  # noqa: N818 - a statement
    """The bus is away, so nothing was sent."""


def backoff(jitter: Callable[[], float]) -> Iterator[float]:
    """Iterate over how long to wait before each try, in seconds: each wait up to twice as long, up to 15.

    Args:
        jitter: Gives a number in [0, 1), anew at each call: a thousand hosts are not to come back at once.
    """
    longest = _SHORTEST_PAUSE
    while True:
        yield longest * (0.5 + jitter() / 2)
        longest = min(2 * longest, _LONGEST_PAUSE)


class Bus:
    """A connection to the bus, as long as `run` runs.

    Args:
        server: Where it is.
        name: What the bus calls us in its own log.
        subscribe: Subscribes to what is wanted; called for each connection.
        jitter: See `backoff`.
        status: Told in a line how things are, whenever that changes.
    """

    def __init__(
        self,
        server: BusServer,
        name: str,
        subscribe: Callable[[Client], Awaitable[None]],
        jitter: Callable[[], float],
        status: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._server = server
        self._name = name
        self._subscribe = subscribe
        self._jitter = jitter
        self._status = status
        self._client: Client | None = None
        self._tried = asyncio.Event()
        self._trouble = ""
        # Strangers can have both written as often as they like.
        self._losses = RateLimitedLog(_log, time.monotonic)
        self._refusals = RateLimitedLog(_log, time.monotonic, _MOST_REFUSALS)

    async def run(self) -> None:
        """Connect, and connect again, until this is cancelled."""
        waits, is_told = backoff(self._jitter), False
        while True:
            began = asyncio.get_running_loop().time()
            was_connected, self._trouble = await self._connect_once()
            self._tried.set()
            if was_connected:
                is_told = False
                if asyncio.get_running_loop().time() - began > _GOOD_SECONDS:
                    waits = backoff(self._jitter)
            if not is_told:
                _log.warning(AWAY, self._server, self._trouble)
                self._status(f"waiting for the bus {self._server}: {self._trouble}")
                is_told = True
            await asyncio.sleep(next(waits))

    async def require_connection(self) -> None:
        """Wait for the first try, while `run` runs; raise `NotConnected` if it fails."""
        await self._tried.wait()
        if self._client is None:
            raise NotConnected(f"the bus {self._server} cannot be reached: {self._trouble}")

    async def publish(
        self, subject: str, body: bytes, headers: Mapping[str, str], reply: str = "", *, flush: bool = False
    ) -> None:
        """Send a message now, or never.

        Args:
            subject: Where to.
            body: At most what the bus takes, which is a MiB unless it says otherwise.
            headers: Fields without line breaks.
            reply: Where it is to be answered; empty: nowhere.
            flush: Whether to wait until the bus has it.

        Raises:
            NotConnected: There is no connection, or it was lost; a part of the message may be on its way.
        """
        client = self._client
        if client is None:
            raise NotConnected("the bus is away")
        try:
            await client.publish(subject, body, reply, dict(headers))
            if flush:
                await client.flush(_FLUSH_SECONDS)
        except (Error, OSError, TimeoutError) as error:
            raise NotConnected(_said(error)) from error

    async def _connect_once(self) -> tuple[bool, str]:
        """Connect, and wait until the connection is lost; return whether there was one, and why there is none."""
        said = ""

        async def on_error(error: Exception) -> None:
            nonlocal said
            if isinstance(error, SlowConsumerError):
                self._losses.warning("messages came faster than they could be taken, and some were lost")
            elif "permissions" in str(error).lower():
                self._refusals.warning("the bus refuses: %s", _said(error))
            elif not isinstance(error, NoServersError):
                said = _said(error)

        client = BusClient(is_tls=self._server.is_tls)
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                await client.connect(error_cb=on_error, **self._options())
                await self._subscribe(client)
                await client.flush(CONNECT_SECONDS)
            if not client.is_connected:
                return False, said or "it does not speak as NATS does"
            self._client = client
            _log.info("connected to the bus %s", self._server)
            self._status(f"connected to the bus {self._server}")
            self._tried.set()
            await client.lost.wait()
        except NoServersError:
            return False, said or "it cannot be reached"
        except Exception as error:  # noqa: BLE001 - whatever the libraries raise is told, and tried again
            return False, _said(error)
        else:
            return True, said or "it has closed the connection"
        finally:
            self._client = None
            await client.end()

    def _options(self) -> dict[str, Any]:
        """Say how nats-py is to connect: once."""
        server = self._server
        options: dict[str, Any] = {
            "servers": [str(server)],
            "name": self._name,
            "allow_reconnect": False,
            # Not 0, which is for ever.
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
            "connect_timeout": CONNECT_SECONDS,
            "ping_interval": _PING_SECONDS,
            "max_outstanding_pings": _MOST_PINGS,
        }
        if server.is_tls:
            options["tls"] = ssl.create_default_context(cafile=server.ca)
            options["tls_hostname"] = server.server_name or server.host
        if server.credentials is not None:
            # Read for each connection, so that a new one is used without a restart.
            options["nkeys_seed_str"] = read_file(Path(server.credentials), _MOST_SEED_BYTES).decode("ascii").strip()
        return options


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks of which some run `Bus.run`, and wait until they have ended: nats-py swallows a cancel at times."""
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=_AGAIN_SECONDS)


def _said(error: BaseException) -> str:
    """Return what an error says, in a line; the bus may have chosen the words."""
    match error:
        case TimeoutError():
            text = "no answer in time"
        case ssl.SSLCertVerificationError():
            text = f"certificate verify failed: {error.verify_message}"
        case socket.gaierror():
            text = error.strerror or str(error)
        case OSError() if error.errno and not isinstance(error, ssl.SSLError):
            # asyncio says which call has failed, in place of why.
            file = f"{error.filename}: " if error.filename else ""
            text = file + os.strerror(error.errno)
        case ImportError():
            text = f"{error}; install cmdserver[fleet]"
        case _:
            text = str(error) or type(error).__name__
    return printable_line(text)[:200]
