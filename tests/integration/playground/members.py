"""Hosts of the playground that have a daemon, some also an agent, and somebody who asks them all."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.integration.client import Address
from tests.integration.daemon import program
from tests.integration.logins import companion
from tests.integration.member import AgentDaemon, looked_after, make_key
from tests.integration.playground.host import Host
from tests.integration.playground.services import Authority, BusUser
from tests.integration.signed import AT_ONCE

#: What the fleet is called.
FLEET: Final = "prod"
#: As the daemon would make it.
_HOST_KEY: Final = "ssh_host_ed25519_key"


class Member(AgentDaemon):
    """A daemon on a host of the playground; where nobody logs in is a socket, whatever the network is like.

    Args:
        directory: Empty, for this daemon alone, with a short name.
        host: Where it is.
    """

    def __init__(self, directory: Path, host: Host) -> None:
        super().__init__(directory)
        self.host = host

    @property
    def address(self) -> Address:
        return str(self.directory / "door")

    def endpoint(self, interface: str = "") -> str:
        return f"unix:{self.address}"

    def command_line(self, *options: str) -> list[str]:
        return self.host.command(super().command_line(*options))

    def start_soon(self) -> None:
        """Start it with nothing refused because it is new."""
        self.start(environment=self.with_constants(AT_ONCE))

    def make_host_key(self) -> str:
        """Make what it signs its answers with; return the public half."""
        self.state_directory.mkdir(mode=0o700, exist_ok=True)
        return make_key(self.state_directory / _HOST_KEY)

    def start_agent(self) -> subprocess.Popen[bytes]:
        """Start what connects it to the bus."""
        self._agent = self.host.popen(self.agent_command(), self.agent_log)
        return self._agent


@contextmanager
def member(directory: Path, host: Host) -> Iterator[Member]:
    """Make a daemon that is not started; at the end nothing is left of it, and it has not stumbled."""
    directory.mkdir()
    with looked_after(Member(directory, host)) as made:
        yield made


def fleet_table(server: Mapping[str, str], user: BusUser, authority: Authority, **more: str) -> dict[str, str]:
    """Say a ``[fleet]``: where the bus is, and as whom to come there."""
    return {"name": FLEET, "credentials": str(user.seed_file), "ca": str(authority.file), **server, **more}


@dataclass(frozen=True)
class Caller:
    """Somebody with a key, somewhere in the playground, who may use the bus."""

    name: str
    host: Host
    #: With the key, the configuration and the hosts that are known.
    place: Path

    def prepare(self, fleet: Mapping[str, str], members: Mapping[str, Member]) -> None:
        """Write the files, make the key, and have all members let it in."""
        self.place.mkdir()
        make_key(self._identity)
        for each in members.values():
            companion(each, "key", "add", self.name, f"{self._identity}.pub")
        keys = [f"{name} {each.make_host_key()}\n" for name, each in members.items()]
        self._known_hosts.write_text("".join(keys), "ascii")
        lines = ["[fleet]", *(f"{key} = {json.dumps(value)}" for key, value in fleet.items()), ""]
        self._configuration.write_text("\n".join(lines), "ascii")

    def ask(self, *words: str, seconds: int) -> "Asked":
        """Ask all hosts that are known.

        Args:
            words: The command, with its values and options.
            seconds: How long to wait for the slowest.
        """
        done = self.host.run(
            [
                *(program("cmdserver"), "ask", "--json", "--timeout", str(seconds)),
                *("--config", str(self._configuration), "--known-hosts", str(self._known_hosts)),
                *("--identity", str(self._identity), "--user", self.name, *words),
            ]
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Asked(done.returncode, done.stdout, done.stderr)

    @property
    def _identity(self) -> Path:
        return self.place / "id_ed25519"

    @property
    def _known_hosts(self) -> Path:
        return self.place / "known_hosts"

    @property
    def _configuration(self) -> Path:
        return self.place / "cmdserver.toml"


@dataclass(frozen=True)
class Asked:
    """What came of a question to all."""

    status: int
    output: str
    errors: str

    @property
    def summary(self) -> dict[str, Any]:
        """Return how many have answered, and who has not."""
        assert self.output, self.errors
        summary = json.loads(self.output)["summary"]
        assert isinstance(summary, dict)
        return summary

    @property
    def answers(self) -> dict[str, dict[str, Any]]:
        """Return the answers, by the names of the hosts."""
        return {each["host"]: each["answer"] for each in json.loads(self.output)["hosts"] if each.get("answer")}
