"""Text of a target, made harmless for a line that monitoring systems and terminals read. Pure."""

#: How much of what a target says is shown.
SHOWN_CHARACTERS = 200
_OF_TWO_DIGITS = 0x100


def shown(said: bytes | str, limit: int = SHOWN_CHARACTERS) -> str:
    r"""Write what a target says so that it stays within its place, and a cut can be seen.

    Control characters, those that change the direction of text, and ``|``, behind which a plugin's first line has
    performance data, become escapes such as ``\x0a``.
    """
    text = said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else said
    cut = len(text) - limit
    text = "".join(each if each.isprintable() and each != "|" else _escape(each) for each in text[:limit].strip())
    return f"{text} [{cut} more]" if cut > 0 else text


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < _OF_TWO_DIGITS else f"\\u{{{number:x}}}"
