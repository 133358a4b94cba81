"""A configuration for tests of lint, which is clean."""

from collections.abc import Sequence

from cmdserver.config.host import AnotherHost
from cmdserver.config.loading import Source, configure
from cmdserver.lint.facts import NOTHING_KNOWN, HostFacts
from cmdserver.lint.linting import Linter, placed

LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "optional"\n'
COMMANDS = (
    '[commands.uptime]\nrun = ["uptime"]\nread_only = true\n'
    '[commands.restart]\nrun = ["systemctl", "restart", "nginx"]\n'
)
ROLES = '[roles.staff]\nusers = ["ann"]\ncommands = ["*"]\n'


class SomeHost(AnotherHost):
    """A host where the daemon is no root, and all programs are."""

    def user(self) -> str:
        return "daemon"

    def user_name(self, uid: int) -> str:
        return "daemon"

    def executable(self, name: str) -> str:
        return name if name.startswith("/") else f"/usr/bin/{name}"


def lines(text: str, facts: HostFacts = NOTHING_KNOWN) -> Sequence[str]:
    """Lint a file, and list what is printed."""
    source = Source(path="/x.toml", text=text)
    configuration = configure(source, SomeHost(), lambda _: None)
    return [str(each) for each in placed(Linter(configuration).findings(facts), source)]


def lines_of_command(keys: str, facts: HostFacts = NOTHING_KNOWN) -> Sequence[str]:
    """Lint a file that is clean but for one command, which has these keys."""
    keys = keys.replace("commands.NAME", "commands.x")
    return lines(f"{LISTEN}{COMMANDS}{ROLES}[commands.x]\n{keys}\n", facts)


def rules_of(found: Sequence[str]) -> list[str]:
    """List the names of rules behind lines."""
    return [each.rpartition("[")[2].removesuffix("]") for each in found]
