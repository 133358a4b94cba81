"""``cmdserver ask`` and ``cmdserver hosts``, as people type them."""

import sys
from typing import Any, Final

import click

from cmdserver.cli.command_line import common_options
from cmdserver.cli.fleet.options import AskOptions, CallerOptions, fleet_options, needing_extra, pick
from cmdserver.cli.parameters import COMMAND_WORD

_ANSWER_SECONDS: Final = 60.0
_ROLL_CALL_SECONDS: Final = 2.0
_SECONDS: Final = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("command", type=COMMAND_WORD)
@click.argument("value", nargs=-1)
@click.option("--hosts", multiple=True, metavar="GLOB", help="Whom, among known hosts: 'web-*,db-1'; else everybody.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only those with this fact, of those who answer.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", default=None, help="So many at once; else all.")
@click.option("--wait", type=click.FloatRange(min=0), metavar="S", default=0, help="Seconds between two batches.")
@click.option(
    "--timeout", type=_SECONDS, metavar="S", default=_ANSWER_SECONDS, show_default=True,
    help="Seconds to wait for answers.",
)  # fmt: skip
@click.option("--fail-fast", is_flag=True, help="Ask and wait no more as soon as a host does not answer ok.")
@click.option("--output", is_flag=True, help="Show all output, each line behind its host's name.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--jsonl", "is_jsonl", is_flag=True, help="Print a JSON object a line, as answers come.")
@fleet_options
@common_options
@click.pass_context
def ask(ctx: click.Context, /, command: str, value: tuple[str, ...], **options: Any) -> None:
    """Ask the hosts of a fleet to run COMMAND, and say of each what came of it.

    Each host decides by its own configuration what you may run there, as if you had logged in with your SSH key, which
    signs the question. VALUE is given to the command: values in the order of its parameters, or NAME=VALUE; one that
    begins with a dash stands behind --. Expected are the known hosts: who of them does not answer is named at the end.
    The exit status is 0 only if all that are expected have answered ok.

    \b
    cmdserver ask uptime
    cmdserver ask --hosts 'web-*' --batch 2 --fail-fast restart unit=nginx
    """
    manner = pick(options, AskOptions)
    if manner.is_json and manner.is_jsonl:
        raise click.UsageError("--json and --jsonl are two ways to print, and one is enough")
    with needing_extra():
        from cmdserver.cli.fleet import ask as asking  # noqa: PLC0415 - see `needing_extra`
    sys.exit(asking.ask(ctx, command, value, manner, pick(options, CallerOptions)))


@click.command()
@click.option("--hosts", multiple=True, metavar="GLOB", help="Whom: 'web-*,db-1'; else everybody.")
@click.option(
    "--accept-new", is_flag=True, help="Add hosts that are not known to the known hosts; compare the fingerprints!"
)
@click.option(
    "--timeout", type=_SECONDS, metavar="S", default=_ROLL_CALL_SECONDS, show_default=True,
    help="Seconds to wait for answers.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@fleet_options
@common_options
@click.pass_context
def hosts(ctx: click.Context, /, *, accept_new: bool, is_json: bool, **options: Any) -> None:
    """Say which hosts of a fleet are there, since when, with which version and facts, and who is missing.

    Whose answer cannot be verified is listed as unverified, with the fingerprint of the key that it shows. With
    --accept-new such hosts become known, if no other key is known for their name: that is the moment to compare the
    fingerprints with what ssh-keygen -lf ssh_host_ed25519_key.pub says on the host. The exit status is 0 only if there
    are known hosts, and all of them are there.

    \b
    cmdserver hosts
    cmdserver hosts --accept-new
    """
    with needing_extra():
        from cmdserver.cli.fleet import hosts as calling  # noqa: PLC0415 - see `needing_extra`
    given, globs, seconds = pick(options, CallerOptions), options["hosts"], options["timeout"]
    sys.exit(calling.hosts(ctx, globs, seconds, given, accepts_new=accept_new, is_json=is_json))
