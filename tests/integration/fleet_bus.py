"""A fleet on this host: a bus that can be ended, frozen and started again, daemons, agents, and who asks them.

Besides, who is not to be trusted: somebody on the bus who writes what they like, and a bus that is none.
"""

import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.request import urlopen

from tests.integration.daemon import clean_environment, free_port, is_listening, program, with_constants
from tests.integration.logins import companion, require_program
from tests.integration.member import AgentDaemon, looked_after, make_key
from tests.integration.signed import AT_ONCE
from tests.waiting import LIMIT_SECONDS, wait_until

FLEET: Final = "prod"
#: The agent's pauses and patience, in seconds, so that tests are short.
IMPATIENT: Final[Mapping[str, float]] = {
    "cmdserver.fleet.bus._PING_SECONDS": 1,
    "cmdserver.fleet.bus._MOST_PINGS": 1,
    "cmdserver.fleet.bus._LONGEST_PAUSE": 1.0,
    "cmdserver.fleet.agent.serving._DRAIN_SECONDS": 1.0,
}
_INFO: Final = {"server_id": "x", "version": "2.9.10", "proto": 1, "max_payload": 1 << 20, "headers": True}


class Bus:
    """NATS' own server, on a port that stays the same.

    Args:
        directory: For its files.
        settings: More of its configuration.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object] | None = None) -> None:
        self.port = free_port()
        self._log = directory / "bus.log"
        self._monitor = free_port()
        self._file = directory / "bus.conf"
        listen = {"host": "127.0.0.1", "port": self.port, "http": f"127.0.0.1:{self._monitor}"}
        self._file.write_text(json.dumps({**listen, **(settings or {})}), "ascii")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it is."""
        return "127.0.0.1", self.port

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [require_program("nats-server"), "-c", str(self._file)], stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(lambda: is_listening(self.address), "the bus listens")

    def subscribers(self) -> int:
        """Count the connections that have subscribed to something."""
        with urlopen(f"http://127.0.0.1:{self._monitor}/connz", timeout=LIMIT_SECONDS) as answer:
            return sum(each["subscriptions"] > 0 for each in json.load(answer)["connections"])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(LIMIT_SECONDS)


class Member(AgentDaemon):
    """One that is started here.

    Args:
        directory: Empty, for this daemon alone.
        name: In the fleet.
    """

    def __init__(self, directory: Path, name: str) -> None:
        super().__init__(directory)
        self.name = name

    def start_agent(
        self, environment: Mapping[str, str] | None = None, constants: Mapping[str, float] | None = None
    ) -> None:
        """Start what connects it to the bus."""
        more = with_constants(self.directory / "agent-constants", constants) if constants else {}
        with self.agent_log.open("ab") as log:
            self._agent = subprocess.Popen(
                self.agent_command(),
                env=clean_environment({**more, **(environment or {})}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def agent(self) -> subprocess.Popen[bytes]:
        """The agent's process."""
        assert self._agent is not None, "the agent was not started"
        return self._agent

    def wait_for_agent(self, text: str, times: int = 1) -> None:
        """Wait until the agent has said something so many times."""

        def has_said() -> bool:
            assert self.agent.poll() is None, self.agent_said()
            return self.agent_said().count(text) >= times

        wait_until(has_said, f"{text!r} in the agent's log")

    def agent_memory(self, what: str = "VmRSS") -> int:
        """How much memory the agent uses, in bytes."""
        return memory_of(self.agent.pid, what)

    def agent_ticks(self) -> int:
        """How much of a processor the agent has used, in hundredths of a second."""
        fields = Path(f"/proc/{self.agent.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def memory_of(pid: int, what: str = "VmRSS") -> int:
    """How much memory a process uses, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {what}")


@dataclass(frozen=True)
class Asked:
    """What came of ``cmdserver ask`` or ``cmdserver hosts``."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        """What it has printed, if that is one JSON object."""
        assert self.output, self
        parsed = json.loads(self.output)
        assert isinstance(parsed, dict)
        return parsed

    @property
    def summary(self) -> dict[str, Any]:
        """How many have answered, and who has not."""
        summary = self.json["summary"]
        assert isinstance(summary, dict)
        return summary

    @property
    def states(self) -> dict[str, str]:
        """What came of each host."""
        return {each["host"]: each["state"] for each in self.json["hosts"]}


class Caller:
    """Somebody who asks, with a home, a key, and hosts that they know.

    Args:
        home: Empty.
        name: As the hosts know them.
    """

    def __init__(self, home: Path, name: str) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.name = name
        self.known_hosts = home / ".config/cmdserver/known_hosts"
        self.configuration = home / ".config/cmdserver/cmdserver.toml"
        self.identity = home / ".ssh/id_ed25519"
        self.configuration.parent.mkdir(parents=True)
        self.identity.parent.mkdir()
        make_key(self.identity)

    def configure(self, **fleet: str) -> None:
        """Say where the bus is."""
        lines = ["[fleet]", *(f"{key} = {json.dumps(value)}" for key, value in fleet.items())]
        self.configuration.write_text("\n".join(lines) + "\n", "utf-8")

    def know(self, keys: Mapping[str, str]) -> None:
        """Write the keys of hosts down."""
        self.known_hosts.write_text("".join(f"{name} {key}\n" for name, key in keys.items()), "ascii")

    def environment(self, **more: str) -> dict[str, str]:
        """Say what their programs see."""
        clean = clean_environment({"HOME": str(self.home), "LOGNAME": self.name, **more})
        for name in ("XDG_CONFIG_HOME", "SSH_AUTH_SOCK"):
            if name not in more:
                clean.pop(name, None)
        return clean

    def command(self, *words: str) -> list[str]:
        """Say what to start."""
        return [program("cmdserver"), *words]

    def run(self, *words: str, **environment: str) -> Asked:
        """Run ``cmdserver`` to its end."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Asked(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, **how: Any) -> subprocess.Popen[str]:
        """Start ``cmdserver``."""
        return subprocess.Popen(
            self.command(*words),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
        )


@dataclass(frozen=True)
class Fleet:
    """All that belongs to one."""

    #: For files of the tests' own.
    place: Path
    bus: Bus
    members: Mapping[str, Member]
    ann: Caller
    #: Each member's public key.
    keys: Mapping[str, str]

    def ask(self, *words: str, **environment: str) -> Asked:
        """Have ann ask."""
        return self.ann.run("ask", *words, **environment)

    def said(self) -> str:
        """What all have said."""
        return "\n".join(f"{name}:\n{each.log()}\n{each.agent_said()}" for name, each in self.members.items())

    def wait_for_agents(self, times: int = 1) -> None:
        """Wait until all agents have connected so many times."""
        for each in self.members.values():
            each.wait_for_agent("connected to the bus", times)


@contextmanager
def member(directory: Path, name: str) -> Iterator[Member]:
    """Make a daemon with an agent, neither started; at the end nothing is left, and nobody has stumbled."""
    directory.mkdir()
    with looked_after(Member(directory, name)) as made:
        yield made


@contextmanager
def fleet_of(
    directory: Path,
    names: Sequence[str],
    commands: Mapping[str, Mapping[str, object]],
    *,
    limits: Mapping[str, object] | None = None,
    bus: Mapping[str, object] | None = None,
    constants: Mapping[str, float] | None = None,
    agent_constants: Mapping[str, float] | None = None,
    with_agents: bool = True,
    servers: Callable[[str, int], Mapping[str, str]] = lambda _, port: {"server": f"nats://127.0.0.1:{port}"},
) -> Iterator[Fleet]:
    """Start a bus, daemons and agents; ann may ask everything, and bob only what begins with ``up``."""
    with ExitStack() as stack:
        server = Bus(directory, bus)
        stack.callback(server.kill)
        server.start()
        ann = Caller(directory / "ann", "ann")
        ann.configure(name=FLEET, **servers("ann", server.port))
        members, keys = {}, {}
        for name in names:
            each = members[name] = stack.enter_context(member(directory / name, name))
            each.configure(
                commands,
                roles={"asker": {"commands": ["*"], "users": ["ann"]}, "bobs": {"commands": ["up*"], "users": ["bob"]}},
                limits=limits,
                fleet={
                    **servers(name, server.port),
                    "name": FLEET,
                    "host": name,
                    "facts": {"kind": name.partition("-")[0], "number": name.partition("-")[2]},
                },
            )
            each.state_directory.mkdir(mode=0o700)
            keys[name] = make_key(each.state_directory / "ssh_host_ed25519_key")
            companion(each, "key", "add", "ann", f"{ann.identity}.pub")
        ann.know(keys)
        for each in members.values():
            each.start(environment=each.with_constants({**AT_ONCE, **(constants or {})}))
        fleet = Fleet(directory, server, members, ann, keys)
        if with_agents:
            for each in members.values():
                each.start_agent(constants=agent_constants)
            fleet.wait_for_agents()
        yield fleet


class Intruder:
    """Somebody on the bus, who speaks its protocol by hand, so that nothing keeps them from writing what they like.

    Args:
        address: Of the bus.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.connection = socket.create_connection(address, LIMIT_SECONDS)
        self._buffer = bytearray()
        self._line()
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1}
        self.send(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        assert self._line() == b"PONG"
        self._subscriptions = 0

    def send(self, text: bytes) -> None:
        """Write bytes."""
        self.connection.sendall(text)

    def subscribe(self, subject: str) -> None:
        """Listen, from now on."""
        self._subscriptions += 1
        self.send(f"SUB {subject} {self._subscriptions}\r\n".encode())
        self.flush()

    def publish(
        self,
        subject: str | bytes,
        headers: Mapping[str, str] | bytes,
        body: bytes = b"",
        reply: str | bytes = b"",
    ) -> None:
        """Send a message, with headers, or what stands in their place."""
        raw = (
            headers
            if isinstance(headers, bytes)
            else "".join(["NATS/1.0\r\n", *(f"{key}: {value}\r\n" for key, value in headers.items()), "\r\n"]).encode()
        )
        subject, reply = (each.encode() if isinstance(each, str) else each for each in (subject, reply))
        sizes = f"{len(raw)} {len(raw) + len(body)}".encode()
        self.send(b" ".join(filter(None, [b"HPUB", subject, reply, sizes])) + b"\r\n" + raw + body + b"\r\n")

    def flush(self) -> None:
        """Wait until the bus has taken all of it; messages that come meanwhile are left for later."""
        self.send(b"PING\r\n")
        kept = bytearray()
        while (line := self._line()) != b"PONG":
            kept += line + b"\r\n"
            if line.startswith((b"MSG", b"HMSG")):
                kept += self._take(int(line.split()[-1]) + 2)
        self._buffer[:0] = kept

    def receive(self, seconds: float = LIMIT_SECONDS) -> tuple[str, str, dict[str, str], bytes] | None:
        """Wait for a message: its subject, where to answer it, headers and body; None: there was none in that time."""
        self.connection.settimeout(seconds)
        try:
            while not (line := self._line()).startswith((b"MSG", b"HMSG")):
                if line == b"PING":
                    self.send(b"PONG\r\n")
        except TimeoutError:
            return None
        finally:
            self.connection.settimeout(LIMIT_SECONDS)
        verb, subject, _, *rest = line.split()
        count = 1 if verb == b"MSG" else 2
        reply = rest[0].decode() if len(rest) > count else ""
        whole = self._take(int(rest[-1]) + 2)[:-2]
        size = int(rest[-2]) if verb == b"HMSG" else 0
        first, *lines = whole[:size].decode("latin-1").split("\r\n")
        pairs = (each.partition(":") for each in lines if each)
        headers = {name: value.strip() for name, _, value in pairs}
        if status := first.removeprefix("NATS/1.0").strip():
            headers["Status"] = status
        return subject.decode("latin-1"), reply, headers, whole[size:]

    def ask(self, subject: str, headers: Mapping[str, str] | bytes, body: bytes = b"") -> str:
        """Send a message, and listen for what comes back; return where."""
        inbox = f"_INBOX.cmdserver.mallory.{secrets.token_hex(8)}"
        self.subscribe(inbox)
        self.publish(subject, headers, body, inbox)
        return inbox

    def close(self) -> None:
        """Leave."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._read()
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer[:] = rest
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._read()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _read(self) -> None:
        data = self.connection.recv(1 << 20)
        if not data:
            raise ConnectionResetError("the bus has closed the connection")
        self._buffer += data


class Talk:
    """One connection to a bus that is none.

    Args:
        connection: To whoever has come.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        #: All that they have said.
        self.heard = bytearray()

    def send(self, text: bytes) -> None:
        """Write bytes."""
        self.connection.sendall(text)

    def info(self, **more: object) -> None:
        """Say what a bus says first."""
        self.send(b"INFO " + json.dumps({**_INFO, **more}).encode() + b"\r\n")

    def hears(self, text: bytes, times: int = 1) -> None:
        """Read until they have said something."""
        while self.heard.count(text) < times:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionResetError
            self.heard += data

    def welcome(self, **more: object) -> None:
        """Behave like a bus until they have subscribed to two subjects and know that we have heard it."""
        self.info(**more)
        self.hears(b"PING\r\n")
        self.send(b"PONG\r\n")
        self.hears(b"SUB ", 2)
        self.hears(b"PING\r\n", 2)
        self.send(b"PONG\r\n")

    def drain(self) -> None:
        """Read until they have gone."""
        with suppress(OSError):
            while data := self.connection.recv(65536):
                self.heard += data


class FakeBus:
    """What listens where a bus should be.

    Args:
        behave: Is called with each connection, in a thread of its own; what it leaves open is closed behind it.
    """

    def __init__(self, behave: Callable[[Talk], None]) -> None:
        self._behave = behave
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.talks: list[Talk] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # It wakes the thread as well, which closing does not.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for each in self.talks:
            with suppress(OSError):
                each.connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                talk = Talk(connection)
                self.talks.append(talk)
                threading.Thread(target=self._talk, args=(talk,), daemon=True).start()

    def _talk(self, talk: Talk) -> None:
        with talk.connection, suppress(OSError, ssl.SSLError):
            self._behave(talk)


@contextmanager
def lone_agent(
    directory: Path, port: int, fleet: Mapping[str, str] | None = None, constants: Mapping[str, float] | None = None
) -> Iterator[Member]:
    """Start an agent whose daemon is away, and whose bus is at a port of this host."""
    with member(directory / "lone", "web-1") as made:
        table = {"server": f"nats://127.0.0.1:{port}", "name": FLEET, "host": "web-1", **(fleet or {})}
        made.configure({}, fleet=table)
        made.start_agent(constants={**IMPATIENT, **(constants or {})})
        yield made
