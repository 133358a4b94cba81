"""The command ``cmdserver``, for the people who look after the daemon: users, keys, tokens, and what a rule means.

It changes files that the daemon reads at the next login, so it needs no connection to the daemon, nor the daemon to
run. What is asked for goes to standard output and everything else to standard error; the exit status is 1 for what
cannot be done and 2 for what was typed wrongly.
"""

import secrets
import sys
from datetime import datetime
from typing import BinaryIO

import click

from cmdserver.auth.callers import suppose
from cmdserver.auth.credential_formats import Token, parse_commands, token_digest
from cmdserver.auth.credential_store import CredentialError
from cmdserver.auth.password_hash import hash_password
from cmdserver.auth.source_restrictions import Sources, parse_networks
from cmdserver.cli.access import open_files, read_configuration, read_settings
from cmdserver.cli.parameters import CALLER_NAME, NAME, NEW_NAME, CommandLine, Reads, Trouble, common_options, future
from cmdserver.config.schema import Settings
from cmdserver.core.errors import Refusal
from cmdserver.core.escaping import printable_line
from cmdserver.core.names import ANONYMOUS
from cmdserver.core.text_encoding import NotUTF8, decode_leniently, without_mark
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.common import rendering

#: As many as an AES-256 key has, so that a fast hash is enough to keep.
TOKEN_BYTES = 32
#: Of a file of keys; a bigger one is something else.
_MOST_KEY_BYTES = 1 << 20


@click.group("cmdserver", cls=CommandLine, no_args_is_help=True)
@common_options
@click.version_option(package_name="cmdserver", prog_name="cmdserver", message="%(prog)s %(version)s")
def main() -> None:
    """Look after cmdserver: its users, their keys and tokens, its configuration.

    The daemon itself is started with: twistd -n cmdserver
    """


@main.group(no_args_is_help=True)
@common_options
def user() -> None:
    """Add, change, remove and list users."""


@main.group(no_args_is_help=True)
@common_options
def key() -> None:
    """Let people in by their SSH keys."""


@main.group(no_args_is_help=True)
@common_options
def token() -> None:
    """Let programs in by bearer tokens."""


_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)


@user.command("add")
@click.argument("name", type=NEW_NAME)
@_password_option
@common_options
@click.pass_context
def user_add(ctx: click.Context, name: str, *, password_stdin: bool) -> None:
    """Add the user NAME, with a password."""
    with open_files(ctx) as files:
        if name in files.passwords():
            raise CredentialError(
                f"there is a user {name} already; to change the password: cmdserver user passwd {name}"
            )
    hashed = _ask_password(password_stdin)
    with open_files(ctx) as files:
        files.add_user(name, hashed)
    _note_missing_role(ctx, name)


@user.command("passwd")
@click.argument("name", type=NAME)
@_password_option
@common_options
@click.pass_context
def user_passwd(ctx: click.Context, name: str, *, password_stdin: bool) -> None:
    """Change the password of the user NAME."""
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
    """Remove the user NAME: password, keys and tokens."""
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
        width = max(map(len, names), default=0)
        for name in names:
            has = ["password"] if name in passwords else []
            has += _counted(len(files.keys(name)), "key")
            has += _counted(sum(each.name == name for each in tokens), "token")
            roles = " ".join(_roles(settings, name)) or "(none)"
            click.echo(f"{name:<{width}}  {', '.join(has)}; roles: {roles}")
        for complaint in files.complaints():
            _note(complaint)


@key.command("add")
@click.argument("name", type=NEW_NAME)
@click.argument("file", type=click.File("rb"), default="-")
@common_options
@click.pass_context
def key_add(ctx: click.Context, name: str, file: BinaryIO) -> None:
    """Let the holder of a key in as the user NAME.

    FILE is a public key (id_ed25519.pub, say) or several, one a line, with options as in OpenSSH's authorized_keys;
    without FILE, standard input is read.
    """
    if file.isatty():
        _note("waiting for the public key on standard input")
    try:
        text = decode_leniently(file.read(_MOST_KEY_BYTES))
    except NotUTF8 as error:
        raise Trouble(f"the key {error}") from error
    with open_files(ctx) as files:
        for each in files.add_keys(name, text):
            click.echo(f"{name}: {each.kind} {each.fingerprint} {printable_line(each.comment)}".rstrip())
    _note_missing_role(ctx, name)


@token.command("add")
@click.argument("name", type=NEW_NAME)
@click.option("--expires", type=Reads("time", future), help="Until when, as in 2027-01-31T00:00:00Z; else for ever.")
@click.option(
    "--from", "sources", type=Reads("nets", parse_networks), help="From where: 10.0.0.0/8,::1; else from anywhere."
)
@click.option(
    "--commands", type=Reads("names", parse_commands), help="For what: uptime,df; else for all that NAME may run."
)
@common_options
@click.pass_context
def token_add(
    ctx: click.Context, name: str, expires: datetime | None, sources: Sources | None, commands: frozenset[str] | None
) -> None:
    """Make a token that lets its holder in as the user NAME, and print it: it is not kept and cannot be shown again."""
    settings = read_settings(ctx)
    for command in sorted((commands or frozenset()) - settings.commands.keys()):
        _note(f"there is no command {command} in the configuration")
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    with open_files(ctx) as files:
        files.add_token(
            Token(name=name, sha256=token_digest(secret), expires=expires, sources=sources, commands=commands)
        )
    click.echo(secret)
    _note_missing_role(ctx, name)


@main.command()
@common_options
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the configuration, as twistd cmdserver --check does."""
    read_configuration(ctx, "--check")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=CALLER_NAME)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@common_options
@click.pass_context
def explain(ctx: click.Context, name: str, command: tuple[str, ...]) -> None:
    """Tell what would run if NAME asked for COMMAND, as whom, with which limits, and by which rule.

    NAME is a user's, "anonymous" for callers without login, "schedule" or "hook:NAME". Nothing is run. The exit status
    is 1 if they would be refused.
    """
    configuration = read_configuration(ctx)
    policy = Policy(configuration.commands, configuration.roles)
    caller = suppose(None if name == ANONYMOUS else name)
    try:
        grant = policy.require(caller, command)
    except Refusal as refusal:
        click.echo(rendering.error_text(refusal).decode(), err=True, nl=False)
        _note(f"the roles of {name}: {' '.join(policy.roles_of(caller)) or '(none)'}")
        _note(f"{name} may run: {' '.join(each.name for each in policy.allowed(caller)) or '(nothing)'}")
        ctx.exit(1)
    click.echo(rendering.explanation_text(grant, policy.rule_for(caller, grant)).decode(), nl=False)


def _ask_password(is_on_stdin: bool) -> bytes:  # noqa: FBT001 - a flag of the command line
    """Get a new password and hash it."""
    if is_on_stdin:
        # A pipe of PowerShell's begins with a byte order mark, which nobody has typed.
        line = without_mark(sys.stdin.buffer.readline())
        password = line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="surrogateescape")
    elif sys.stdin.isatty():
        password = click.prompt("New password", hide_input=True, confirmation_prompt="Again", err=True)
    else:
        raise Trouble("standard input is no terminal to ask for a password; use --password-stdin")
    try:
        return hash_password(password)
    except ValueError as error:
        raise Trouble(str(error)) from error


def _roles(settings: Settings, name: str) -> list[str]:
    return [role for role, each in settings.roles.items() if each and name in each.users]


def _note_missing_role(ctx: click.Context, name: str) -> None:
    if not _roles(read_settings(ctx), name):
        _note(f"no role lists {name}, who may run what every logged-in caller may and nothing else")


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}" if count == 1 else f"{count} {what}s"] if count else []


def _note(text: str) -> None:
    click.echo(f"cmdserver: note: {text}", err=True)
