"""``cmdserver key``: who logs in with which SSH keys."""

from typing import BinaryIO

import click

from cmdserver.cli.access import open_files, read_last_uses
from cmdserver.cli.command_line import Trouble, common_options
from cmdserver.cli.credential_list import NOTHING, expiry, last_use, note_expired, origin, whose
from cmdserver.cli.notes import note, note_missing_role, print_table
from cmdserver.cli.parameters import FINGERPRINT, NAME, NEW_NAME
from cmdserver.core.escaping import printable_line
from cmdserver.core.text_encoding import NotUTF8, decode_leniently
from cmdserver.files.last_uses import key_id

#: Of a file of keys; a bigger one is something else.
_MOST_KEY_BYTES = 1 << 20
#: The only ones that may be several words are the last.
_HEADINGS = ("NAME", "FINGERPRINT", "TYPE", "EXPIRES", "FROM", "LAST-USED", "LAST-FROM", "COMMENT")


@click.group(no_args_is_help=True)
@common_options
def key() -> None:
    """Let people in by their SSH keys."""


@key.command("add")
@click.argument("name", type=NEW_NAME)
@click.argument("file", type=click.File("rb"), default="-")
@common_options
@click.pass_context
def key_add(ctx: click.Context, name: str, file: BinaryIO) -> None:
    """Let the holder of a key in as the user NAME.

    FILE is a public key (id_ed25519.pub, say) or several, one a line, with options as in OpenSSH's authorized_keys;
    without FILE, standard input is read.

    \b
    cmdserver key add ann id_ed25519.pub
    """
    if file.isatty():
        note("waiting for the public key on standard input")
    try:
        text = decode_leniently(file.read(_MOST_KEY_BYTES))
    except NotUTF8 as error:
        raise Trouble(f"the key {error}") from error
    with open_files(ctx) as files:
        for each in files.add_keys(name, text):
            click.echo(f"{name}: {each.kind} {each.fingerprint} {printable_line(each.comment)}".rstrip())
    note_missing_role(ctx, name)


@key.command("list")
@click.argument("name", type=NAME, required=False)
@common_options
@click.pass_context
def key_list(ctx: click.Context, name: str | None) -> None:
    """List the keys of the user NAME, or everybody's.

    That is until when and from where they are good, and when and from where they were last used. COMMENT is what
    the key's line says behind it, after the command that is run whatever is asked for, if it has one.
    """
    with open_files(ctx) as files:
        uses = read_last_uses(files)
        keys = [(each, key) for each in whose(files, name) for key in files.keys(each)]
    print_table(
        _HEADINGS,
        (
            (
                each,
                key.fingerprint,
                key.kind,
                expiry(key.expires),
                origin(key.sources),
                *last_use(uses.get((each, key_id(key.fingerprint)))),
                printable_line(" ".join(filter(None, (key.command and f"[{key.command}]", key.comment)))) or NOTHING,
            )
            for each, key in keys
        ),
    )
    note_expired("key", ((each, key.fingerprint, key.expires) for each, key in keys))


@key.command("remove")
@click.argument("name", type=NAME)
@click.argument("fingerprint", type=FINGERPRINT)
@common_options
@click.pass_context
def key_remove(ctx: click.Context, name: str, fingerprint: str) -> None:
    """Let the holder of the key FINGERPRINT in as the user NAME no more.

    cmdserver key list has the fingerprints.
    """
    with open_files(ctx) as files:
        files.remove_key(name, fingerprint)
