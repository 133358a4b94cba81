"""The message EXT_INFO: what else the sender can do, RFC 8308.

Rule of this file: what we can do does not depend on our host keys. (Conch's ``server-sig-algs`` lists *their*
algorithms, so that with an Ed25519 host key no RSA user key is ever tried.)
"""

from typing import Final

from cmdserver.sshtransport.algorithms import USER_KEYS
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32

#: What a client says in its first KEXINIT to be told.
CLIENT_MARK: Final = b"ext-info-c"
#: More than anybody has; each takes eight bytes at least, of a packet that has a limit itself.
MAX_EXTENSIONS: Final = 64

#: ``ping@openssh.com`` (OpenSSH's PROTOCOL, section 1.9): clients hide with it when which key is pressed.
SERVER_EXTENSIONS: Final = ((b"server-sig-algs", b",".join(USER_KEYS)), (b"ping@openssh.com", b"0"))


def encode(extensions: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Write the message, without its number."""
    return uint32(len(extensions)) + b"".join(string(name) + string(value) for name, value in extensions)


def parse(message: bytes) -> dict[bytes, bytes]:
    """Read the message, without its number.

    Returns:
        Values by names; what they mean is theirs.

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
