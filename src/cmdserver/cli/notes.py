"""What the commands of ``cmdserver`` say besides what was asked for, and how they lay out what was."""

from collections.abc import Iterable, Sequence

import click

from cmdserver.cli.access import read_settings
from cmdserver.config.schema.settings import Settings


def note(text: str) -> None:
    """Tell something on standard error, so that it gets into no script."""
    click.echo(f"cmdserver: note: {text}", err=True)


def roles_of(settings: Settings, name: str) -> list[str]:
    """Name the roles that list a user."""
    return [role for role, each in settings.roles.items() if each and name in each.users]


def note_missing_role(ctx: click.Context, name: str) -> None:
    """Tell that a user may do nothing in particular, which is allowed and maybe a mistake."""
    if not roles_of(read_settings(ctx), name):
        note(f"no role lists {name}, who may run what every logged-in caller may and nothing else")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below headings, in columns as wide as they must be; without rows nothing.

    Each cell but those of the last column is one word, so that ``awk`` finds them.
    """
    lines = [headings, *rows]
    if len(lines) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())
