"""The secrets of hooks, read from their files as TLS's are: at the start, and again at each reload."""

from collections.abc import Iterable
from pathlib import Path

from cmdserver.files.opening import ReadFile
from cmdserver.triggers.hook import Hook, Secrets, secret_of

_OTHERS_READ = 0o004


class BadSecret(Exception):  # noqa: N818 - a statement
    """A file with a hook's secret cannot be used; the text says which and why."""


def load(hooks: Iterable[Hook], read: ReadFile) -> Secrets:
    """Read the secrets of hooks.

    Raises:
        BadSecret: One of them cannot be read, or is none.
    """
    return {hook.name: tuple(_read(file, read) for file in hook.secret_files) for hook in hooks}


def check(file: str, read: ReadFile) -> str | None:
    """Look at one file; return what is to be said of it, if anything is.

    Raises:
        ValueError: It cannot be read, or has no secret in it.
    """
    try:
        _read(file, read)
    except BadSecret as error:
        raise ValueError(str(error)) from error
    try:
        mode = Path(file).stat().st_mode
    except OSError:  # it was read as somebody else
        return None
    return f"everybody on this host may read {file}; chmod 600 it" if mode & _OTHERS_READ else None


def _read(file: str, read: ReadFile) -> bytes:
    try:
        return secret_of(read(Path(file)))
    except OSError as error:
        raise BadSecret(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise BadSecret(f"{file} {error}") from error
