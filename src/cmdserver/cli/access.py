"""What the commands of ``cmdserver`` read and change: the configuration, and the credentials in the state directory."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmdserver.app.state_directory import choose_directory, prepare_directory
from cmdserver.auth.cached_file import open_in
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.cli.command_line import CONFIG, STATE_DIRECTORY, Trouble
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.defaults import settings_of
from cmdserver.config.loading import find_file, read_file
from cmdserver.config.schema.settings import Settings
from cmdserver.files.last_uses import Uses, read_uses
from cmdserver.files.run_as_owner import as_owner_of

if TYPE_CHECKING:
    from cmdserver.plugin import Options


def read_settings(ctx: click.Context) -> Settings:
    """Read the configuration's keys; mistakes elsewhere than in ``state_dir`` are ignored."""
    path = None
    try:
        path = find_file(ctx.meta.get(CONFIG), os.environ)
        source = read_file(path)
    except OSError as error:
        raise Trouble(f"cannot read the configuration: {error}") from error
    except Mistakes as mistakes:
        raise Trouble(str(mistakes)) from mistakes
    reader = source.reader()
    settings = settings_of(reader)
    # In a file that cannot be read there may be a state_dir.
    grave = {*source.mistakes, *(each for each in reader.mistakes if each.path[:1] == ("state_dir",))}
    bad = [each for each in reader.mistakes if settings is None or each in grave]
    if settings is None or bad:
        raise Trouble("\n".join(map(str, bad)))
    return settings


def read_configuration(ctx: click.Context, *options: str) -> Configuration:
    """Read the configuration as the daemon does; mistakes are printed and end the process."""
    return read_as_daemon(ctx, *options).configuration


def read_as_daemon(ctx: click.Context, *options: str, looks_at_state: bool = False) -> "Options":
    """Read the configuration as the daemon does, with what there is to be said of it.

    Args:
        ctx: Which file it is.
        options: Of ``twistd cmdserver``.
        looks_at_state: Whether to look at the state directory, as for ``--check``.
    """
    from cmdserver.plugin import Options  # noqa: PLC0415 - half a second, which the other commands need not wait

    words = list(options)
    for option, meta in (("--config", CONFIG), ("--state-dir", STATE_DIRECTORY)):
        if meta in ctx.meta:
            words += [option, ctx.meta[meta]]
    daemon = Options()  # type: ignore[no-untyped-call]
    daemon.looks_at_state = looks_at_state
    daemon.parseOptions(words)  # type: ignore[no-untyped-call]
    return daemon


@contextmanager
def look_at_files(ctx: click.Context) -> Iterator[CredentialStore | None]:
    """Open the credentials of the state directory, if there is one; nothing is made or changed."""
    directory = state_directory(ctx)
    if not directory.exists():
        yield None
        return
    with as_owner_of(directory) as path:
        yield CredentialStore(path, open_file=partial(open_in, path))


@contextmanager
def open_files(ctx: click.Context) -> Iterator[CredentialStore]:
    """Open the credentials of the state directory, which is made if need be."""
    directory = state_directory(ctx)
    if not directory.exists():
        prepare_directory(directory)
    with as_owner_of(directory) as path:
        prepare_directory(path)
        try:
            yield CredentialStore(path, open_file=partial(open_in, path))
        except PermissionError as error:
            if path == directory or error.errno != errno.EACCES or error.filename is None:
                raise
            raise Trouble(_not_the_owners(directory, Path(error.filename))) from error


def read_last_uses(files: CredentialStore) -> Uses:
    """Read when keys and tokens were last used; what cannot be read is told, and nothing is known then."""
    try:
        return read_uses(files.directory)
    except OSError as error:
        click.echo(f"cmdserver: note: the last uses are not known: {error.strerror}", err=True)
        return {}


def state_directory(ctx: click.Context) -> Path:
    """Say where state is kept."""
    return choose_directory(ctx.meta.get(STATE_DIRECTORY), read_settings(ctx).state_dir, os.environ).absolute()


def _not_the_owners(directory: Path, name: Path) -> str:
    """Explain which other user's directory keeps the state directory's owner from a file in it."""
    above = [each for each in reversed(name.parents) if each != Path()]
    wrong = next((each for each in above if each.exists() and each.stat().st_uid != os.geteuid()), name)
    text = (
        f"{directory / name}: Permission denied: {directory / wrong} does not belong to the daemon's user, as it should"
    )
    return f"{text}; say: chown -h {os.geteuid()}:{os.getegid()} '{directory / wrong}'"
