r"""Bytes as people type them on a command line: ``QUIT\r\n``, ``\x00\x01``. Pure."""

import re

from cmdserver_probe.errors import WrongUsage

_SINGLE = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def unescape(text: str) -> bytes:
    r"""Read ``\r``, ``\n``, ``\t``, ``\0``, ``\\`` and ``\xNN``; all else is UTF-8.

    Raises:
        WrongUsage: It has another escape, or ends within one.
    """
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.?)", _octets, text.encode("utf-8", "surrogateescape"), flags=re.DOTALL)


def _octets(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == len("xNN"):
        return bytes([int(code[1:], 16)])
    if code not in _SINGLE:
        text = code.decode("ascii", "replace")
        raise WrongUsage(f"\\{text} is no escape; there are \\r \\n \\t \\0 \\\\ and \\xNN")
    return _SINGLE[code]
