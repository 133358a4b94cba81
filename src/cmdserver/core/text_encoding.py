"""The text of files that people write: UTF-8, with or without a byte order mark, and a name for what is neither.

Windows' editors and PowerShell write a mark (U+FEFF) before UTF-8, or UTF-16, or a code page; none of that can be seen
in an editor. Nothing is guessed: text in another encoding is not read.
"""

import codecs
from collections.abc import Mapping

#: How UTF-8 spells U+FEFF. At the very beginning of a text it means nothing (RFC 3629 section 6).
BYTE_ORDER_MARK = codecs.BOM_UTF8

#: Longest first: UTF-32's mark begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

#: Where the first two characters of a text, which are ASCII in all that is read here, leave NUL bytes.
_NULS: Mapping[tuple[bool, ...], str] = {
    (False, True, False, True): "UTF-16LE",
    (True, False, True, False): "UTF-16BE",
    (False, True, True, True): "UTF-32LE",
    (True, True, True, False): "UTF-32BE",
}


class NotUTF8(UnicodeError):  # noqa: N818 - a statement
    """A text is in another encoding; the message says in which, where, and what to do.

    Args:
        text: What is wrong.
        line: Of the first byte that is not UTF-8, from 1; None if it is the whole text.
    """

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


def decode(data: bytes) -> str:
    """Decode a whole file.

    Raises:
        NotUTF8: It is in another encoding.
    """
    require_bytes_of_utf8(data)
    data = without_mark(data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from None


def decode_leniently(data: bytes) -> str:
    """Decode a file of lines that stand for themselves: bytes that are no UTF-8 survive as lone surrogates.

    Raises:
        NotUTF8: It is in an encoding in which no line could be read.
    """
    require_bytes_of_utf8(data)
    return without_mark(data).decode(errors="surrogateescape")


def require_bytes_of_utf8(data: bytes) -> None:
    """Refuse a text of two or four bytes a character, every line of which would be a riddle otherwise.

    Raises:
        NotUTF8: It is one.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        encoding = _NULS.get(tuple(not byte for byte in data[:4]))
    if encoding is not None:
        raise NotUTF8(f"is {encoding}, not UTF-8; {_advice(encoding)}")


def without_mark(data: bytes) -> bytes:
    """Leave out a byte order mark at the very beginning."""
    return data.removeprefix(BYTE_ORDER_MARK)


def _not_utf8(data: bytes, bad: int) -> NotUTF8:
    """Name the place of a byte as editors do, which show no mark, and what was most likely meant by it."""
    beginning = data.rfind(b"\n", 0, bad) + 1
    column = len(data[beginning:bad].decode()) + 1
    character = data[bad : bad + 1].decode("windows-1252", "replace")
    meaning = f" ({character} in Latin-1 and Windows-1252)" if character.isalnum() else ""
    text = f"not UTF-8: column {column} has the byte 0x{data[bad]:02x}{meaning}; {_advice('WINDOWS-1252')}"
    return NotUTF8(text, data.count(b"\n", 0, bad) + 1)


def _advice(encoding: str) -> str:
    return f"save it as UTF-8, or: iconv -f {encoding} -t UTF-8"
