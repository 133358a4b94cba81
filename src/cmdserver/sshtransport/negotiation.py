"""The messages KEXINIT (RFC 4253 section 7.1) and EXT_INFO (RFC 8308), and the algorithms that both sides agree on."""

from dataclasses import astuple, dataclass, field
from typing import Final, Self

from msgspec import Struct

from cmdserver.sshtransport.algorithms import CIPHER_SIZES, USER_KEYS
from cmdserver.sshtransport.encoding import Fields, Malformed, name_list, string, uint32

COOKIE_BYTES: Final = 16

#: What a client that reads EXT_INFO puts among the methods of its first KEXINIT (RFC 8308 section 2.1).
EXTENSION_INFO_CLIENT: Final = b"ext-info-c"
#: More than anybody has; each takes eight bytes at least, of a packet that has a limit itself.
MAX_EXTENSIONS: Final = 64
#: What we tell clients in EXT_INFO. ``server-sig-algs`` does not depend on our host keys: Conch's lists *their*
#: algorithms, so that with an Ed25519 host key no RSA user key is ever tried. ``ping@openssh.com`` (OpenSSH's PROTOCOL,
#: section 1.9): clients use it to hide the times between key strokes.
SERVER_EXTENSIONS: Final = ((b"server-sig-algs", b",".join(USER_KEYS)), (b"ping@openssh.com", b"0"))


class NothingInCommon(Exception):  # noqa: N818
    """Client and server have no algorithm of a kind in common; its text names the kind, for the peer to read."""


@dataclass(frozen=True, slots=True)
class KexInit:
    """What one side offers, in its order of preference; in is from client to server, out from server to client."""

    #: Methods, and names that are none but announce something (RFC 8308, strict key exchange).
    key_exchanges: tuple[bytes, ...]
    #: Signature algorithms of servers.
    host_keys: tuple[bytes, ...]
    ciphers_in: tuple[bytes, ...]
    ciphers_out: tuple[bytes, ...]
    macs_in: tuple[bytes, ...]
    macs_out: tuple[bytes, ...]
    compressions_in: tuple[bytes, ...]
    compressions_out: tuple[bytes, ...]
    #: Whether the next packet is a guess of what will be agreed on.
    is_followed: bool = field(default=False, kw_only=True)

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Read the message, without its number.

        Raises:
            Malformed: It is none.
        """
        fields = Fields(message)
        fields.take(COOKIE_BYTES)
        lists = [fields.name_list() for _ in range(8)]
        fields.string()  # languages, which nobody has
        fields.string()
        is_followed = fields.boolean()
        fields.uint32()  # reserved
        fields.end()
        return cls(*lists, is_followed=is_followed)

    def encode(self, cookie: bytes) -> bytes:
        """Write the message, without its number; the cookie is 16 unforeseeable bytes."""
        *lists, is_followed = astuple(self)
        return b"".join((cookie, *map(name_list, (*lists, (), ())), bytes((is_followed,)), uint32(0)))


class Suite(Struct, frozen=True, kw_only=True):
    """How one direction is protected, by names of `cmdserver.sshtransport.algorithms`."""

    cipher: bytes
    #: None if the cipher needs none.
    mac: bytes | None


class Agreed(Struct, frozen=True, kw_only=True):
    """What both sides will do."""

    key_exchange: bytes
    #: What the server signs with.
    host_key: bytes
    #: From client to server.
    inward: Suite
    #: From server to client.
    outward: Suite
    #: Whether a packet that was sent as a guess is to be ignored (RFC 4253 section 7).
    is_guess_wrong: bool


def agree(client: KexInit, server: KexInit) -> Agreed:
    """Take, of each kind of algorithm, the first of the client's that the server has.

    A cipher that authenticates needs no MAC, so then none has to match (OpenSSH's PROTOCOL, section 1.6).
    Names that only announce something never match: client and server have different ones.

    Raises:
        NothingInCommon: There is no such thing.
    """
    _first("compression", client.compressions_in, server.compressions_in)
    _first("compression", client.compressions_out, server.compressions_out)
    return Agreed(
        key_exchange=_first("key exchange method", client.key_exchanges, server.key_exchanges),
        host_key=_first("host key type", client.host_keys, server.host_keys),
        inward=_suite(client.ciphers_in, server.ciphers_in, client.macs_in, server.macs_in),
        outward=_suite(client.ciphers_out, server.ciphers_out, client.macs_out, server.macs_out),
        is_guess_wrong=(
            client.key_exchanges[:1] != server.key_exchanges[:1] or client.host_keys[:1] != server.host_keys[:1]
        ),
    )


def _suite(
    client_ciphers: tuple[bytes, ...],
    server_ciphers: tuple[bytes, ...],
    client_macs: tuple[bytes, ...],
    server_macs: tuple[bytes, ...],
) -> Suite:
    cipher = _first("cipher", client_ciphers, server_ciphers)
    if CIPHER_SIZES[cipher].is_authenticated:
        return Suite(cipher=cipher, mac=None)
    return Suite(cipher=cipher, mac=_first("MAC", client_macs, server_macs))


def _first(kind: str, client: tuple[bytes, ...], server: tuple[bytes, ...]) -> bytes:
    for name in client:
        if name in server:
            return name
    raise NothingInCommon(f"no matching {kind} found")


def encode_extensions(extensions: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Write the message EXT_INFO, without its number."""
    return uint32(len(extensions)) + b"".join(string(name) + string(value) for name, value in extensions)


def parse_extensions(message: bytes) -> dict[bytes, bytes]:
    """Read the message EXT_INFO, without its number.

    Returns:
        Values by names.

    Raises:
        Malformed: It is none, or has too many.
    """
    fields = Fields(message)
    count = fields.uint32()
    if count > MAX_EXTENSIONS:
        raise Malformed("too many extensions")
    extensions = {}
    for _ in range(count):
        name = fields.string()
        extensions[name] = fields.string()
    fields.end()
    return extensions
