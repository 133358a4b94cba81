"""Cells of the lists of keys and tokens: until when, from where, and when they were last used."""

from collections.abc import Iterable
from datetime import UTC, datetime

from cmdserver.auth.credential_formats import format_time
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.source_restrictions import Sources
from cmdserver.cli.notes import note
from cmdserver.core.escaping import printable_line
from cmdserver.files.last_uses import Use

#: In place of what there is none of, one word each.
NEVER, ANYWHERE, ALL, NOTHING = "never", "anywhere", "all", "-"


def whose(files: CredentialStore, name: str | None) -> tuple[str, ...]:
    """Name those whose keys or tokens are listed.

    Raises:
        CredentialError: There is no such user.
    """
    if name is None:
        return files.users()
    files.require_user(name)
    return (name,)


def expiry(expires: datetime | None) -> str:
    """Say until when."""
    return NEVER if expires is None else format_time(expires)


def origin(sources: Sources | None) -> str:
    """Say from where."""
    return ANYWHERE if sources is None else printable_line(sources.text)


def last_use(use: Use | None) -> tuple[str, str]:
    """Say when and from where; whatever the daemon has written down."""
    if use is None:
        return NEVER, NOTHING
    try:
        when = format_time(datetime.fromtimestamp(use.time, UTC))
    except (ValueError, OverflowError, OSError):
        return "unknown", NOTHING
    return when, printable_line(use.source).replace(" ", "") or NOTHING


def note_expired(what: str, credentials: Iterable[tuple[str, str, datetime | None]]) -> None:
    """Tell which of them let nobody in any more.

    Args:
        what: A key, or a token.
        credentials: Whose each is, what it is called, and until when it counts.
    """
    now = datetime.now(UTC)
    for user, name, expires in credentials:
        if expires is not None and expires <= now:
            note(f"the {what} {name} of {user} has expired")
