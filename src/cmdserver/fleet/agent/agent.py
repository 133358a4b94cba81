"""The agent of a host: takes requests from the bus, has the daemon answer them, and sends the answers back.

The agent decides nothing: who may ask what is the daemon's to say, which alone can verify and sign. The agent leaves
out what the daemon need not see, and bounds what the rest can cost. Where it cannot have the daemon's answer it says
nothing, as nobody could believe it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg

from cmdserver.core.errors import Throttled
from cmdserver.core.model import Rate
from cmdserver.core.site import FleetHost
from cmdserver.fleet import subjects
from cmdserver.fleet.agent.daemon_socket import DaemonAnswer, DaemonAway
from cmdserver.fleet.bus import NotConnected
from cmdserver.fleet.bus_messages import HOST, PART_BYTES, ROLL_CALL, BadRequest, BusRequest, answer_headers, part_count
from cmdserver.limits.start_rates import StartRates
from cmdserver.logs.rate_limited_log import RateLimitedLog

#: Requests that the daemon is asked in a second; what comes faster is left out.
_MOST: Final = Rate(50, 1)
#: Requests that wait for an answer at once.
MOST_UNANSWERED: Final = 64
#: A request is given up then, and its connection closed, so that the daemon stops waiting, too.
_MOST_SECONDS: Final = 3600.0
#: Messages that wait to be looked at, and their bytes.
_MOST_PENDING: Final = 1000
_MOST_PENDING_BYTES: Final = 16 * 1024 * 1024

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """What sends answers; see `cmdserver.fleet.bus.Bus.publish`."""

    async def publish(self, subject: str, body: bytes, headers: dict[str, str], *, flush: bool = False) -> None:
        """Send a message; raises `NotConnected`."""


class Body(Protocol):
    """What the body of an answer is read from."""

    async def readexactly(self, n: int) -> bytes:
        """Return so many bytes."""


#: Asks the daemon; see `DaemonSocket.ask`.
AskDaemon = Callable[[BusRequest], AbstractAsyncContextManager[tuple[DaemonAnswer, Body]]]


class Agent:
    """Answers what comes from the bus.

    Args:
        host: Whose agent it is.
        ask: Asks its daemon.
        clock: For measuring, in seconds.
    """

    def __init__(self, host: FleetHost, ask: AskDaemon, clock: Callable[[], float]) -> None:
        self._host = host
        self._ask = ask
        self._clock = clock
        self._rates = StartRates()
        self._answering: set[asyncio.Task[None]] = set()
        self._no_requests = RateLimitedLog(_log, clock)
        self._troubles = RateLimitedLog(_log, clock)

    async def subscribe(self, client: Client, bus: Publisher) -> None:
        """Take what is for this host, and roll calls."""

        async def take(message: Msg) -> None:
            self.take(message.headers, message.data, message.reply, bus)

        async def take_roll_call(message: Msg) -> None:
            self.take(message.headers, message.data, message.reply, bus, is_for_all=True)

        for subject, callback in (
            (subjects.of_host(self._host), take),
            (subjects.of_all(self._host.fleet), take_roll_call),
        ):
            await client.subscribe(
                subject, cb=callback, pending_msgs_limit=_MOST_PENDING, pending_bytes_limit=_MOST_PENDING_BYTES
            )

    def take(
        self, headers: dict[str, str] | None, body: bytes, reply: str, bus: Publisher, *, is_for_all: bool = False
    ) -> None:
        """Begin to answer a message; what is no request for this host is left out.

        Args:
            headers: Of the message.
            body: Of the message.
            reply: Where to answer.
            bus: Sends the answer.
            is_for_all: Whether it came by the subject of all hosts, by which roll calls come and nothing else.
        """
        try:
            request = self._read(headers, body, reply)
            if is_for_all:
                _require_roll_call(request)
            self._rates.spend("", _MOST, self._clock())
        except BadRequest as error:
            self._no_requests.info("left out a message: %s", error)
            return
        except Throttled:
            self._troubles.warning("left out a request: more than %s come in a second", _MOST.count)
            return
        if len(self._answering) >= MOST_UNANSWERED:
            self._troubles.warning("left out a request: %s are being answered", MOST_UNANSWERED)
            return
        task = asyncio.get_running_loop().create_task(self._answer(request, reply, bus))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def _read(self, headers: dict[str, str] | None, body: bytes, reply: str) -> BusRequest:
        """Read a message; raises `BadRequest` if it is no request for this host."""
        if not subjects.is_reply_subject(reply):
            raise BadRequest("there is nowhere to answer it")
        request = BusRequest.read(headers, body)
        if not request.audience.includes(self._host):
            raise BadRequest("it is meant for others")
        return request

    async def drain(self, seconds: float) -> None:
        """Wait until what is being answered is, at most so long; what is not is given up."""
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=seconds)
            for task in late:
                task.cancel()

    async def _answer(self, request: BusRequest, reply: str, bus: Publisher) -> None:
        try:
            async with asyncio.timeout(_MOST_SECONDS), self._ask(request) as (answer, body):
                parts = part_count(answer.size)
                async for number, part in _parts(body, answer.size):
                    headers = {HOST: self._host.name, **answer_headers(answer.status, answer.fields, number, parts)}
                    await bus.publish(reply, part, headers, flush=parts > 1)
        except NotConnected as error:
            self._troubles.warning("an answer was not delivered: %s", error)
        except (DaemonAway, asyncio.IncompleteReadError) as error:
            self._troubles.warning("a request was not answered: %s", error)
        except TimeoutError:
            self._troubles.warning("a request was not answered within %s s", _MOST_SECONDS)
        except Exception:  # noqa: BLE001 - the outer edge: one request's trouble is not the next one's
            _log.exception("a request was not answered")


def _require_roll_call(request: BusRequest) -> None:
    """Refuse what is to be sent to each host by itself: who may ask one host on the bus is not to reach all."""
    if (request.method, request.target) != ROLL_CALL:
        raise BadRequest("all hosts at once are asked for a roll call only")


async def _parts(body: Body, size: int) -> AsyncIterator[tuple[int, bytes]]:
    """Read a body in parts, each with its number; one of nothing is one part."""
    for number in range(1, part_count(size) + 1):
        left = size - (number - 1) * PART_BYTES
        yield number, await body.readexactly(min(left, PART_BYTES))
