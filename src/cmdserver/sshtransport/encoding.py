"""The data types of SSH messages, RFC 4251 section 5, read strictly.

Rule: any bytes give values or `Malformed`, never another exception, and never a value that is shorter
than its length says. (Conch's getNS takes what there is for what was announced.)
"""

from typing import Final

_UINT32_BYTES: Final = 4


class Malformed(ValueError):  # noqa: N818 # as in the rest of this program: what happened, not that it is an error
    """The bytes are not what the message should consist of."""


class Fields:
    """What a message without its number consists of, taken from its start, one field after the other."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """Take that many bytes, as they are."""
        end = self._position + size
        if end > len(self._data):
            raise Malformed("the message ends too early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def boolean(self) -> bool:
        """Take a byte; all values that are not 0 are true."""
        return self.take(1) != b"\0"

    def byte(self) -> int:
        """Take a byte, as a number."""
        return self.take(1)[0]

    def uint32(self) -> int:
        """Take a number of four bytes."""
        return int.from_bytes(self.take(_UINT32_BYTES), "big")

    def string(self) -> bytes:
        """Take a string: its length, and that many bytes."""
        return self.take(self.uint32())

    def name_list(self) -> tuple[bytes, ...]:
        """Take a list of names, which are separated by commas; the list may be empty, a name may not.

        A name is printable US-ASCII (RFC 4251 section 6).
        """
        text = self.string()
        if not text:
            return ()
        names = tuple(text.split(b","))
        if not all(names) or not text.isascii() or not text.decode("ascii").isprintable():
            raise Malformed("not a list of names")
        return names

    def rest(self) -> bytes:
        """Take whatever is left, which may be nothing."""
        return self.take(len(self._data) - self._position)

    def end(self) -> None:
        """Take it that there is no more."""
        if self._position != len(self._data):
            raise Malformed("the message is too long")


def uint32(number: int) -> bytes:
    """Write a number of four bytes."""
    return number.to_bytes(_UINT32_BYTES, "big")


def string(data: bytes) -> bytes:
    """Write a string: its length, and its bytes."""
    return len(data).to_bytes(_UINT32_BYTES, "big") + data


def name_list(names: tuple[bytes, ...]) -> bytes:
    """Write a list of names."""
    return string(b",".join(names))


def mpint(magnitude: bytes) -> bytes:
    """Write a number that is not negative, given as big-endian bytes: no leading zeros, but one before a high bit."""
    digits = magnitude.lstrip(b"\0")
    return string(b"\0" + digits if digits[:1] >= b"\x80" else digits)
