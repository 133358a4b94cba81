"""Who of a fleet is there: one question to all, which each host that hears it answers for itself.

Whoever can publish on a bus can answer as well, with a key that nobody knows. So only a known host's verified answer
counts; of others it is told by which key they have signed, and that is all.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from cmdserver.auth.signatures.answer_verification import Answer, signer, verify_answer
from cmdserver.auth.signatures.audience import matches
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.request_signing import SignedQuestion
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.core.site import require_host_name
from cmdserver.fleet import subjects
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.bus_messages import HOST
from cmdserver.fleet.client.exchange import Exchange, Reply
from cmdserver.fleet.client.gathering import Gathering, NoAnswer
from cmdserver.fleet.client.known_hosts import KnownHosts, read_public_key
from cmdserver.fleet.client.words import WHO_IS_THERE

#: Names that answer: more of them are somebody who makes them up.
_MOST_NAMES: Final = 20_000
#: When all known hosts have answered, unknown ones have a moment more.
_MORE_SECONDS: Final = 0.3


class Present(Struct, frozen=True):
    """A known host that has answered."""

    name: str
    seconds: float
    #: What it has answered: what it tells of itself, or why it does not.
    answer: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is chosen by."""
        facts = self.answer.get("facts")
        return facts if isinstance(facts, dict) else {}


class Unknown(Struct, frozen=True):
    """Somebody who has answered, and whom nobody knows, or not by this key."""

    name: str
    #: By which the answer was signed; None: by none that it shows.
    key: bytes | None
    why: str
    seconds: float
    #: What it tells of itself, if the key is its own.
    said: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls the key; empty: there is none."""
        return fingerprint_of(self.key) if self.key is not None else ""


class RollCall(Struct):
    """Who has answered."""

    #: By their names in lower case.
    present: dict[str, Present] = field(default_factory=dict)
    #: By their names in lower case, and by key.
    unknown: dict[tuple[str, bytes | None], Unknown] = field(default_factory=dict)

    def new_keys(self) -> Mapping[str, bytes]:
        """Return the keys of those who could be made known: names with one key, that are not known by another."""
        keys: dict[str, list[bytes]] = {}
        names: dict[str, str] = {}
        for (lower, key), unknown in self.unknown.items():
            if key is not None:
                keys.setdefault(lower, []).append(key)
                names[lower] = unknown.name
        return {names[lower]: each[0] for lower, each in keys.items() if len(each) == 1 and lower not in self.present}


class Calling:
    """One roll call.

    Args:
        exchange: Sends and receives.
        bus: Over which.
        known: The hosts' keys.
        clock: For measuring, in seconds.
    """

    def __init__(self, exchange: Exchange, bus: Bus, known: KnownHosts, clock: Callable[[], float]) -> None:
        self._exchange = exchange
        self._bus = bus
        self._known = known
        self._clock = clock
        self._found = RollCall()
        self._gatherings: dict[str, Gathering] = {}
        self._began = 0.0
        self._heard = asyncio.Event()

    async def call(self, globs: Sequence[str], seconds: float, *, waits_for_unknown: bool = False) -> RollCall:
        """Ask who is there.

        Args:
            globs: Whom.
            seconds: How long to wait for those who are expected.
            waits_for_unknown: Whether to wait so long even if all known hosts have answered.

        Raises:
            NotConnected: The bus is away.
        """
        signed = await self._exchange.sign(WHO_IS_THERE, globs, seconds)
        self._began = self._clock()
        expected = {name.lower() for name in self._known.matching(globs)}
        word = await self._exchange.send(
            self._bus,
            subjects.of_all(self._exchange.fleet),
            WHO_IS_THERE,
            signed,
            lambda reply: self._receive(reply, signed, globs),
        )
        until = self._began + seconds
        try:
            while (left := until - self._clock()) > 0:
                if not waits_for_unknown and expected <= self._found.present.keys():
                    until = min(until, self._clock() + _MORE_SECONDS)
                    waits_for_unknown = True
                    continue
                self._heard.clear()
                try:
                    await asyncio.wait_for(self._heard.wait(), left)
                except TimeoutError:
                    break
        finally:
            self._exchange.forget(word)
        return self._found

    def _receive(self, reply: Reply, signed: SignedQuestion, globs: Sequence[str]) -> None:
        """Take a part of an answer."""
        name = reply.headers.get(HOST, "")
        lower = name.lower()
        try:
            require_host_name(name)
            if lower not in self._gatherings and len(self._gatherings) >= _MOST_NAMES:
                return
            answer = self._gatherings.setdefault(lower, Gathering()).take(reply.headers, reply.body)
        except (ValueError, NoAnswer):
            return  # nobody's: there is no name to tell it by
        if answer is None or lower in self._found.present or not any(matches(lower, each.lower()) for each in globs):
            return
        try:
            said = _parsed(answer)
            keys = self._known.keys_of(name)
            if keys:
                verify_answer(answer, request_signature=signed.signature, host=name, keys=keys)
                self._found.present[lower] = Present(self._known.hosts[lower].name, self._clock() - self._began, said)
            else:
                self._meet(name, answer, said, signed, "not known:")
        except WrongSignature as error:
            self._meet(name, answer, {}, signed, str(error))
        self._heard.set()

    def _meet(self, name: str, answer: Answer, said: Mapping[str, Any], signed: SignedQuestion, why: str) -> None:
        """Take note of somebody who is not known; by a key that they show, if it is theirs."""
        key = None
        try:
            shown = read_public_key(str(said.get("key", "")))
            if shown is not None and fingerprint_of(shown) == signer(answer):
                verify_answer(answer, request_signature=signed.signature, host=name, keys=[shown])
                key = shown
        except WrongSignature as error:
            why = str(error)
        if len(self._found.unknown) < _MOST_NAMES:
            seconds = self._clock() - self._began
            self._found.unknown[name.lower(), key] = Unknown(name, key, why, seconds, said)


def _parsed(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise WrongSignature("it is no JSON object")
    return said
