"""A daemon that takes part in a fleet, with its agent, wherever they run."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from tests.integration.daemon import Daemon, program
from tests.integration.logins import require_program
from tests.waiting import LIMIT_SECONDS


def make_key(file: Path, kind: str = "ed25519", *options: str) -> str:
    """Make a key of SSH; return the public half, type and key."""
    ssh_keygen = require_program("ssh-keygen")
    subprocess.run([ssh_keygen, "-q", "-t", kind, *options, "-N", "", "-f", str(file)], check=True)
    kind, key, *_ = file.with_name(f"{file.name}.pub").read_text("ascii").split()
    return f"{kind} {key}"


class AgentDaemon(Daemon):
    """A daemon with an agent.

    Args:
        directory: Empty, for this daemon alone.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.agent_log = directory / "agent.log"
        self._agent: subprocess.Popen[bytes] | None = None

    def agent_command(self) -> list[str]:
        """Say what starts the agent."""
        return [program("cmdserver-agent"), f"--config={self.config_file}", f"--state-dir={self.state_directory}"]

    def agent_said(self) -> str:
        """What the agent has told its administrator."""
        return self.agent_log.read_text("utf-8", errors="replace") if self.agent_log.exists() else ""

    def said(self) -> str:
        """Return what it and its agent have said."""
        return f"{self.log()}\n{self.agent_said()}"

    def end_agent(self) -> int:
        """Ask the agent to end, if there is one; return its exit status."""
        if self._agent is None:
            return 0
        if self._agent.poll() is None:
            self._agent.terminate()
        try:
            return self._agent.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()
            raise


Made = TypeVar("Made", bound=AgentDaemon)


@contextmanager
def looked_after(made: Made) -> Iterator[Made]:
    """See to it that at the end nothing is left of a daemon and its agent, and that neither has stumbled."""
    try:
        yield made
    finally:
        with ExitStack() as stack:
            stack.callback(made.end)
            status = made.end_agent()
    assert status == 0, (status, made.said())
    for stumbled in ("Traceback", "Unhandled", "sitecustomize", "never retrieved"):
        assert stumbled not in made.said(), made.said()
