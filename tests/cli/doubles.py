"""A host with a configuration, for tests of the command line."""

from collections.abc import Callable

from click.testing import Result

CONFIGURATION = """
[[listen]]
protocol = "line"
endpoint = "tcp:2022:interface=127.0.0.1"
login = "never"

[commands.uptime]
run = ["uptime"]

[commands.df]
run = ["df", "-h"]

[roles.anonymous]
commands = ["uptime"]

[roles.watchers]
users = ["ann"]
commands = ["d*"]
"""

Run = Callable[..., Result]

PASSWORD = "long enough"  # noqa: S105 - a test's


def done(result: Result) -> str:
    """Return what a run that did what it should has said on standard output."""
    assert (result.exit_code, result.exception) == (0, None), result.output
    return result.stdout
