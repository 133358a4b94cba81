"""What the commands of ``cmdserver`` read and change: the configuration, and the credentials in the state directory."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from cmdserver.app.state_directory import choose_directory, prepare_directory
from cmdserver.auth.cached_file import open_in
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.cli.parameters import CONFIG, STATE_DIRECTORY, Trouble
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes, TomlReader
from cmdserver.config.loading import find_file, name_of, read_file
from cmdserver.config.schema import Settings
from cmdserver.files.run_as_owner import as_owner_of


def read_settings(ctx: click.Context) -> Settings:
    """Read the configuration's keys; mistakes elsewhere than in ``state_dir`` are ignored."""
    path = None
    try:
        path = find_file(ctx.meta.get(CONFIG), os.environ)
        source = read_file(path)
    except OSError as error:
        raise Trouble(f"cannot read the configuration: {error}") from error
    except Mistakes as mistakes:
        raise Trouble("\n".join(f"{name_of(path)}:{mistake}" for mistake in mistakes.mistakes)) from mistakes
    reader = TomlReader(source.text)
    settings = reader.read(Settings)
    bad = [mistake for mistake in reader.mistakes if settings is None or mistake.path[:1] == ("state_dir",)]
    if settings is None or bad:
        raise Trouble("\n".join(f"{source.name}:{mistake}" for mistake in bad))
    return settings


def read_configuration(ctx: click.Context, *options: str) -> Configuration:
    """Read the configuration as the daemon does; mistakes are printed and end the process."""
    from cmdserver.plugin import Options  # noqa: PLC0415 - half a second, which the other commands need not wait

    words = list(options)
    for option, meta in (("--config", CONFIG), ("--state-dir", STATE_DIRECTORY)):
        if meta in ctx.meta:
            words += [option, ctx.meta[meta]]
    daemon = Options()  # type: ignore[no-untyped-call]
    daemon.parseOptions(words)  # type: ignore[no-untyped-call]
    return daemon.configuration


@contextmanager
def open_files(ctx: click.Context) -> Iterator[CredentialStore]:
    """Open the credentials of the state directory, which is made if need be."""
    directory = choose_directory(ctx.meta.get(STATE_DIRECTORY), read_settings(ctx).state_dir, os.environ).absolute()
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


def _not_the_owners(directory: Path, name: Path) -> str:
    """Explain which other user's directory keeps the state directory's owner from a file in it."""
    above = [each for each in reversed(name.parents) if each != Path()]
    wrong = next((each for each in above if each.exists() and each.stat().st_uid != os.geteuid()), name)
    text = (
        f"{directory / name}: Permission denied: {directory / wrong} does not belong to the daemon's user, as it should"
    )
    return f"{text}; say: chown -h {os.geteuid()}:{os.getegid()} '{directory / wrong}'"
