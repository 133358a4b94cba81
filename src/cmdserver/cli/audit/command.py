"""The group of commands ``cmdserver audit``."""

import click

from cmdserver.cli.audit.show import show
from cmdserver.cli.audit.verify import verify
from cmdserver.cli.command_line import common_options


@click.group(no_args_is_help=True)
@common_options
def audit() -> None:
    """Look at the audit file: who has asked for what, and whether nobody has changed it since."""


audit.add_command(show)
audit.add_command(verify)
