"""``cmdserver totp``: give users a second factor, and take it away."""

import os
import socket
import sys
import time

import click

from cmdserver.auth.second_factors.enrolment_file import EnrolmentFile
from cmdserver.auth.second_factors.enrolments import Enrolment, new_recovery_codes, new_secret, recovery_digest
from cmdserver.cli.access import open_files, read_settings
from cmdserver.cli.command_line import Trouble, common_options
from cmdserver.cli.notes import note
from cmdserver.cli.parameters import NAME

#: Wrong codes, after which nothing is changed.
_TRIES = 3


@click.group(no_args_is_help=True)
@common_options
def totp() -> None:
    """Ask users for a second factor.

    Whoever has one is asked for a code after the password, at every listener: six digits that an authenticator app
    makes of a secret and the time (TOTP, RFC 6238).
    """


@totp.command("add")
@click.argument("name", type=NAME)
@click.option("--replace", "may_replace", is_flag=True, help="Make a new one in place of the one that there is.")
@click.option("--no-confirm", is_flag=True, help="Do not ask for a first code.")
@common_options
@click.pass_context
def totp_add(ctx: click.Context, name: str, *, may_replace: bool, no_confirm: bool) -> None:
    """Give the user NAME a second factor.

    A QR code for an authenticator app is shown, and what it says. On a terminal a first code is asked for before
    anything is changed. Then ten recovery codes are printed, one a line: each is good once in place of a code. None of
    this can be shown again.

    \b
    cmdserver totp add ann
    cmdserver totp add ann --replace
    """
    _require_libraries()
    with open_files(ctx) as files:
        files.require_user(name)
        EnrolmentFile(files).require_none(name, may_replace=may_replace)
    secret = new_secret(os.urandom)
    _show(secret, name, f"cmdserver {_site(ctx)}")
    if sys.stdin.isatty() and not no_confirm:
        _confirm(secret)
    recovery = new_recovery_codes(os.urandom)
    with open_files(ctx) as files:
        enrolment = Enrolment(name=name, secret=secret, recovery=frozenset(map(recovery_digest, recovery)))
        EnrolmentFile(files).add(enrolment, may_replace=may_replace)
    note(f"{name} is asked for a code from the next login on; keep these recovery codes where the phone is not:")
    for code in recovery:
        click.echo(code)


@totp.command("remove")
@click.argument("name", type=NAME)
@common_options
@click.pass_context
def totp_remove(ctx: click.Context, name: str) -> None:
    """Take the second factor of the user NAME away.

    A password alone is enough from the next login on.
    """
    with open_files(ctx) as files:
        EnrolmentFile(files).remove(name)


def _require_libraries() -> None:
    """Say that one is missing before anything is done.

    Raises:
        Trouble: One is not installed.
    """
    try:
        import pyotp  # noqa: F401, PLC0415 - what one command needs is no part of the rest
        import segno  # noqa: F401, PLC0415 - the same
    except ImportError as error:
        raise Trouble(f"{error.name} is not installed; a second factor takes: pip install 'cmdserver[totp]'") from error


def _site(ctx: click.Context) -> str:
    return read_settings(ctx).site.name or socket.gethostname()


def _show(secret: str, name: str, issuer: str) -> None:
    """Print what an app reads: as a QR code, if somebody sees it, and as text."""
    import segno  # noqa: PLC0415 - see `_require_libraries`

    from cmdserver.auth.second_factors.codes import provisioning_uri  # noqa: PLC0415 - the same

    uri = provisioning_uri(secret, name, issuer)
    if sys.stdout.isatty():
        segno.make(uri, error="l", micro=False).terminal(out=sys.stdout, compact=True)
    click.echo(uri)


def _confirm(secret: str) -> None:
    """Make sure that the app has the secret, and that its clock is ours.

    Raises:
        Trouble: It seems not; nothing was changed.
    """
    from cmdserver.auth.second_factors.codes import matching_step  # noqa: PLC0415 - see `_require_libraries`

    for _ in range(_TRIES):
        code = click.prompt("Code", err=True)
        if matching_step(secret, code, time.time()) is not None:
            return
        note("that is not the code of now: look at the app, and at the clocks of phone and host")
    raise Trouble("nothing was changed")
