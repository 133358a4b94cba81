"""``cmdserver diff``: what changes in power between two files, for whoever reviews the second one."""

import sys
from pathlib import Path

import click

from cmdserver.cli.notes import note
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import AnotherHost
from cmdserver.config.loading import configure, read_file
from cmdserver.diff.change import as_json, listed, page
from cmdserver.diff.comparing import compare
from cmdserver.files.safe_path import read_shown_file

#: No good file.
_NO_FILE = 2
_STANDARD_INPUT = "/dev/stdin"


@click.command()
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@click.option("--json", "is_json", is_flag=True, help="Write JSON, with all names in lists.")
def diff(old: str, new: str, *, is_json: bool) -> None:
    """Say what changes in power from the configuration OLD to NEW.

    Who may newly run what, with which values, as whom; who may no longer; what runs differently; what newly lets
    somebody in. Widening is marked +, narrowing -, and what is only different ~. The files need not be for this host:
    its programs and users are not asked for. One of them
    may be -, standard input. The exit status is 0 if nothing changes, 1 if something does, 2 if a file
    is no good.

    \b
    cmdserver diff /etc/cmdserver/cmdserver.toml new.toml
    cmdserver diff <(git show main:cmdserver.toml) cmdserver.toml
    """
    host = AnotherHost()
    before, after = (_read(path, host) for path in (old, new))
    if before is None or after is None:
        sys.exit(_NO_FILE)
    if host.missing:
        note(f"not on this host, and taken as they are: {listed(sorted(host.missing))}")
    changes = compare(before, after)
    click.echo(f"{as_json(changes)}\n" if is_json else page(changes), nl=False)
    sys.exit(1 if changes else 0)


def _read(path: str, host: AnotherHost) -> Configuration | None:
    """Read a file; what is wrong with it is printed."""
    try:
        place = _STANDARD_INPUT if path == "-" else path
        source = read_file(str(Path(place).absolute()), read_shown_file)
        return configure(source, host, lambda _: None)
    except OSError as error:
        click.echo(f"cmdserver: {path}: {error.strerror or error}", err=True)
    except Mistakes as mistakes:
        for mistake in mistakes.mistakes:
            click.echo(str(mistake), err=True)
    return None
