"""``cmdserver audit show``: what is in audit files, for people."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from cmdserver.audit.filters import Filter, record_of
from cmdserver.audit.layout import Layout, malformed
from cmdserver.audit.reading import CutShort, Line, read_lines
from cmdserver.audit.times import parse_time
from cmdserver.cli.audit.files import STANDARD_INPUT, called, meant_files, opened
from cmdserver.cli.audit.following import Follower, wait_for_reader
from cmdserver.cli.command_line import Callback, common_options
from cmdserver.cli.parameters import Reads
from cmdserver.core.escaping import visible
from cmdserver.triggers.time_zone import host_zone

#: That many lines are shown before those that come, as by tail(1) and journalctl(1).
_BEFORE_FOLLOWING = 10
_MOST_LINES = 1_000_000
#: As a shell says it of what Ctrl-C has ended.
_INTERRUPTED = 130


def _now() -> datetime:
    return datetime.now(host_zone(os.environ))


_TIME = Reads("TIME", lambda text: parse_time(text, _now()))


def _filter_options(command: Callback) -> Callback:
    for names, metavar, text in (
        (("--source", "sources"), "ADDRESS", "From there."),
        (("--protocol", "protocols"), "PROTOCOL", "By this protocol: line, web, ssh, nrpe, schedule, hook."),
        (("--outcome", "outcomes"), "OUTCOME", "That ended so: ok, failed, timeout, denied and the like."),
        (("--command", "commands"), "NAME", "Of this command."),
        (("--user", "users"), "NAME", "Of this user; anonymous for those without a login."),
    ):
        take = click.option(*names, metavar=metavar, multiple=True, help=f"{text} A glob; may be given several times.")
        command = take(command)
    return command


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(allow_dash=True))
@_filter_options
@click.option("--since", type=_TIME, help="Not before: 2026-11-28, '2026-11-28 12:00', 12:00, today, yesterday, -2h.")
@click.option("--until", type=_TIME, help="Not after; likewise.")
@click.option("-n", "--lines", "count", type=click.IntRange(0, _MOST_LINES), help="The last so many, of those.")
@click.option("-f", "--follow", is_flag=True, help="And those that come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are in the file.")
@common_options
@click.pass_context
def show(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    count: int | None,
    *,
    follow: bool,
    as_json: bool,
    **globs: tuple[str, ...],
) -> None:
    """Print what is in audit files, one line an event, the oldest first.

    A line is: when (in this host's time), who, from where, how, how it ended, how many seconds it took, and what was
    asked for. Without a FILE the one of the configuration is read; - is standard input, and what gzip has compressed is
    read as well. What is no event is shown as what it is.

    With -f the last FILE is followed, also when it is renamed and made anew; begun with its last 10 events, or -n.
    """
    wanted = Filter(since=since, until=until, **globs)
    printer = _Printer(wanted, as_json=as_json)
    names = meant_files(ctx, files)
    if not follow:
        printer.print_last(_read(names), count)
        return
    if names[-1] == STANDARD_INPUT:
        raise click.UsageError("standard input cannot be followed; name a FILE", ctx)
    try:
        with opened(names[-1]):
            pass
        printer.follow(_read(names[:-1]), Path(names[-1]), _BEFORE_FOLLOWING if count is None else count)
    except KeyboardInterrupt:
        _end_quietly()


class _Printer:
    """Prints events.

    Args:
        as_json: Whether as they are.
    """

    def __init__(self, wanted: Filter, *, as_json: bool) -> None:
        self._wanted = wanted
        self._as_json = as_json
        self._layout = Layout(host_zone(os.environ))

    def print_last(self, lines: Iterable[Line], count: int | None) -> None:
        """Print the last so many of the events that are wanted; None: all."""
        texts = (text for line in lines if (text := self._text(line)) is not None)
        for text in texts if count is None else deque(texts, count):
            text()

    def follow(self, before: Iterable[Line], path: Path, count: int) -> None:
        """Print the last so many, and those that come."""
        begun: deque[Callable[[], None]] | None = deque(
            (text for line in before if (text := self._text(line)) is not None), count
        )
        for line in Follower(path, partial(wait_for_reader, sys.stdout.fileno())).lines():
            text = self._text(line) if line is not None else None
            if begun is not None:
                if text is not None:
                    begun.append(text)
                if line is not None:
                    continue
                for each in begun:
                    each()
                begun = None
            elif text is not None:
                text()

    def _text(self, line: Line) -> Callable[[], None] | None:
        """Return what prints a line; None if it is not wanted."""
        record = record_of(line.data) if not line.is_too_long else None
        if record is None:
            said = f"{visible(line.place)}: no event: {malformed(line.data)}"
            # What reads JSON wants nothing else.
            return partial(click.echo, said, err=self._as_json)
        if not self._wanted.matches(record):
            return None
        if self._as_json:
            return partial(click.echo, line.data)
        return lambda: click.echo(self._layout.line(record))


def _read(names: Iterable[str]) -> Iterator[Line]:
    for name in names:
        with opened(name) as file:
            try:
                yield from read_lines(file, called(name))
            except CutShort as error:
                click.echo(f"cmdserver: {visible(str(error))}", err=True)


def _end_quietly() -> NoReturn:
    raise click.exceptions.Exit(_INTERRUPTED)
