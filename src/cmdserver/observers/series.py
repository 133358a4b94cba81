"""Which series there are from the start: those that can come to be, and no other.

A rate that begins with a jump from nothing is lost, so what can happen is 0 until it does. What cannot happen has no
series: a protocol that nobody listens for, a denial where nobody logs in, a schedule that there is not. Pure; nothing
here counts.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from cmdserver.core.errors import Code
from cmdserver.core.listening import Listening, Login
from cmdserver.core.model import Command
from cmdserver.core.names import SCHEDULE
from cmdserver.core.protocols import Protocol

#: In place of a command's name, where there is no such command, or the bytes were no request.
UNKNOWN: Final = "(unknown)"

#: What the dispatcher answers itself, and how that can end beside `_ALWAYS`; everybody may ask it.
WORDS: Final[Mapping[str, frozenset[Code]]] = {
    "help": frozenset({Code.UNKNOWN_COMMAND, Code.DENIED}),
    "explain": frozenset({Code.UNKNOWN_COMMAND, Code.DENIED, Code.BAD_ARGUMENT}),
    "who": frozenset(),
    "whoami": frozenset(),
    "runs": frozenset({Code.BAD_ARGUMENT}),
    "attach": frozenset({Code.UNKNOWN_RUN}),
    "stop": frozenset({Code.UNKNOWN_RUN}),
}
#: Which of these cannot be asked: words that have no address, and all where there are no words.
_NOT_ASKED: Final[Mapping[Protocol, frozenset[str]]] = {
    Protocol.WEB: frozenset({"explain", "who", "whoami"}),
    Protocol.NRPE: frozenset(WORDS),
}

_ALWAYS: Final = frozenset({Code.OK, Code.FAULT})
#: How a run can end, whoever has asked for it.
_OF_RUNS: Final = _ALWAYS | {Code.FAILED, Code.BUSY, Code.TIMEOUT}
_OF_LOGINS: Final = (Code.OK, Code.DENIED, Code.THROTTLED, Code.BUSY, Code.FAULT)


class Offer(Struct, frozen=True, kw_only=True, eq=False):
    """What can be asked for, and where."""

    #: By their names.
    commands: Mapping[str, Command]
    listening: tuple[Listening, ...]
    #: Names of commands that a hook starts only if its conditions hold.
    hooked: frozenset[str] = frozenset()
    #: Whether there is a limit to what one caller may ask.
    limits_callers: bool = False

    @property
    def protocols(self) -> frozenset[Protocol]:
        """What is listened for."""
        return frozenset(each.protocol for each in self.listening)

    @property
    def with_login(self) -> frozenset[Protocol]:
        """Protocols over which somebody can log in."""
        return frozenset(each.protocol for each in self.listening if each.login is not Login.NEVER)


def requests(offer: Offer) -> Iterator[tuple[str, str, Code]]:
    """Name the protocol, the command and the outcome of all requests that there can be."""
    for protocol in offer.protocols:
        denied = {Code.DENIED} if protocol in offer.with_login else set()
        throttled = {Code.THROTTLED} if offer.limits_callers else set()
        for word, codes in WORDS.items():
            if word not in _NOT_ASKED.get(protocol, ()):
                found = _ALWAYS | throttled | codes - {Code.DENIED} | codes & denied
                yield from ((protocol, word, code) for code in found)
        unknown = {Code.MALFORMED, Code.UNKNOWN_COMMAND, Code.BUSY, Code.FAULT} | denied | throttled
        yield from ((protocol, UNKNOWN, code) for code in unknown)
        for command in _offered(offer, protocol):
            codes = _OF_RUNS | {Code.BAD_ARGUMENT} | denied | throttled | _of_its_own(command)
            if protocol is Protocol.WEB:
                codes |= {Code.MALFORMED}  # the wrong method
                codes |= {Code.SKIPPED} if command.name in offer.hooked else set()
            yield from ((protocol, command.name, code) for code in codes)
    for command in offer.commands.values():
        if command.schedule:
            codes = _OF_RUNS | {Code.SKIPPED, Code.MISSED} | _of_its_own(command)
            yield from ((SCHEDULE, command.name, code) for code in codes)


def logins(offer: Offer) -> Iterator[tuple[str, Code]]:
    """Name the protocol and the outcome of all logins that there can be."""
    return ((protocol, outcome) for protocol in offer.with_login for outcome in _OF_LOGINS)


def _offered(offer: Offer, protocol: Protocol) -> list[Command]:
    """List the commands that can be asked for over a protocol."""
    return [each for each in offer.commands.values() if each.is_for_monitoring or not protocol.monitors]


def _of_its_own(command: Command) -> set[Code]:
    return {Code.THROTTLED} if command.rate_limit is not None else set()
