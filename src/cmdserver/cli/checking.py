"""``cmdserver check``: whether a configuration is good; with ``--lint`` what it allows and perhaps does not mean."""

import click

from cmdserver.cli.access import read_as_daemon
from cmdserver.cli.command_line import common_options


@click.command()
@click.option("--lint", "is_linted", is_flag=True, help="Say as well what is allowed and perhaps not meant.")
@common_options
@click.pass_context
def check(ctx: click.Context, *, is_linted: bool) -> None:
    """Check the configuration.

    Every mistake is printed with its place; without mistakes, what is without effect. The exit status is 1 if there is
    a mistake. twistd cmdserver --check does the same.

    With --lint, standard output has what the file allows and perhaps does not mean, a line each, with the rule's name
    at its end: FILE:LINE: KEY: text [NAME]. A command, role or listener that means it says allow = ["NAME"]. The exit
    status stays 0.

    \b
    cmdserver check --config my.toml
    cmdserver check --lint --config my.toml
    """
    if not is_linted:
        read_as_daemon(ctx, "--check")
        return
    from cmdserver.config.host import Host  # noqa: PLC0415 - what only lint needs
    from cmdserver.lint import file_facts  # noqa: PLC0415
    from cmdserver.lint.linting import Linter, placed, without_told  # noqa: PLC0415

    daemon = read_as_daemon(ctx, looks_at_state=True)
    linter = Linter(daemon.configuration)
    findings = placed(linter.findings(file_facts.gather(linter.paths(), Host())), daemon.source)
    warnings = without_told(daemon.configuration.warnings, daemon.configuration)
    for warning in warnings:
        click.echo(str(warning), err=True)
    for finding in findings:
        click.echo(str(finding))
    counted = "nothing" if not findings else f"{len(findings)} thing{'s' if len(findings) > 1 else ''}"
    click.echo(f"{daemon.summary(warnings)}; lint has {counted} to say", err=True)
