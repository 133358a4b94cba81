"""How fast a fleet answers: N agents on this machine, a real bus and a real daemon, asked by ``cmdserver ask``.

A signature is good once at a daemon, so that one daemon would answer the first of N agents and refuse the rest. Here,
and only here, each agent therefore verifies for itself and signs with a key of its own, as N daemons would; what then
runs the command is one daemon. Everything stays on loopback, and every process is ended by its pid.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from nats.aio.client import Client

from cmdserver.auth.signatures.keys import verify
from cmdserver.auth.signatures.signed_answer import AnswerSigner
from cmdserver.auth.signatures.signed_request import SKEW_SECONDS, Message, read
from cmdserver.core.site import FleetHost
from cmdserver.fleet.agent.agent import Agent
from cmdserver.fleet.agent.daemon_socket import DaemonAnswer, DaemonSocket
from cmdserver.fleet.bus import Bus, end_all
from cmdserver.fleet.bus_messages import BusRequest
from cmdserver.fleet.client.asking import Asking, Batching
from cmdserver.fleet.client.exchange import Exchange
from cmdserver.fleet.client.identities import find_identity
from cmdserver.fleet.client.known_hosts import KnownHosts
from cmdserver.fleet.client.words import question_of
from cmdserver.fleet.membership import BusServer
from cmdserver.limits.nonces import START_SECONDS, Nonces

FLEET, USER = "bench", "ann"
CONFIGURATION = """
[[listen]]
protocol = "web"
endpoint = "unix:{directory}/anonymous.sock"
login = "never"

[[listen]]
protocol = "line"
endpoint = "tcp:{line_port}:interface=127.0.0.1"
login = "never"

[fleet]
name = "bench"
host = "real"
server = "nats://127.0.0.1:{port}"

[limits]
connections = 50000
connections_per_source = 50000

[commands.uptime]
run = ["uptime"]
read_only = true
share = true

[commands.own]
run = ["uptime"]
read_only = true
share = false

[roles.anonymous]
commands = ["uptime", "own"]

[roles.callers]
commands = ["uptime"]
users = ["ann"]
"""
SUMMARY = re.compile(r"(\d+) asked, (\d+) answered: (\d+) ok, (\d+) failed; ([0-9.]+) s")


class VerifyingDaemon:
    """One host's daemon, as its agent sees it: verifies and signs, and has the one daemon run the command.

    Args:
        host: Who it is.
        caller: The caller's key: its type and blob.
        daemon: Runs it.
    """

    def __init__(self, host: FleetHost, caller: tuple[str, bytes], daemon: DaemonSocket) -> None:
        self.key = Ed25519PrivateKey.generate()
        self._host = host
        self._caller = caller
        self._daemon = daemon
        self._signer = AnswerSigner(self.key, host.name)
        self._nonces = Nonces(time.time() - 60, lambda: 60.0)

    @contextlib.asynccontextmanager
    async def ask(self, request: BusRequest) -> AsyncIterator[tuple[DaemonAnswer, asyncio.StreamReader]]:
        """See `DaemonSocket.ask`."""
        fields = {name.lower(): value for name, value in request.fields}
        signed = read(Message(request.method, request.target, fields.get, request.body))
        now = time.time()
        signed.require_timely(now)
        verify(*self._caller, signed.signature, signed.base)
        signed.require_meant(self._host)
        until = signed.expires + SKEW_SECONDS
        self._nonces.spend(signed.fingerprint, signed.nonce, created=signed.created, until=until, now=now)
        async with self._daemon.ask(request) as (answer, body):
            content = await body.readexactly(answer.size)
        content_type = dict(answer.fields)["Content-Type"]
        more = self._signer.sign(signed.signature, answer.status, content_type, content, time.time())
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        yield DaemonAnswer(answer.status, (("Content-Type", content_type), *more), len(content)), reader


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(words: list[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        sys.exit(f"bench/fleet: {name} is not installed")
    return found


def wait_for(condition: object, what: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until:
            sys.exit(f"bench/fleet: {what} did not happen in {seconds:g} s")
        time.sleep(0.02)


def accepts(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, 1):
        return True
    return False


def prepare(directory: Path, port: int, line_port: int) -> tuple[str, bytes]:
    """Write the caller's files and the daemon's; return the caller's key: its type and blob."""
    key = Ed25519PrivateKey.generate()
    identity = directory / "id_ed25519"
    identity.touch(0o600)
    identity.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (directory / "id_ed25519.pub").write_text(line + "\n")
    add_key = [program("cmdserver"), "key", "add", USER, str(directory / "id_ed25519.pub")]
    subprocess.run(
        [*add_key, "--state-dir", str(directory / "state")],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    host = directory / "state" / "ssh_host_ed25519_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host)], check=True)
    (directory / "caller.toml").write_text(f'[fleet]\nname = "{FLEET}"\nserver = "nats://127.0.0.1:{port}"\n')
    (directory / "cmdserver.toml").write_text(CONFIGURATION.format(directory=directory, port=port, line_port=line_port))
    (directory / "bus.conf").write_text(f"host: 127.0.0.1\nport: {port}\nmax_connections: 100000\n")
    from base64 import b64decode  # noqa: PLC0415

    return "ssh-ed25519", b64decode(line.split()[1])


async def ask(directory: Path, count: int, seconds: float) -> float:
    """Ask once, as people do; return in how many seconds all have answered."""
    words = [program("cmdserver"), "ask", "--config", str(directory / "caller.toml"), "--user", USER]
    words += ["--identity", str(directory / "id_ed25519"), "--known-hosts", str(directory / "known_hosts")]
    process = await asyncio.create_subprocess_exec(
        *words, "--timeout", str(seconds), "uptime", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "SSH_AUTH_SOCK": ""},
    )  # fmt: skip
    output, complaints = await process.communicate()
    found = SUMMARY.search(output.decode())
    if found is None or int(found[3]) != count:
        sys.exit(f"bench/fleet: not all have answered ok:\n{output.decode()[-2000:]}{complaints.decode()}")
    return float(found[5])


async def measure(directory: Path, port: int, caller: tuple[str, bytes], options: argparse.Namespace) -> list[float]:
    """Connect all agents, and ask; each time is printed."""
    server, daemon = BusServer.parse(f"nats://127.0.0.1:{port}"), DaemonSocket(directory / "anonymous.sock")
    lines, tasks = [], []
    connected = asyncio.Semaphore(0)

    def status(text: str) -> None:
        if text.startswith("connected"):
            connected.release()

    for number in range(options.agents):
        host = FleetHost(FLEET, f"host-{number:05}")
        verifying = VerifyingDaemon(host, caller, daemon)
        line = verifying.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        lines.append(f"{host.name} {line}\n")
        agent = Agent(host, verifying.ask, time.monotonic)
        tasks.append(asyncio.create_task(_serve(server, host.name, agent, status)))
        await connected.acquire()
    (directory / "known_hosts").write_text("".join(lines))
    found = []
    for _ in range(options.times):
        found.append(await ask(directory, options.agents, options.timeout))
        print(f"{found[-1]:.2f} s", flush=True)
    await end_all(tasks)
    return found


async def beside(directory: Path, port: int, line_port: int, times: int) -> float:
    """Ask a line listener without and with a fleet's question a second beside; return the ratio of the rates.

    The caller of the fleet is this process: one that is started anew each second would be measured with it.
    """
    load = directory / "load"
    key = find_identity(directory / "id_ed25519", None, lambda _: "", directory)
    exchange = Exchange(FLEET, USER, key, time.time, lambda: secrets.token_hex(16))
    bus = Bus(BusServer.parse(f"nats://127.0.0.1:{port}"), "ask", exchange.subscribe, lambda: 0.5)
    connection = asyncio.create_task(bus.run())
    await bus.require_connection()
    line = (directory / "state" / "ssh_host_ed25519_key.pub").read_text()
    known, outcomes = KnownHosts.parse(f"real {line}", "known_hosts"), []

    async def ask_every_second() -> None:
        while True:
            asking = Asking(exchange, bus, known, question_of("uptime", ()), outcomes.append, time.monotonic)
            await asking.ask(["real"], Batching(batch=1, pause=0, timeout=10))
            await asyncio.sleep(1)

    async def rate() -> float:
        process = await asyncio.create_subprocess_exec(
            str(load), "--port", str(line_port), "--callers", "16", "--seconds", "4", "--warm", "0.5",
            "--greeting", "What can I do for you?\n", "--send", "own\n", "--expect", "load average",
            stdout=subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        found = json.loads(output)
        if found["errors"]:
            sys.exit(f"bench/fleet: wrong or lost answers: {found}")
        return float(found["requests"] / found["seconds"])

    # A daemon that has just started takes no signatures yet.
    await asyncio.sleep(START_SECONDS + 1)
    ratios = []
    for _ in range(times):
        alone = await rate()
        asking = asyncio.create_task(ask_every_second())
        ratios.append(await rate() / alone)
        asking.cancel()
        print(f"{ratios[-1]:.2f} of {alone:.0f} a second", flush=True)
    await end_all([connection])
    if not outcomes or not all(each.is_ok for each in outcomes):
        sys.exit(f"bench/fleet: the fleet was not answered: {outcomes[-1:]}")
    return statistics.median(ratios)


async def _serve(server: BusServer, name: str, agent: Agent, status: object) -> None:
    async def subscribe(client: Client) -> None:
        await agent.subscribe(client, bus)

    bus = Bus(server, name, subscribe, lambda: 0.5, status)  # type: ignore[arg-type]
    await bus.run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/fleet", description=__doc__.partition("\n")[0])
    parser.add_argument("--agents", type=int, default=1000, metavar="N")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="how often they are asked")
    parser.add_argument("--beside", action="store_true", help="measure what a fleet costs a daemon's line listener")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S")
    parser.add_argument("--json", action="store_true", help="print all times as JSON besides")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cmdserver-fleet-") as place:
        directory = Path(place)
        directory.chmod(0o755)
        port, line_port = free_port(), free_port()
        caller = prepare(directory, port, line_port)
        daemon = [program("twistd"), "-n", "--pidfile=", "cmdserver", "-c", str(directory / "cmdserver.toml")]
        with (
            running([program("nats-server"), "-c", str(directory / "bus.conf")], directory / "bus.log"),
            running([*daemon, "-s", str(directory / "state")], directory / "daemon.log"),
        ):
            wait_for(lambda: accepts(("127.0.0.1", port)), "the bus' start")
            wait_for((directory / "anonymous.sock").exists, "the daemon's start")
            if options.beside:
                source = Path(__file__).with_name("load.c")
                subprocess.run(["cc", "-O2", "-o", str(directory / "load"), str(source)], check=True)
                agent = [program("cmdserver-agent"), "--config", str(directory / "cmdserver.toml")]
                with running([*agent, "--state-dir", str(directory / "state")], directory / "agent.log"):
                    ratio = asyncio.run(beside(directory, port, line_port, options.times))
                print(f"a line listener has {ratio:.2f} of its rate beside a fleet's question a second")
                return
            found = asyncio.run(measure(directory, port, caller, options))
    if options.json:
        print(json.dumps({"agents": options.agents, "seconds": found}))
    print(f"{options.agents} of {options.agents} agents answered in {statistics.median(found):.2f} s")


if __name__ == "__main__":
    main()
