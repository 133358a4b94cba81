"""One host of the playground: a network namespace, and the programs that run there."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.integration.daemon import clean_environment
from tests.waiting import LIMIT_SECONDS, wait_until


class Host:
    """A network namespace, and what runs there.

    Args:
        name: In the playground.
        network: Whose name the namespace's begins with.
    """

    def __init__(self, name: str, network: str) -> None:
        self.name = name
        self.namespace = f"{network}-{name}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def command(self, words: Sequence[str]) -> list[str]:
        """Say how a program is started there; it has the process id of what this starts."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, words: Sequence[str], *, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program there to its end, with a text on its standard input."""
        return subprocess.run(
            self.command(words), input=text, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
            env=clean_environment(),
        )  # fmt: skip

    def popen(
        self, words: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program there, with all that it says in a file; it ends with the playground at the latest."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command(words), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=clean_environment(environment), start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def serve(self, words: Sequence[str], log: Path, *sockets: str) -> subprocess.Popen[bytes]:
        """Start a server there, and wait until it has opened its ports.

        Args:
            words: The server.
            log: What it says.
            sockets: Such as ``tcp:25``; by whatever family.
        """
        process = self.popen(words, log)
        wait_until(
            lambda: process.poll() is not None or all(_is_open(process.pid, each) for each in sockets),
            f"{words[0]} listens",
        )
        assert process.poll() is None, f"{words} ended:\n{log.read_text('utf-8', errors='replace')}"
        return process

    def end(self) -> None:
        """End what was started there, the last first, with its children."""
        while self._processes:
            process = self._processes.pop()
            if process.poll() is not None:
                continue  # and somebody else may have its number
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _is_open(pid: int, where: str) -> bool:
    """Whether somebody listens at a port of the namespace of a process (proc(5))."""
    kind, _, port = where.partition(":")
    # Listening, or of UDP: not connected.
    needle = re.compile(rf":{int(port):04X} [0:]+ {'0A' if kind == 'tcp' else '07'}\b")
    with suppress(FileNotFoundError, ProcessLookupError):
        tables = [Path(f"/proc/{pid}/net/{kind}{version}").read_text("ascii") for version in ("", "6")]
        return any(needle.search(each) for each in tables)
    return False
