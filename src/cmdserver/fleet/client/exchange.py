"""A caller's messages on the bus: signed, each with a place for its answer that nobody else knows."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

from cmdserver.auth.signatures.audience import Audience
from cmdserver.auth.signatures.request_signing import Question, SignedQuestion, SigningKey, sign
from cmdserver.auth.signatures.signed_request import MOST_SECONDS
from cmdserver.fleet import subjects
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.bus_messages import METHOD, TARGET

#: What waits to be looked at: a thousand answers of a megabyte come faster than they are verified.
_MOST_PENDING: Final = 1_000_000
_MOST_PENDING_BYTES: Final = 1024 * 1024 * 1024
#: What the bus itself says where nobody listens (NATS' "no responders").
_STATUS, _NO_RESPONDERS = "Status", "503"


class Reply(Struct, frozen=True):
    """A message that came for a question."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def is_no_responders(self) -> bool:
        """Whether the bus says that nobody listens."""
        return not self.body and self.headers.get(_STATUS) == _NO_RESPONDERS


class Exchange:
    """What one caller sends, and what comes back.

    Args:
        fleet: Which one is asked.
        user: As the hosts know the caller.
        key: Signs.
        time_of_day: Seconds since the epoch.
        random_token: Of letters and digits, with at least 96 random bits, anew at each call.
    """

    def __init__(
        self,
        fleet: str,
        user: str,
        key: SigningKey,
        time_of_day: Callable[[], float],
        random_token: Callable[[], str],
    ) -> None:
        self.fleet = fleet
        self._user = user
        self._key = key
        self._time_of_day = time_of_day
        self._random_token = random_token
        self._inbox = subjects.inbox(user, random_token())
        self._receivers: dict[str, Callable[[Reply], None]] = {}

    async def subscribe(self, client: Client) -> None:
        """Take what comes for this caller."""

        async def take(message: Msg) -> None:
            receive = self._receivers.get(message.subject.rpartition(".")[2])
            if receive is not None:
                receive(Reply(message.headers or {}, message.data))

        await client.subscribe(
            f"{self._inbox}.*", cb=take, pending_msgs_limit=_MOST_PENDING, pending_bytes_limit=_MOST_PENDING_BYTES
        )

    async def sign(self, question: Question, hosts: Sequence[str], seconds: float) -> SignedQuestion:
        """Sign a question for some hosts, to be sent at once; the key's holder may have to confirm it.

        Args:
            question: What is asked.
            hosts: Names, or globs.
            seconds: How long somebody waits for the answer: what comes later than that to a host is not to run there.
        """

        def make() -> SignedQuestion:
            return sign(
                question,
                self._key,
                user=self._user,
                audience=Audience(self.fleet, tuple(hosts)),
                created=int(self._time_of_day()),
                nonce=self._random_token(),
                seconds=min(math.ceil(seconds), MOST_SECONDS),
            )

        return await asyncio.to_thread(make)

    async def send(
        self, bus: Bus, subject: str, question: Question, signed: SignedQuestion, receive: Callable[[Reply], None]
    ) -> str:
        """Send a question.

        Args:
            bus: Over which.
            subject: Where to.
            question: What was signed.
            signed: Its signature.
            receive: Is called with each message that comes for it, until `forget`.

        Returns:
            What `forget` takes.

        Raises:
            NotConnected: The bus is away.
        """
        token = self._random_token()
        self._receivers[token] = receive
        headers = {METHOD: question.method, TARGET: question.target, **dict(signed.fields)}
        try:
            await bus.publish(subject, question.body, headers, f"{self._inbox}.{token}")
        except BaseException:
            self.forget(token)
            raise
        return token

    def forget(self, token: str) -> None:
        """Take no more answers to a question."""
        self._receivers.pop(token, None)
