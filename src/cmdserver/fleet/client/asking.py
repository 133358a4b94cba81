"""A question to some hosts of a fleet, a message for each; of each host it is said what came of it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from cmdserver.auth.signatures.answer_verification import Answer, verify_answer
from cmdserver.auth.signatures.audience import MOST_NAMES
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.request_signing import Question, SignedQuestion
from cmdserver.core.site import FleetHost
from cmdserver.fleet import subjects
from cmdserver.fleet.bus import Bus, NotConnected
from cmdserver.fleet.client.exchange import Exchange, Reply
from cmdserver.fleet.client.known_hosts import KnownHosts
from cmdserver.fleet.client.outcomes import MISSING, NOT_ASKED, UNVERIFIED, Outcome, unsigned_error
from cmdserver.fleet.client.reassembly import BadAnswer, Reassembly
from cmdserver.fleet.client.ssh_agent import AgentError

_NOT_CONNECTED: Final = "not connected to the bus"
_GRACE_SECONDS: Final = 2.0

Tell = Callable[[Outcome], None]


class Batching(Struct, frozen=True, kw_only=True):
    """How fast hosts are asked."""

    #: How many at once.
    batch: int
    #: Between one batch and the next, in seconds.
    pause: float
    #: For the answers of a batch, in seconds, from when its last host was asked.
    timeout: float


class _Waiting(Struct):
    """A host that was asked and has not answered."""

    name: str
    signed: SignedQuestion
    began: float
    reassembly: Reassembly
    #: See `Exchange.forget`.
    token: str = ""
    #: Why the first message that came was no verified answer; empty: none came.
    doubt: str = ""
    #: Whether an unsigned error came, after which the signed answer has `_GRACE_SECONDS` left.
    is_in_grace: bool = False


class Asking:
    """A question that is asked.

    Args:
        exchange: Sends and receives.
        bus: Over which.
        known: The hosts' keys.
        question: What is asked.
        tell: Is called once for each host, when it is known what came of asking it.
        clock: For measuring, in seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        bus: Bus,
        known: KnownHosts,
        question: Question,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._bus = bus
        self._known = known
        self._question = question
        self._tell = tell
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._has_asked = False
        #: Why a later batch could not be signed.
        self._unsigned = ""
        #: What `tell` has raised, which `ask` raises again.
        self._trouble: Exception | None = None

    def stop(self) -> None:
        """Ask nobody any more, and wait for nobody; what was not answered is told so."""
        self._stopped.set()
        self._changed.set()

    async def ask(self, names: Sequence[str], pace: Batching) -> None:
        """Ask known hosts, and wait until all have answered, or for as long as the pace says.

        Raises:
            AgentError: The key's holder does not sign, so that nobody was asked.
        """
        for start in range(0, len(names), pace.batch):
            if start and not self._stopped.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), pace.pause)
            await self._ask_batch(names[start : start + pace.batch], pace.timeout)

    async def _ask_batch(self, names: Sequence[str], seconds: float) -> None:
        """Ask hosts that are to be asked together; each signature is made when its turn has come."""
        for start in range(0, len(names), MOST_NAMES):
            some = names[start : start + MOST_NAMES]
            signed = await self._sign(some, seconds)
            for name in some:
                if signed is None or self._stopped.is_set():
                    self._tell(Outcome(host=name, state=NOT_ASKED, why=self._unsigned or "not asked any more"))
                else:
                    await self._send(name, signed)
        await self._wait(seconds)
        for waiting in list(self._waiting.values()):
            why = "not waited for" if self._stopped.is_set() else f"no answer in {seconds:g} s"
            self._end(waiting, self._no_answer(waiting, why))
        if self._trouble is not None:
            raise self._trouble

    async def _sign(self, names: Sequence[str], seconds: float) -> SignedQuestion | None:
        """Sign the question for some hosts; None: nobody is asked any more.

        Raises:
            AgentError: The key's holder does not sign, and nobody was asked yet.
        """
        if self._stopped.is_set():
            return None
        try:
            signed = await self._exchange.sign(self._question, names, seconds)
        except AgentError as error:
            if not self._has_asked:
                raise
            self._unsigned = str(error)
            self.stop()
            return None
        self._has_asked = True
        return signed

    async def _send(self, name: str, signed: SignedQuestion) -> None:
        waiting = _Waiting(name, signed, self._clock(), Reassembly())
        self._waiting[name] = waiting
        subject = subjects.of_host(FleetHost(self._exchange.fleet, name))
        try:
            waiting.token = await self._exchange.send(
                self._bus, subject, self._question, signed, lambda reply: self._receive(waiting, reply)
            )
        except NotConnected as error:
            self._end(waiting, Outcome(host=name, state=MISSING, why=f"not asked: {error}"))

    async def _wait(self, seconds: float) -> None:
        """Wait until nobody is waited for, so long, or until it is stopped."""
        until = self._clock() + seconds
        while self._waiting and not self._stopped.is_set() and (left := until - self._clock()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return

    def _receive(self, waiting: _Waiting, reply: Reply) -> None:
        """Take what came for a host: its answer, if that can be verified."""
        name = waiting.name
        if self._waiting.get(name) is not waiting:
            return
        if reply.is_no_responders:
            self._end(waiting, Outcome(host=name, state=MISSING, why=_NOT_CONNECTED))
            return
        answer = None
        try:
            answer = waiting.reassembly.take(reply.headers, reply.body)
            if answer is None:
                return
            keys = self._known.keys_of(name)
            verify_answer(answer, request_signature=waiting.signed.signature, host=name, keys=keys)
        except (BadAnswer, WrongSignature) as error:
            self._doubt(waiting, answer, str(error))
        else:
            seconds = self._clock() - waiting.began
            outcome = Outcome.of_answer(name, answer.status, answer.body, seconds)
            self._end(waiting, replace(outcome, besides=waiting.doubt))

    def _doubt(self, waiting: _Waiting, answer: Answer | None, why: str) -> None:
        """Remember that something came that is no answer; the host's own may still come.

        A host that refuses to log somebody in does not sign that, as anybody could have it sign so about a question
        that it has answered. So after an unsigned error the host's own answer has a moment left to come, and no more.
        """
        refusal = unsigned_error(answer) if answer is not None else ""
        waiting.doubt = waiting.doubt or refusal or why
        if refusal and not waiting.is_in_grace:
            waiting.is_in_grace = True
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._give_up, waiting)

    def _give_up(self, waiting: _Waiting) -> None:
        if self._waiting.get(waiting.name) is waiting:
            self._end(waiting, self._no_answer(waiting, ""))

    def _no_answer(self, waiting: _Waiting, why: str) -> Outcome:
        """Return what there is to say of a host that has not answered."""
        state = UNVERIFIED if waiting.doubt else MISSING
        return Outcome(host=waiting.name, state=state, why=waiting.doubt or why)

    def _end(self, waiting: _Waiting, outcome: Outcome) -> None:
        if self._waiting.pop(waiting.name, None) is None:
            return  # it was answered while it was sent
        self._exchange.forget(waiting.token)
        try:
            self._tell(outcome)
        except Exception as error:  # noqa: BLE001 - raised where somebody waits: the bus would keep it to itself
            self._trouble = error
            self.stop()
        self._changed.set()
