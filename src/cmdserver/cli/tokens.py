"""``cmdserver token``: which programs get in, as whom, until when, from where and for what."""

import secrets
from collections.abc import Collection
from datetime import datetime

import click

from cmdserver.auth.credential_formats import Token, parse_label, token_digest
from cmdserver.auth.source_restrictions import Sources, parse_networks
from cmdserver.cli.access import open_files, read_last_uses, read_settings
from cmdserver.cli.command_line import common_options
from cmdserver.cli.credential_list import ALL, expiry, last_use, note_expired, origin, whose
from cmdserver.cli.notes import note, note_missing_role, print_table
from cmdserver.cli.parameters import LABEL, NAME, NEW_NAME, PATTERNS, Reads, expiry_time
from cmdserver.core.names import is_glob, is_meant
from cmdserver.files.last_uses import token_id

#: As many as an AES-256 key has, so that a fast hash is enough to keep.
TOKEN_BYTES = 32
_HEADINGS = ("NAME", "LABEL", "EXPIRES", "FROM", "COMMANDS", "LAST-USED", "LAST-FROM")


@click.group(no_args_is_help=True)
@common_options
def token() -> None:
    """Let programs in by bearer tokens."""


@token.command("add")
@click.argument("name", type=NEW_NAME)
@click.option("--name", "label", type=Reads("label", parse_label), help="What to call it, to tell it from others.")
@click.option(
    "--expires",
    type=Reads("time", expiry_time),
    help="Until when: 90d (s, m, h, d, w), or 2027-01-31T00:00:00Z; else for ever.",
)
@click.option(
    "--from", "sources", type=Reads("nets", parse_networks), help="From where: 10.0.0.0/8,::1; else from anywhere."
)
@click.option(
    "--commands", type=PATTERNS, help="For what, names or globs: uptime,net-*; else for all that NAME may run."
)
@common_options
@click.pass_context
def token_add(
    ctx: click.Context,
    *,
    name: str,
    label: str | None,
    expires: datetime | None,
    sources: Sources | None,
    commands: frozenset[str] | None,
) -> None:
    """Make a token that lets its holder in as the user NAME.

    It is printed, is not kept, and cannot be shown again.

    \b
    cmdserver token add ann --name backup --expires 90d --from 10.0.0.0/8,::1 --commands 'uptime,net-*'
    """
    settings = read_settings(ctx)
    _note_useless(commands or (), settings.commands)
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    with open_files(ctx) as files:
        files.add_token(
            Token(
                name=name,
                sha256=token_digest(secret),
                label=label,
                expires=expires,
                sources=sources,
                commands=commands,
            )
        )
    click.echo(secret)
    note_missing_role(ctx, name)


@token.command("list")
@click.argument("name", type=NAME, required=False)
@common_options
@click.pass_context
def token_list(ctx: click.Context, name: str | None) -> None:
    """List the tokens of the user NAME, or everybody's.

    That is what each is good for, and when and from where it was last used. A token without a label is called by
    the beginning of its digest.
    """
    with open_files(ctx) as files:
        uses = read_last_uses(files)
        names = whose(files, name)
        tokens = sorted((each for each in files.tokens() if each.name in names), key=lambda each: each.name)
    print_table(
        _HEADINGS,
        (
            (
                each.name,
                each.handle,
                expiry(each.expires),
                origin(each.sources),
                ALL if each.commands is None else ",".join(sorted(each.commands)),
                *last_use(uses.get((each.name, token_id(each.sha256)))),
            )
            for each in tokens
        ),
    )
    note_expired("token", ((each.name, each.handle, each.expires) for each in tokens))


@token.command("remove")
@click.argument("name", type=NAME)
@click.argument("label", type=LABEL)
@common_options
@click.pass_context
def token_remove(ctx: click.Context, name: str, label: str) -> None:
    """Let the holder of the user NAME's token LABEL in no more.

    cmdserver token list has the labels.
    """
    with open_files(ctx) as files:
        files.remove_token(name, label)


def _note_useless(patterns: Collection[str], commands: Collection[str]) -> None:
    """Tell which names and globs of a token's mean no command that there is."""
    for pattern in sorted(patterns):
        if not any(is_meant(command, [pattern]) for command in commands):
            what = f"{pattern} matches no command" if is_glob(pattern) else f"there is no command {pattern}"
            note(f"{what} in the configuration")
