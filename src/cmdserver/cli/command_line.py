"""What all commands of ``cmdserver`` have in common: two options, and how trouble is told."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cmdserver.app import standard_streams
from cmdserver.auth.credential_store import CredentialError

#: Where click keeps what the common options said.
CONFIG, STATE_DIRECTORY = "cmdserver.config", "cmdserver.state_dir"

Callback = TypeVar("Callback", bound=Callable[..., Any])


class Trouble(click.ClickException):
    """What cannot be done; told without the usage, which was right."""

    def show(self, file: Any = None) -> None:
        """Print it."""
        click.echo(f"cmdserver: {self.message}", file=file, err=file is None)


class CommandLine(click.Group):
    """The whole command; turns the errors of its parts into messages."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program."""
        standard_streams.prepare()
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except CredentialError as error:
            raise Trouble(str(error)) from error
        except BrokenPipeError:
            raise  # nobody listens any more, which click knows how to take
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            raise Trouble(f"{what}{error.strerror or error}") from error


def _note_option(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[f"cmdserver.{option.name}"] = value


def common_options(command: Callback) -> Callback:
    """Take ``--config`` and ``--state-dir``, which may stand behind any word of the command."""
    for name, metavar, text in (
        ("--state-dir", "DIR", "Where state is kept; else where the daemon looks."),
        ("--config", "FILE", "The configuration file; else where the daemon looks."),
    ):
        take = click.option(
            name, expose_value=False, callback=_note_option, metavar=metavar, help=text, type=click.Path()
        )
        command = take(command)
    return command
