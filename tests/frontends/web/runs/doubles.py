"""Somebody who looks at runs over HTTP."""

import json
from base64 import b64encode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Caller, Command, Role
from cmdserver.core.run_states import OnDisconnect
from cmdserver.dispatch.policy import Policy
from tests.frontends.web.doubles import Client, WebComposition
from tests.running_doubles import command, user
from tests.runs.doubles import MemoryHistory

ADA = "Basic " + b64encode(b"ada:right").decode()
UPTIME, BACKUP = command(), command("backup", read_only=False, on_disconnect=OnDisconnect.CONTINUE, title="Back up")
COMMANDS = (UPTIME, BACKUP)


def roles(*, sees: tuple[str, ...] = ("*",), stops: tuple[str, ...] = (), runs: tuple[str, ...] = ("*",)) -> list[Role]:
    """Let ada run, see and stop what is said, and guy everything of his own."""
    return [
        Role(name="anonymous", patterns=("uptime",), users=frozenset()),
        Role(name="staff", patterns=runs, users=frozenset({"ada"}), sees=sees, stops=stops),
        Role(name="others", patterns=("*",), users=frozenset({"guy"})),
    ]


def events(client: Client) -> list[tuple[str, Any]]:
    """Read what a client was told."""
    blocks = [block for block in client.response.text.split("\n\n") if block and not block.startswith(":")]
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(each["event"], json.loads(each["data"])) for each in fields]


class RunsTestCase(SynchronousTestCase):
    """A web listener whose ada sees the runs of others; to be subclassed."""

    def setUp(self) -> None:
        self.history = MemoryHistory()
        self.composition = WebComposition(self, *COMMANDS, history=self.history, queued=2000)
        self.reload()

    def reload(self, *commands: Command, **differences: tuple[str, ...]) -> None:
        """Go by other roles from now on."""
        self.composition.dispatcher.reconfigure(Policy(commands or COMMANDS, roles(**differences), ["tcp:2023"]))

    def start(self, name: str = "uptime", caller: Caller | None = None) -> str:
        """Have a command run for nobody who waits; return its id."""
        dispatcher = self.composition.dispatcher
        return self.successResultOf(dispatcher.start(dispatcher.authorize(caller or user("guy"), [name]))).id

    def ask(self, target: str = "/-/runs", method: str = "GET", **headers: str) -> Client:
        """Let ada ask for something."""
        return self.composition.ask_for(target, method, **{"authorization": ADA, **headers})
