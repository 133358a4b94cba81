"""The lines with which both sides begin, RFC 4253 section 4.2: ``SSH-2.0-OpenSSH_9.2 Debian``.

Rule: a client's first line is its identification. Only servers may say something before theirs, so what
else comes first is not an SSH client, and is waited for no longer than 255 bytes.
"""

from typing import Final

#: With the line's end; from the RFC.
MAX_LINE_BYTES: Final = 255
#: 1.99 is 2.0 of an implementation that knows 1 too (RFC 4253 section 5.1).
_VERSIONS: Final = (b"2.0", b"1.99")


class NotSSH(Exception):  # noqa: N818
    """What the peer says is not the identification of an SSH 2 client."""


def read(data: bytes) -> tuple[bytes, int] | None:
    """Read the identification at the start of what was received so far.

    Returns:
        The line without its end, which is hashed in the key exchange, and its size with the end; or None if more is
        needed.

    Raises:
        NotSSH: Whatever comes, this will not become one.
    """
    end = data.find(b"\n", 0, MAX_LINE_BYTES)
    if end < 0:
        # Nobody waits for a line that will be refused.
        if len(data) >= MAX_LINE_BYTES or not b"SSH-".startswith(data[:4]):
            raise NotSSH("no identification")
        return None
    line = data[:end].removesuffix(b"\r")  # some end their line with LF alone, and sshd takes it
    prefix, _, rest = line.partition(b"-")
    version, separator, _ = rest.partition(b"-")
    if prefix != b"SSH" or not separator or not all(0x20 <= byte < 0x7F for byte in line):  # noqa: PLR2004 # printable
        raise NotSSH("no identification")
    if version not in _VERSIONS:
        raise NotSSH("another version of the protocol")
    return line, end + 1
