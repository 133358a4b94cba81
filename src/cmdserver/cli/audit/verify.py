"""``cmdserver audit verify``: whether the lines of audit files are a whole chain."""

import re
from collections.abc import Iterator, Sequence

import click

from cmdserver.audit.reading import CutShort, read_lines
from cmdserver.audit.verifying import Summary, Verifier
from cmdserver.cli.audit.files import called, meant_files, opened
from cmdserver.cli.command_line import common_options
from cmdserver.cli.notes import note
from cmdserver.cli.parameters import Reads
from cmdserver.core.escaping import visible

_VALUE = re.compile("[0-9a-f]{64}")


def _chain_value(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError(f"{visible(text)!r} is no chain value: 64 digits, 0 to 9 and a to f")
    return text


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "--head",
    "heads",
    metavar="HEX",
    multiple=True,
    type=Reads("HEX", _chain_value),
    help="A chain value that is known from a copy elsewhere: some line must have it. May be given several times.",
)
@common_options
@click.pass_context
def verify(ctx: click.Context, files: tuple[str, ...], heads: tuple[str, ...]) -> None:
    """Tell which lines of audit files were changed, left out, cut short, put there or moved.

    FILEs are one chain, in the order of time: audit.jsonl.2.gz audit.jsonl.1 audit.jsonl. Those that gzip has
    compressed are read as well; - is standard input; without a FILE the one of the configuration is read.

    No key is involved: whoever may write the file can make the chain anew. What was cut off at its end, or made anew,
    shows only by a copy elsewhere, of which --head takes the last chain value.

    The exit status is 0 if the chain is whole, 1 if not, and 2 if a FILE cannot be read.
    """
    verifier, missing, is_whole = Verifier(), dict.fromkeys(heads), True
    for fault in _faults(verifier, meant_files(ctx, files), missing):
        is_whole = False
        click.echo(visible(fault))
    summary = verifier.summary()
    for head in missing:
        is_whole = False
        click.echo(f"{head} is the chain value of no line: lines were cut off, or the chain was made anew")
    if summary.torn:
        note(f"{_counted(summary.torn)} cut short when written, and covered by the next: a full disk, or a crash")
    if summary.unchained and summary.head:
        note(f"{_counted(summary.unchained)} before the chain begins, by a version that had none")
    if summary.lines and not summary.has_beginning:
        note("the chain begins before the first line: what came before it was not looked at")
    click.echo(_text(summary, is_whole=is_whole))
    ctx.exit(0 if is_whole else 1)


def _faults(verifier: Verifier, files: Sequence[str], missing: dict[str, None]) -> Iterator[str]:
    """Look at all lines, and take those chain values from the missing that are there."""
    for name in files:
        with opened(name) as file:
            try:
                for line in read_lines(file, called(name)):
                    yield from verifier.feed(line)
                    if missing:
                        missing.pop(verifier.head, None)
            except CutShort as error:
                yield str(error)
    yield from verifier.finish()


def _text(summary: Summary, *, is_whole: bool) -> str:
    if not summary.lines:
        return "0 lines" if is_whole else "0 lines; the chain is NOT whole"
    what = "the chain is whole" if is_whole else "the chain is NOT whole"
    span = f", from {summary.first_time} to {summary.last_time}" if summary.first_time else ""
    head = f"; head {summary.head}" if summary.head else ""
    return f"{_counted(summary.lines)}{span}, {what}{head}"


def _counted(number: int) -> str:
    return f"{number} line{'' if number == 1 else 's'}"
