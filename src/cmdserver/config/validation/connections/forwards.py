"""``[[audit.forward]]``: to whom lines of the audit file are forwarded."""

from collections.abc import Callable, Iterator, Sequence

from cmdserver.audit.receivers import Receiver, Transport, require_name
from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.host import Forward
from cmdserver.config.source_map import Path


def receivers(
    reader: TomlReader, settings: Sequence[Forward | None], check_ca: Callable[[str], object]
) -> Iterator[Receiver]:
    """Read all of them.

    Args:
        reader: Takes the notes.
        settings: What the file says.
        check_ca: Raises a ValueError for a file that has no authorities in it.
    """
    known: set[str] = set()
    for index, each in enumerate(settings):
        if each is None:
            continue
        path: Path = ("audit", "forward", index)
        receiver = _receiver(reader, path, each, check_ca)
        if receiver is not None and receiver.to in known:
            reader.note((*path, "to"), f"{receiver.to} is there twice")
        elif receiver is not None:
            known.add(receiver.to)
            yield receiver


def _receiver(reader: TomlReader, path: Path, settings: Forward, check_ca: Callable[[str], object]) -> Receiver | None:
    receiver = reader.attempt((*path, "to"), Receiver.parse, settings.to)
    if settings.server_name is not None:
        reader.attempt((*path, "server_name"), require_name, settings.server_name)
    if receiver is None:
        return None
    if receiver.transport is not Transport.TLS:
        for key in ("ca", "server_name"):
            if getattr(settings, key) is not None:
                reader.note((*path, key), f"is for TLS, and {settings.to} has none; write tls:HOST:6514")
        return receiver
    if settings.ca is not None:
        if not settings.ca.startswith("/") or "\0" in settings.ca:
            reader.note((*path, "ca"), f"{settings.ca!r} is not an absolute path")
        else:
            reader.attempt((*path, "ca"), check_ca, settings.ca)
    return Receiver.parse(settings.to, settings.ca, settings.server_name)
