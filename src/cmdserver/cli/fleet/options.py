"""What the commands for a fleet take, and what they take to be installed; the work is imported when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct

from cmdserver.cli.command_line import Trouble
from cmdserver.cli.parameters import NAME
from cmdserver.fleet.membership import EXTRA_IS_MISSING, EXTRA_MODULES

Callback = TypeVar("Callback", bound=Callable[..., Any])


class CallerOptions(Struct, frozen=True, kw_only=True):
    """What was said of who asks; None: nothing."""

    user: str | None
    identity: Path | None
    known_hosts: Path | None


class AskOptions(Struct, frozen=True, kw_only=True):
    """How a question is asked, and how answers are shown."""

    #: Names and globs, as they were typed; none: everybody.
    hosts: tuple[str, ...]
    #: Facts that hosts must have, ``KEY=VALUE``.
    where: tuple[str, ...]
    #: How many at once; None: all.
    batch: int | None
    #: Between batches, in seconds.
    wait: float
    #: For answers of a batch, in seconds.
    timeout: float
    fail_fast: bool
    output: bool
    is_json: bool
    is_jsonl: bool


def fleet_options(command: Callback) -> Callback:
    """Take who asks."""
    for option in (
        click.option(
            "--known-hosts", type=click.Path(path_type=Path), metavar="FILE",
            help="The hosts of the fleet and their keys; else ~/.config/cmdserver/known_hosts.",
        ),
        click.option(
            "--identity", type=click.Path(path_type=Path), metavar="FILE",
            help="The key that signs, or its public half if ssh-agent holds it; else ssh-agent's first, else ~/.ssh's.",
        ),
        click.option("--user", type=NAME, help="As whom; else your login name."),
    ):  # fmt: skip
        command = option(command)
    return command


def pick(options: Mapping[str, Any], kind: type[CallerOptions] | type[AskOptions]) -> Any:
    """Return what belongs together of what was said."""
    return kind(**{name: options[name] for name in kind.__struct_fields__})


@contextmanager
def needing_extra() -> Iterator[None]:
    """Import what only a fleet needs; raises `Trouble` where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_MODULES:
            raise
        raise Trouble(EXTRA_IS_MISSING) from error
