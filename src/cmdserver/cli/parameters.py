"""Parameters, common options and error messages of the command ``cmdserver``."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from cmdserver.app import standard_streams
from cmdserver.auth.credential_formats import parse_time
from cmdserver.auth.credential_store import CredentialError
from cmdserver.core.names import ANONYMOUS, is_trigger_name, is_user_name

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


class Reads(click.ParamType[Any]):
    """An argument that is read by a function.

    Args:
        name: What to call it in ``--help``.
        read: Its ValueError says what is wrong with the argument.
    """

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or print what is wrong with it and exit."""
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _caller_name(text: str) -> str:
    return text if is_trigger_name(text) else _user_name(text)


def _user_name(text: str) -> str:
    if is_trigger_name(text):
        raise ValueError(f"{text} is a caller that is no person")
    if not is_user_name(text):
        raise ValueError(
            f"{text!a} can be no user's name: up to 64 of A-Z a-z 0-9 _ . @ -, none of the last three first"
        )
    return text


def _new_user_name(text: str) -> str:
    if text == ANONYMOUS:
        raise ValueError(f"{ANONYMOUS} is what callers without login are called")
    return _user_name(text)


def future(text: str) -> datetime:
    """Read a time that is still to come."""
    time = parse_time(text)
    if time <= datetime.now(UTC):
        raise ValueError(f"{text} has passed")
    return time


#: Whoever may be there, and whoever may be made.
NAME = Reads("name", _user_name)
NEW_NAME = Reads("name", _new_user_name)
#: Whoever may ask for something: schedules and hooks, too.
CALLER_NAME = Reads("name", _caller_name)


def _note_option(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[f"cmdserver.{option.name}"] = value


def common_options(command: Callback) -> Callback:
    """Take ``--config`` and ``--state-dir``, which may stand behind any word of the command."""
    for name, text in (
        ("--state-dir", "Where state is kept; else where the daemon looks."),
        ("--config", "The configuration file; else where the daemon looks."),
    ):
        take = click.option(name, expose_value=False, callback=_note_option, metavar="PATH", help=text)
        command = take(command)
    return command
