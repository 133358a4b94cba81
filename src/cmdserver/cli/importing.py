"""``cmdserver import``: the configuration that does what NRPE's does."""

import sys
from pathlib import Path

import click

from cmdserver.cli.command_line import Trouble, common_options
from cmdserver.cli.notes import note
from cmdserver.core.escaping import visible
from cmdserver.nrpe_import.conversion import convert
from cmdserver.nrpe_import.directives import Directive, Remark
from cmdserver.nrpe_import.files import MOST_BYTES, Files

_STANDARD_INPUT = "-"


class _CannotRead(Trouble):
    """FILE is none that can be read, as if it had been typed wrongly."""

    exit_code = 2


@click.command("import")
@click.argument("file", type=click.Path(allow_dash=True))
@common_options
@click.pass_context
def import_(ctx: click.Context, file: str) -> None:
    """Print the configuration that does what that of NRPE does.

    FILE is nrpe.cfg; look through what is made of it. Includes are followed; - is standard input. Command lines are
    taken if they mean the same without a shell. What could not be taken, or means something else here, is told on
    standard error with FILE:LINE.

    The exit status is 0 if everything was taken, 1 if something was not, and 2 if FILE cannot be read.

    \b
    cmdserver import /etc/nagios/nrpe.cfg > nrpe.toml
    """
    try:
        read = _read(file)
    except (OSError, ValueError) as error:
        raise _CannotRead(f"{visible(file)}: {getattr(error, 'strerror', None) or error}") from error
    conversion = convert(read, "standard input" if file == _STANDARD_INPUT else file)
    click.echo(conversion.text, nl=False)
    for each in conversion.remarks:
        click.echo(_line(each), err=True)
    note(f"{_counted(conversion.taken, 'command')} taken, {_counted(conversion.refused, 'thing')} refused")
    ctx.exit(1 if conversion.refused else 0)


def _read(file: str) -> list[Directive | Remark]:
    """Read a file and what it includes; raises an OSError or a ValueError if it is the file that cannot be read."""
    if file != _STANDARD_INPUT:
        return [*Files().read_file(Path(file))]
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"standard input is larger than {MOST_BYTES} bytes")
    return [*Files().read(data, _STANDARD_INPUT, Path.cwd())]


def _line(remark: Remark) -> str:
    """Say it as compilers do."""
    kind = "refused" if remark.is_refusal else "warning"
    return visible(f"{remark.place.file}:{remark.place.line}: {kind}: {remark.text}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
