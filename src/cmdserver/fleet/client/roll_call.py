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
from cmdserver.auth.signatures.signed_request import MOST_SECONDS
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.core.site import require_host_name
from cmdserver.fleet import subjects
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.bus_messages import HOST, lower_names
from cmdserver.fleet.client.exchange import Exchange, Reply
from cmdserver.fleet.client.known_hosts import KnownHosts, read_public_key
from cmdserver.fleet.client.outcomes import unsigned_error
from cmdserver.fleet.client.reassembly import BadAnswer, Reassembly
from cmdserver.fleet.client.words import WHO_IS_THERE

#: Of an answer.
_MOST_BYTES: Final = 65_536
#: Of those who are not known, and of all that they say: what is more is somebody who makes them up.
_MOST_UNKNOWN: Final = 20_000
_MOST_UNKNOWN_BYTES: Final = 256 * 1024 * 1024
_NEW: Final = "not known:"
_CHANGED: Final = "known by another key than"
#: When all known hosts have answered, unknown ones have a moment more.
_MORE_SECONDS: Final = 0.3


class Present(Struct, frozen=True):
    """A known host that has answered."""

    name: str
    seconds: float
    #: What it has answered: what it tells of itself, or why it does not.
    answer: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, str]:
        """What it is chosen by."""
        facts = self.answer.get("facts")
        return {key: each for key, each in facts.items() if isinstance(each, str)} if isinstance(facts, dict) else {}


class Unknown(Struct, frozen=True):
    """An answer that is signed with a key that is not known for that name, or not signed."""

    name: str
    #: By which the answer was signed; None: by none that it shows.
    key: bytes | None
    why: str
    seconds: float
    #: What it tells of itself.
    said: Mapping[str, Any]
    #: Whether a host of that name is known, by another key.
    is_known_name: bool = False

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
        """Return the keys of those who could be made known: names of which no other key is known, or has answered."""
        shown: dict[str, list[Unknown]] = {}
        for (lower, _), unknown in self.unknown.items():
            if unknown.key is not None and not unknown.is_known_name:
                shown.setdefault(lower, []).append(unknown)
        return {each[0].name: each[0].key for each in shown.values() if len(each) == 1 and each[0].key is not None}


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
        self._unknown_bytes = 0
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
        # It changes nothing, so hosts whose clocks are ahead may have it, too.
        signed = await self._exchange.sign(WHO_IS_THERE, globs, MOST_SECONDS)
        self._began = self._clock()
        expected = {name.lower() for name in self._known.matching(globs)}
        token = await self._exchange.send(
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
            self._exchange.forget(token)
        return self._found

    def _receive(self, reply: Reply, signed: SignedQuestion, globs: Sequence[str]) -> None:
        """Take a part of an answer."""
        name = lower_names(reply.headers).get(HOST.lower(), "")
        lower = name.lower()
        try:
            require_host_name(name)
            # What a host tells of itself has one part.
            answer = Reassembly().take(reply.headers, reply.body) if len(reply.body) <= _MOST_BYTES else None
        except (ValueError, BadAnswer):
            return  # nobody's: there is no name to tell it by
        if answer is None or lower in self._found.present or not any(matches(lower, each.lower()) for each in globs):
            return
        said, seconds = _parsed(answer), self._clock() - self._began
        keys = self._known.keys_of(name)
        try:
            verify_answer(answer, request_signature=signed.signature, host=name, keys=keys)
            self._found.present[lower] = Present(self._known.hosts[lower].name, seconds, said)
        except WrongSignature as error:
            key = _own_key(name, answer, said, signed)
            why = unsigned_error(answer) or (str(error) if key is None else _CHANGED if keys else _NEW)
            self._unknown_bytes += len(answer.body)
            if self._unknown_bytes <= _MOST_UNKNOWN_BYTES and len(self._found.unknown) < _MOST_UNKNOWN:
                self._found.unknown[lower, key] = Unknown(name, key, why, seconds, said, is_known_name=bool(keys))
        self._heard.set()


def _own_key(name: str, answer: Answer, said: Mapping[str, Any], signed: SignedQuestion) -> bytes | None:
    """Return the key that somebody shows, if they have signed with it."""
    shown = read_public_key(str(said.get("key", "")))
    try:
        if shown is not None and fingerprint_of(shown) == signer(answer):
            verify_answer(answer, request_signature=signed.signature, host=name, keys=[shown])
            return shown
    except WrongSignature:
        pass  # then it is not theirs
    return None


def _parsed(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {}
