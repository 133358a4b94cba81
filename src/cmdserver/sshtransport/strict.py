"""Which messages a peer may send when: RFC 4253 section 7.1, and strict key exchange (OpenSSH's PROTOCOL, 1.10).

Terrapin (CVE-2023-48795): who is between client and server can insert messages before the first key exchange has made
packets authentic, and cut as many away after it, unnoticed, if sequence numbers go on counting. Strict key exchange
ends a connection on any message that the first exchange does not need, and starts the numbers again with every new key.

Rule: the first half holds for every client, whatever it announces: nobody has a reason to send anything
else. Only the second half needs both sides' consent.
"""

from enum import Enum, auto
from typing import Final

#: What a client says to have it, in its first KEXINIT only.
CLIENT_MARKER: Final = b"kex-strict-c-v00@openssh.com"
#: What a server says.
SERVER_MARKER: Final = b"kex-strict-s-v00@openssh.com"

DISCONNECT: Final = 1
IGNORE: Final = 2
UNIMPLEMENTED: Final = 3
DEBUG: Final = 4
KEXINIT: Final = 20
NEWKEYS: Final = 21
#: Of every method that we have: the client's part, and the server's.
KEX_INIT: Final = 30
KEX_REPLY: Final = 31

#: What the rest of a key exchange is made of (RFC 4250 section 4.1.2).
_KEY_EXCHANGE_NUMBERS: Final = range(20, 50)


class Phase(Enum):
    """What is to come from the peer."""

    #: Its KEXINIT; nothing is agreed on.
    UNAGREED = auto()
    #: Its part of the method.
    EXCHANGING = auto()
    #: NEWKEYS: all later packets are under new keys.
    CHANGING = auto()
    #: Anything, under keys; or a KEXINIT.
    OPEN = auto()


def may_receive(phase: Phase, number: int, *, is_first: bool, part: int) -> bool:
    """Tell whether a message may come now.

    Args:
        phase: What is to come.
        number: The message's.
        is_first: Whether this connection has not finished its first key exchange.
        part: The number of the peer's part of the method: `KEX_INIT` from clients, `KEX_REPLY` from servers.
    """
    if number == DISCONNECT:
        return True
    if phase is Phase.OPEN:
        return number == KEXINIT or number not in _KEY_EXCHANGE_NUMBERS
    needed = {Phase.UNAGREED: KEXINIT, Phase.EXCHANGING: part, Phase.CHANGING: NEWKEYS}[phase]
    return number == needed or (not is_first and number in {IGNORE, UNIMPLEMENTED, DEBUG})


def may_send(number: int) -> bool:
    """Tell whether we may send a message between our KEXINIT and our NEWKEYS; all others have to wait."""
    return number == DISCONNECT or number in _KEY_EXCHANGE_NUMBERS
