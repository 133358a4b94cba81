"""The command ``cmdserver``, for the people who look after the daemon: users, keys, tokens, and what a rule means.

It changes files that the daemon reads at the next login, so it needs no connection to the daemon, nor the daemon to
run. What is asked for goes to standard output and everything else to standard error; the exit status is 1 for what
cannot be done and 2 for what was typed wrongly.
"""

import click

from cmdserver.auth.callers import suppose
from cmdserver.cli.access import read_configuration
from cmdserver.cli.audit.command import audit
from cmdserver.cli.checking import check
from cmdserver.cli.command_line import CommandLine, common_options
from cmdserver.cli.comparing import diff
from cmdserver.cli.completion import SHELLS, script
from cmdserver.cli.fleet.commands import ask, hosts
from cmdserver.cli.importing import import_
from cmdserver.cli.keys import key
from cmdserver.cli.notes import note
from cmdserver.cli.parameters import CALLER_NAME, COMMAND_WORD
from cmdserver.cli.second_factors import totp
from cmdserver.cli.tokens import token
from cmdserver.cli.users import user
from cmdserver.core.errors import Refusal
from cmdserver.core.names import ANONYMOUS
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.common import rendering


@click.group("cmdserver", cls=CommandLine, no_args_is_help=True)
@common_options
@click.version_option(package_name="cmdserver", prog_name="cmdserver", message="%(prog)s %(version)s")
def main() -> None:
    """Look after cmdserver: its users, their keys and tokens, its configuration.

    The daemon itself is started with twistd -n cmdserver. The exit status is 0, or 1 for what cannot be done, or 2 for
    what was typed wrongly.
    """


main.add_command(user)
main.add_command(key)
main.add_command(token)
main.add_command(totp)
main.add_command(import_)
main.add_command(audit)
main.add_command(check)
main.add_command(diff)
main.add_command(ask)
main.add_command(hosts)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=CALLER_NAME)
@click.argument("command", nargs=-1, required=True, type=COMMAND_WORD)
@common_options
@click.pass_context
def explain(ctx: click.Context, name: str, command: tuple[str, ...]) -> None:
    """Tell what would run if NAME asked for COMMAND.

    It says as whom, with which limits, and by which rule. NAME is a user's, "anonymous" for callers without login,
    "schedule" or "hook:NAME". Nothing is run. The exit status is 1 if they would be refused.

    \b
    cmdserver explain ann restart unit=nginx
    cmdserver explain anonymous df
    """
    configuration = read_configuration(ctx)
    policy = Policy(configuration.commands, configuration.roles)
    caller = suppose(None if name == ANONYMOUS else name)
    try:
        grant = policy.require(caller, command)
    except Refusal as refusal:
        click.echo(rendering.error_text(refusal).decode(), err=True, nl=False)
        note(f"the roles of {name}: {' '.join(policy.roles_of(caller)) or '(none)'}")
        note(f"{name} may run: {' '.join(each.name for each in policy.allowed(caller)) or '(nothing)'}")
        ctx.exit(1)
    click.echo(rendering.explanation_text(grant, policy.rule_for(caller, grant)).decode(), nl=False)


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
@common_options
def completion(shell: str) -> None:
    """Print what has SHELL complete words of this command.

    Names of users, commands, labels and fingerprints are completed, too. It is for the shell's start-up file, or a
    file where the shell looks for completions.

    \b
    eval "$(cmdserver completion bash)"
    eval "$(cmdserver completion zsh)"
    cmdserver completion fish | source
    """
    click.echo(script(shell, main))


if __name__ == "__main__":
    # So that there is help and completion where the program is not installed yet, as while a package is made.
    main(prog_name="cmdserver")
