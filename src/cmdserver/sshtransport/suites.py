"""From what was agreed on and the keys to what seals and opens packets."""

import os
from collections.abc import Callable

from cmdserver.sshtransport.algorithms import LATE_MACS, MAC_HASHES
from cmdserver.sshtransport.key_exchange import DirectionKeys
from cmdserver.sshtransport.negotiation import Suite
from cmdserver.sshtransport.packets import Opener, Sealer
from cmdserver.sshtransport.protections import (
    AESGCMOpener,
    AESGCMSealer,
    ChaCha20Poly1305Opener,
    ChaCha20Poly1305Sealer,
    EncryptAndMACOpener,
    EncryptAndMACSealer,
    EncryptThenMACOpener,
    EncryptThenMACSealer,
)


def sealer(suite: Suite, keys: DirectionKeys, random: Callable[[int], bytes] = os.urandom) -> Sealer:
    """Make the sending side of a direction.

    Args:
        suite: What was agreed on.
        keys: As long as the suite needs them.
        random: Gives that many unforeseeable bytes, for padding.
    """
    if suite.mac in LATE_MACS:
        return EncryptAndMACSealer(keys.key, keys.nonce, keys.mac_key, MAC_HASHES[suite.mac](), random)
    if suite.mac is not None:
        return EncryptThenMACSealer(keys.key, keys.nonce, keys.mac_key, MAC_HASHES[suite.mac](), random)
    if keys.nonce:
        return AESGCMSealer(keys.key, keys.nonce, random)
    return ChaCha20Poly1305Sealer(keys.key, random)


def opener(suite: Suite, keys: DirectionKeys) -> Opener:
    """Make the receiving side of a direction; see `sealer`."""
    if suite.mac in LATE_MACS:
        return EncryptAndMACOpener(keys.key, keys.nonce, keys.mac_key, MAC_HASHES[suite.mac]())
    if suite.mac is not None:
        return EncryptThenMACOpener(keys.key, keys.nonce, keys.mac_key, MAC_HASHES[suite.mac]())
    if keys.nonce:
        return AESGCMOpener(keys.key, keys.nonce)
    return ChaCha20Poly1305Opener(keys.key)
