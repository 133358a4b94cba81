"""Which audit files are meant, and how they are opened."""

import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import cast

import click

from cmdserver.cli.access import read_settings, state_directory
from cmdserver.cli.command_line import Trouble
from cmdserver.core.escaping import visible

STANDARD_INPUT = "-"


class CannotRead(Trouble):
    """A file that cannot be read, as if its name had been typed wrongly."""

    exit_code = 2


def meant_files(ctx: click.Context, files: Sequence[str]) -> Sequence[str]:
    """Say which files are meant: the configured one if nobody says.

    Raises:
        CannotRead: That one is no file.
    """
    if files:
        return files
    path = state_directory(ctx) / read_settings(ctx).audit.file
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise _cannot_read(str(path), error) from error
    if not is_file:
        raise CannotRead(f"the audit file of the configuration is {visible(str(path))}, which is no file: name one")
    return [str(path)]


@contextmanager
def opened(name: str) -> Iterator[BufferedReader]:
    """Open a file to read, or standard input.

    Raises:
        CannotRead: It cannot be opened, or reading fails.
    """
    try:
        if name == STANDARD_INPUT:
            stream = sys.stdin.buffer
            yield stream if isinstance(stream, BufferedReader) else BufferedReader(cast("RawIOBase", stream))
        else:
            with Path(name).open("rb") as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_read(name, error) from error


def called(name: str) -> str:
    """Say how a file is called in a message."""
    return "standard input" if name == STANDARD_INPUT else visible(name)


def _cannot_read(name: str, error: OSError) -> CannotRead:
    return CannotRead(f"{called(name)}: {error.strerror or error}")
