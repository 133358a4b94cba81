"""What the words of the command ``cmdserver`` may be, and what shells complete them to."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from click.shell_completion import CompletionItem

from cmdserver.auth.credential_formats import parse_commands, parse_time
from cmdserver.cli import completion
from cmdserver.core.names import ANONYMOUS, is_trigger_name, is_user_name

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([1-9][0-9]{0,11})([smhdw])", re.ASCII)


class Reads(click.ParamType[Any]):
    """An argument that is read by a function.

    Args:
        name: What to call it in ``--help``.
        read: Its ValueError says what is wrong with the argument.
        offer: Says what shells complete it to.
    """

    def __init__(self, name: str, read: Callable[[str], object], offer: completion.Offer = completion.nothing) -> None:
        self.name = name
        self._read = read
        self._offer = offer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - as click calls it
        """Say what it may be."""
        return completion.items(self._offer, ctx, incomplete)

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


def expiry_time(text: str) -> datetime:
    """Read until when: a time, or how long from now."""
    now = datetime.now(UTC)
    if (match := _DURATION.fullmatch(text)) is None:
        time = parse_time(text)
        if time <= now:
            raise ValueError(f"{text} has passed")
        return time
    try:
        return (now + timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])).replace(microsecond=0)
    except OverflowError:
        raise ValueError(f"{text} is longer than time can be told") from None


#: Whoever may be there, and whoever may be made.
NAME = Reads("name", _user_name, completion.users)
NEW_NAME = Reads("name", _new_user_name, completion.users)
#: Whoever may ask for something: schedules and hooks, too.
CALLER_NAME = Reads("name", _caller_name, completion.callers)
#: One of a user's keys, or tokens; whatever is said, as there is none but those that there are.
FINGERPRINT = Reads("fingerprint", str, completion.fingerprints)
LABEL = Reads("label", str, completion.labels)
PATTERNS = Reads("globs", parse_commands, completion.command_list)
COMMAND_WORD = Reads("command", str, completion.commands)
