"""``cmdserver-agent`` as a process: beside a daemon that comes and goes, under systemd, and small."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, clean_environment, free_port, program, shell
from tests.integration.fleet_bus import FLEET, IMPATIENT, Fleet, fleet_of, lone_agent
from tests.integration.logins import require_program
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

MIB = 1 << 20
#: Of an agent that has answered.
MOST_BYTES = 40 * MIB


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Start a host whose agent is not started."""
    require_program("nats-server")
    commands: Mapping[str, Mapping[str, object]] = {
        "uptime": {"run": ["uptime"], "read_only": True},
        "waits": shell(f"touch {tmp_path}/begun; while test -e {tmp_path}/hold; do sleep 0.05; done; echo done"),
        "big": shell("head -c 2500000 /dev/zero | tr '\\0' x", output_limit_bytes=5_000_000),
    }
    with fleet_of(tmp_path, ("web-1",), commands, with_agents=False) as fleet:
        yield fleet


# The daemon


def test_a_daemon_that_is_away(fleet: Fleet) -> None:
    """Its agent says nothing for it, but a line to its administrator; when it is back, the agent needs no restart."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    web.stop()

    asked = fleet.ask("--json", "--timeout", "1", "uptime")

    assert (asked.status, asked.states) == (1, {"web-1": "missing"})
    web.wait_for_agent("the daemon cannot be asked at")
    assert web.agent_said().count("\n") == 3
    web.start(environment={"PYTHONPATH": str(web.directory / "constants")})
    assert fleet.ask("uptime").status == 0


def test_a_daemon_that_ends_while_it_answers(fleet: Fleet) -> None:
    """Whoever has asked is not told anything by the agent."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    (fleet.place / "hold").touch()
    with fleet.ann.start("ask", "--json", "--timeout", "3", "waits") as asking:
        wait_until((fleet.place / "begun").exists, "it runs")
        web.signal(signal.SIGKILL)
        web.wait()
        output, _ = asking.communicate(timeout=LIMIT_SECONDS)
    (fleet.place / "hold").unlink()
    assert asking.returncode == 1
    assert '"state": "missing"' in output
    assert "a request was not answered: the daemon has not answered" in web.agent_said()
    web.start(environment={"PYTHONPATH": str(web.directory / "constants")})
    assert fleet.ask("uptime").status == 0


def test_a_daemon_that_has_just_started(fleet: Fleet) -> None:
    """It takes no signatures for five seconds, and whoever asks can tell that from what they see."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    web.stop()
    web.start()

    asked = fleet.ask("--json", "uptime")

    assert (asked.status, asked.states) == (1, {"web-1": "unverified"})
    assert "busy" in asked.json["hosts"][0]["why"]
    wait_until(lambda: fleet.ask("--json", "--timeout", "3", "uptime").status == 0, "it takes signatures")


def test_both_at_once(fleet: Fleet) -> None:
    """Two agents of one host are one too many, and still nothing is run twice, and the answer is heard."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    files = [f"--config={web.config_file}", f"--state-dir={web.state_directory}"]
    with subprocess.Popen([program("cmdserver-agent"), *files], stderr=subprocess.DEVNULL) as second:
        try:
            wait_until(lambda: fleet.bus.subscribers() == 2, "both are there")
            before = web.log().count("command=waits")
            asked = fleet.ask("--json", "waits")
            assert web.log().count("command=waits") == before + 1
            assert asked.states == {"web-1": "ok"}
        finally:
            second.terminate()
    assert second.returncode == 0


# Systemd


@pytest.fixture
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    path = tmp_path_factory.mktemp("n") / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(LIMIT_SECONDS)
        yield listener


def told(systemd: socket.socket, text: str) -> None:
    """Wait until systemd is told something."""
    seen: list[str] = []
    while not seen or not seen[-1].startswith(text):
        seen.append(systemd.recv(4096).decode().partition("\nMONOTONIC_USEC")[0])


def test_systemd(fleet: Fleet, systemd: socket.socket) -> None:
    """It is ready before there is a bus, tells how it is, feeds the watchdog, and ends with 0 when it is told to."""
    web = fleet.members["web-1"]
    fleet.bus.kill()
    address = f"nats://127.0.0.1:{fleet.bus.port}"
    web.start_agent({"NOTIFY_SOCKET": str(systemd.getsockname()), "WATCHDOG_USEC": "500000"}, IMPATIENT)
    told(systemd, "READY=1")
    told(systemd, f"STATUS=waiting for the bus {address}")
    told(systemd, "WATCHDOG=1")
    fleet.bus.start()
    told(systemd, f"STATUS=connected to the bus {address}")
    told(systemd, "WATCHDOG=1")
    web.agent.terminate()
    told(systemd, "STOPPING=1")
    assert web.agent.wait(LIMIT_SECONDS) == 0


def test_nobody_listens_there(fleet: Fleet, tmp_path: Path) -> None:
    """A socket of systemd's that is gone ends nothing."""
    web = fleet.members["web-1"]
    web.start_agent({"NOTIFY_SOCKET": str(tmp_path / "none"), "WATCHDOG_USEC": "100000"})
    fleet.wait_for_agents()
    assert fleet.ask("uptime").status == 0


def test_the_end_while_it_answers(fleet: Fleet) -> None:
    """What is being answered when it is told to end is still answered; the exit status is 0."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    (fleet.place / "hold").touch()
    with fleet.ann.start("ask", "--json", "waits") as asking:
        wait_until((fleet.place / "begun").exists, "it runs")
        web.agent.terminate()
        (fleet.place / "hold").unlink()
        output, _ = asking.communicate(timeout=LIMIT_SECONDS)
    assert (asking.returncode, '"state": "ok"' in output) == (0, True), output
    assert web.agent.wait(LIMIT_SECONDS) == 0


def test_the_end_of_what_takes_too_long(fleet: Fleet) -> None:
    """What takes longer than it has time left is given up."""
    web = fleet.members["web-1"]
    web.start_agent(constants=IMPATIENT)
    fleet.wait_for_agents()
    (fleet.place / "hold").touch()
    with fleet.ann.start("ask", "--json", "--timeout", "3", "waits") as asking:
        wait_until((fleet.place / "begun").exists, "it runs")
        web.agent.terminate()
        assert web.agent.wait(LIMIT_SECONDS) == 0
        output, _ = asking.communicate(timeout=LIMIT_SECONDS)
    (fleet.place / "hold").unlink()
    assert (asking.returncode, '"state": "missing"' in output) == (1, True), output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_without_a_bus(tmp_path: Path, number: signal.Signals) -> None:
    """It ends at once, and with 0."""
    with lone_agent(tmp_path, free_port()) as lone:
        lone.wait_for_agent("is away (")
        began = time.monotonic()
        lone.agent.send_signal(number)
        assert lone.agent.wait(LIMIT_SECONDS) == 0
        assert time.monotonic() - began < 5


# Mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no server"),
        ('[fleet]\nserver = "http://bus"\n', "is no server of NATS"),
        ('[fleet]\nserver = "nats://bus"\nca = "/x"\n', "is without TLS"),
        ('[fleet]\nserver = "nats://bus"\nhost = "-"\n', "is no name"),
        ("[fleet", "cmdserver.toml"),
        (None, "cannot read the configuration"),
    ],
    ids=["none", "scheme", "ca", "host", "syntax", "no file"],
)
def test_mistakes(tmp_path: Path, text: str | None, said: str) -> None:
    """They are told in a line, without a traceback."""
    file = tmp_path / "cmdserver.toml"
    if text is not None:
        file.write_text(text)
    done = subprocess.run(
        [program("cmdserver-agent"), f"--config={file}", f"--state-dir={tmp_path}"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# Its size


def test_memory(fleet: Fleet) -> None:
    """After answers of megabytes it is as small as before, and has loaded no cryptography."""
    web = fleet.members["web-1"]
    web.start_agent()
    fleet.wait_for_agents()
    for _ in range(3):
        assert fleet.ask("--json", "big").status == 0
    assert web.agent_memory() < MOST_BYTES
    # Far from what its limit is, whatever that counts.
    assert web.agent_memory("VmPeak") < 200 * MIB
    mapped = Path(f"/proc/{web.agent.pid}/maps").read_text()
    assert "cryptography" not in mapped
    assert "_zope_interface" not in mapped


def modules_after(text: str) -> set[str]:
    """Return the packages that Python has loaded after some imports."""
    script = f"{text}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_what_the_agent_imports() -> None:
    """Neither Twisted nor cryptography, which would double its size."""
    loaded = modules_after("import cmdserver.fleet.agent.main, cmdserver.fleet.agent.serving")
    assert "nats" in loaded
    assert not loaded & {"twisted", "zope", "cryptography", "OpenSSL", "click", "http_sf", "jinja2"}


def test_what_a_plugin_imports() -> None:
    """Twistd reads all plugins, and the daemon is one that many hosts have without a fleet."""
    assert not modules_after("import cmdserver.plugin, cmdserver.app.service") & {"nats", "nkeys"}
    assert not modules_after("import cmdserver.cli.main, cmdserver.cli.fleet.commands") & {"nats", "nkeys"}


@pytest.mark.parametrize("fleet_table", [None, {"server": "nats://127.0.0.1:9", "name": FLEET}], ids=["alone", "fleet"])
def test_what_a_daemon_imports(tmp_path: Path, fleet_table: Mapping[str, object] | None) -> None:
    """No NATS, be it in a fleet or not: that is the agent's."""
    daemon = Daemon(tmp_path)
    daemon.configure({"uptime": {"run": ["uptime"]}}, fleet=fleet_table)
    try:
        daemon.start(environment={"PYTHONPROFILEIMPORTTIME": "1"})
        assert daemon.ask("uptime\n")
        daemon.stop()
    finally:
        daemon.end()
    imported = {line.rpartition("|")[2].strip() for line in daemon.log().splitlines() if "import time:" in line}
    assert "cmdserver.app.service" in imported
    assert not [name for name in imported if name.partition(".")[0] in {"nats", "nkeys"}]
