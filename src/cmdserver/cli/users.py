"""``cmdserver user``: add, change, remove and list users."""

import sys

import click

from cmdserver.auth.credential_store import CredentialError
from cmdserver.auth.password_hash import hash_password, trouble_with_new_password
from cmdserver.auth.second_factors.enrolment_file import EnrolmentFile
from cmdserver.cli.access import open_files, read_settings
from cmdserver.cli.command_line import Trouble, common_options
from cmdserver.cli.notes import note, note_missing_role, roles_of
from cmdserver.cli.parameters import NAME, NEW_NAME
from cmdserver.core.text_encoding import without_mark


@click.group(no_args_is_help=True)
@common_options
def user() -> None:
    """Add, change, remove and list users."""


_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)


@user.command("add")
@click.argument("name", type=NEW_NAME)
@_password_option
@common_options
@click.pass_context
def user_add(ctx: click.Context, name: str, *, password_stdin: bool) -> None:
    """Add the user NAME, with a password.

    The password is asked for twice.

    \b
    cmdserver user add ann
    cmdserver user add ann --password-stdin < FILE
    """
    with open_files(ctx) as files:
        if name in files.passwords():
            raise CredentialError(
                f"there is a user {name} already; to change the password: cmdserver user passwd {name}"
            )
    hashed = _ask_password(password_stdin)
    with open_files(ctx) as files:
        files.add_user(name, hashed)
    note_missing_role(ctx, name)


@user.command("passwd")
@click.argument("name", type=NAME)
@_password_option
@common_options
@click.pass_context
def user_passwd(ctx: click.Context, name: str, *, password_stdin: bool) -> None:
    """Change the password of the user NAME.

    The new one is asked for twice.
    """
    with open_files(ctx) as files:
        files.require_user(name)
    hashed = _ask_password(password_stdin)
    with open_files(ctx) as files:
        files.set_password(name, hashed)


@user.command("remove")
@click.argument("name", type=NAME)
@common_options
@click.pass_context
def user_remove(ctx: click.Context, name: str) -> None:
    """Remove the user NAME: password, keys, tokens and second factor."""
    with open_files(ctx) as files:
        files.remove_user(name)


@user.command("list")
@common_options
@click.pass_context
def user_list(ctx: click.Context) -> None:
    """List the users, what they log in with, and their roles."""
    settings = read_settings(ctx)
    with open_files(ctx) as files:
        names, passwords, tokens = files.users(), files.passwords(), files.tokens()
        enrolments = EnrolmentFile(files)
        width = max(map(len, names), default=0)
        for name in names:
            has = ["password"] if name in passwords else []
            has += ["second factor"] if name in enrolments.enrolments() else []
            has += _counted(len(files.keys(name)), "key")
            has += _counted(sum(each.name == name for each in tokens), "token")
            roles = " ".join(roles_of(settings, name)) or "(none)"
            click.echo(f"{name:<{width}}  {', '.join(has)}; roles: {roles}")
        for complaint in (*files.complaints(), *enrolments.complaints()):
            note(complaint)


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}" if count == 1 else f"{count} {what}s"] if count else []


def _ask_password(is_on_stdin: bool) -> bytes:  # noqa: FBT001 - a flag of the command line
    """Get a new password and hash it."""
    if is_on_stdin:
        # A pipe of PowerShell's begins with a byte order mark, which nobody has typed.
        line = without_mark(sys.stdin.buffer.readline())
        password = line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="surrogateescape")
        if trouble := trouble_with_new_password(password):
            raise Trouble(trouble)
    elif sys.stdin.isatty():
        password = click.prompt(
            "New password", hide_input=True, confirmation_prompt="Again", err=True, value_proc=_accepted
        )
    else:
        raise Trouble("standard input is no terminal to ask for a password; use --password-stdin")
    return hash_password(password)


def _accepted(password: str) -> str:
    """Return a password that was typed, or have it asked for again."""
    if trouble := trouble_with_new_password(password):
        raise click.UsageError(trouble)
    return password
