"""What of a line of ``authorized_keys`` is what."""

from base64 import b64decode
from datetime import UTC, datetime


def kind_of(line: str) -> str:
    """Say of which type a key is."""
    return line.split(maxsplit=1)[0]


def blob_of(line: str) -> bytes:
    """Return the key as RFC 4253 has it."""
    return b64decode(line.split()[1])


def ask_until(time: float) -> datetime:
    """Say when a signature expires."""
    return datetime.fromtimestamp(time, UTC)
