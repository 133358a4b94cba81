"""A fleet in two homes and a machine room: nobody can come into the homes, and they answer all the same."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.daemon import program
from tests.integration.logins import require_program
from tests.integration.playground.host import Host
from tests.integration.playground.members import FLEET, Asked, Caller, Member, fleet_table, member
from tests.integration.playground.network import (
    BUS,
    HOME1,
    HOME2,
    MAIL,
    NAMES,
    ROUTER1,
    ROUTER2,
    WEB,
    Playground,
    playground,
    why_impossible,
)
from tests.integration.playground.services import (
    BUS_PORT,
    PEER,
    Authority,
    BusUser,
    agent_of,
    caller_of,
    connections,
    start_bus,
    start_services,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

#: The hosts of the fleet: where they are, and how they find the bus.
MEMBERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "home1": ("home1", {"server": f"tls://{BUS[0]}:{BUS_PORT}", "server_name": "bus.room.example"}),
    "home2": ("home2", {"server": f"tls://[{BUS[1]}]:{BUS_PORT}", "server_name": "bus.room.example"}),
    "room1": ("services", {"server": f"tls://bus.room.example:{BUS_PORT}"}),
}
#: Far more than anybody needs, in seconds.
LONG = 30
#: Enough for whoever is there; who is not there is waited for so long.
SHORT = 5
#: A packet that is lost is sent again within this time.
DROPPED = 2
#: Where somebody in a home listens.
PORT = 4000


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a directory whose name is short enough for sockets, and where servers can read."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def authority(place: Path) -> Authority:
    """Make the certificates of the room."""
    authority = Authority(place)
    authority.make("bus", "mail", "web")
    return authority


@pytest.fixture(scope="module")
def users(place: Path) -> Mapping[str, BusUser]:
    """Say who may do what on the bus: an agent for each host, and one caller."""
    return {"ann": caller_of("ann", FLEET, place), **{name: agent_of(name, FLEET, place) for name in MEMBERS}}


@pytest.fixture(scope="module")
def network(authority: Authority, users: Mapping[str, BusUser]) -> Iterator[Playground]:
    """Make the network, with all that is in the room."""
    reason = why_impossible()
    if reason is not None:
        pytest.skip(reason)
    for needed in ("nats-server", "nginx", "nsd"):
        require_program(needed)
    with playground() as network:
        start_services(network["services"], authority)
        start_bus(network["bus"], authority, list(users.values()))
        yield network


# The network


@pytest.mark.parametrize(("bus", "seen"), [(BUS[0], ROUTER1), (BUS[1], HOME1[1])], ids=["IPv4", "IPv6"])
def test_out_of_a_home(network: Playground, authority: Authority, bus: str, seen: str) -> None:
    """The bus is found by both families, over TLS that is verified; by IPv4 it sees the router instead of the home."""

    def knock(ca: Path, name: str) -> subprocess.CompletedProcess[str]:
        return network["home1"].run([*PEER, "bus", bus, str(BUS_PORT), str(ca), name])

    told = knock(authority.file, "bus.room.example")
    assert told.returncode == 0, told.stderr
    info, _, over_tls = told.stdout.partition("\n")
    assert json.loads(info.removeprefix("INFO "))["client_ip"] == seen
    assert over_tls.startswith("-ERR 'Authorization Violation'")
    for refused in (knock(authority.stranger, "bus.room.example"), knock(authority.file, "mail.room.example")):
        assert (refused.returncode, "CERTIFICATE_VERIFY_FAILED" in refused.stderr) == (1, True), refused


def test_into_a_home(network: Playground, place: Path) -> None:
    """The router drops what comes from the room or from the other home, by both families; opened, it lets it in."""
    home, firewall = network["home1"], network.firewall("home1")
    home.serve([*PEER, "listen", str(PORT)], place / "listener.log", f"tcp:{PORT}")
    for address in HOME1:
        within = ask_peer(network["router1"], address, LONG)
        assert within.returncode == 0, within.stderr
    hidden = ask_peer(network["bus"], HOME1[0], LONG)
    assert (hidden.returncode, "unreachable" in hidden.stderr or "No route" in hidden.stderr) == (1, True), hidden
    comers = {
        ("home2", ROUTER1): ROUTER2,
        ("home2", HOME1[1]): HOME2[1],
        ("bus", ROUTER1): BUS[0],
        ("bus", HOME1[1]): BUS[1],
    }

    def come(seconds: int) -> list[subprocess.CompletedProcess[str]]:
        with ThreadPoolExecutor(len(comers)) as pool:
            return list(pool.map(lambda each: ask_peer(network[each[0]], each[1], seconds), comers))

    before = firewall.dropped()
    assert [(each.returncode, each.stderr) for each in come(DROPPED)] == [(1, "TimeoutError: timed out\n")] * len(
        comers
    )
    assert firewall.dropped() >= before + len(comers)
    with firewall.opened(PORT):
        assert [each.stdout.strip().removeprefix("::ffff:") for each in come(LONG)] == list(comers.values())


def ask_peer(host: Host, address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Connect to a home from somewhere."""
    return host.run([*PEER, "ask", address, str(PORT), str(seconds)])


# Probes


def probes(authority: Authority) -> dict[str, Mapping[str, object]]:
    """Say the commands that look at the servers of the room."""
    web, mail = (
        ("http", "https://web.room.example/", "--ca-file"),
        ("smtp", "mail.room.example", "--starttls", "--ca-file"),
    )
    address = ("dns", "mail.room.example", "--type", "AAAA", "--server")
    questions = {
        "web-4": (*web, str(authority.file), "-4"),
        "web-6": (*web, str(authority.file), "-6"),
        "mail-4": (*mail, str(authority.file), "-4"),
        "mail-6": (*mail, str(authority.file), "-6"),
        "names": ("dns", "web.room.example"),
        "names-4": (*address, NAMES[0]),
        "names-6": (*address, f"[{NAMES[1]}]:53"),
        "strange-web": (*web, str(authority.stranger)),
        "strange-mail": (*mail, str(authority.stranger)),
    }
    return {
        name: {"run": [program("cmdserver-probe"), *words], "check": True, "read_only": True}
        for name, words in questions.items()
    }


@pytest.fixture(scope="module")
def homes(network: Playground, authority: Authority, place: Path) -> Iterator[Mapping[str, Member]]:
    """Start a daemon in each home, with the commands that look at the room."""
    with ExitStack() as stack:
        homes = {home: stack.enter_context(member(place / f"in-{home}", network[home])) for home in ("home1", "home2")}
        for each in homes.values():
            each.configure(probes(authority))
        start_all(homes)
        yield homes


def start_all(members: Mapping[str, Member]) -> None:
    """Start daemons, all at the same time."""
    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(Member.start_soon, members.values()))


@pytest.mark.parametrize(
    ("command", "state", "said"),
    [
        ("web-4", "OK", "200 OK, 12 bytes"),
        ("web-6", "OK", "200 OK, 12 bytes"),
        ("mail-4", "OK", "Python SMTP"),
        ("mail-6", "OK", "Python SMTP"),
        ("names", "OK", f"A {WEB[0]}"),
        ("names-4", "OK", f"AAAA {MAIL[1]}"),
        ("names-6", "OK", f"AAAA {MAIL[1]}"),
        ("strange-web", "CRITICAL", "tls: the certificate is refused: unable to get local issuer certificate"),
        ("strange-mail", "CRITICAL", "tls: the certificate is refused: unable to get local issuer certificate"),
    ],
)
def test_probes(homes: Mapping[str, Member], command: str, state: str, said: str) -> None:
    """From behind their routers homes see the servers of the room, and believe the right authority only."""
    for each in homes.values():
        answer = each.ask_json(command)

        assert (answer["check"]["state"], said in answer["check"]["text"]) == (state, True), answer


# The fleet


@dataclass(frozen=True)
class Fleet:
    """The hosts by their names in the fleet, and who asks them."""

    members: Mapping[str, Member]
    ann: Caller

    def ask(self, command: str, seconds: int = LONG) -> Asked:
        """Have ann ask all hosts."""
        return self.ann.ask(command, seconds=seconds)

    def said(self) -> str:
        """Return what the daemons and their agents have said."""
        return "\n".join(f"{name}:\n{each.said()}" for name, each in self.members.items())


@pytest.fixture(scope="module")
def fleet(network: Playground, authority: Authority, users: Mapping[str, BusUser], place: Path) -> Iterator[Fleet]:
    """Start the daemons and the agents, and wait until the bus knows them all; ann is at home, in home2."""
    with ExitStack() as stack:
        members = {}
        for name, (where, server) in MEMBERS.items():
            each = members[name] = stack.enter_context(member(place / name, network[where]))
            each.configure(
                {
                    **probes(authority),
                    "uptime": {"run": ["uptime"], "read_only": True},
                    "where": {"run": ["echo", name], "read_only": True},
                },
                roles={"asker": {"commands": ["*"], "users": ["ann"]}},
                fleet=fleet_table(server, users[name], authority, host=name),
            )
        ann = Caller("ann", network["home2"], place / "ann")
        ann.prepare(fleet_table(MEMBERS["home2"][1], users["ann"], authority), members)
        start_all(members)
        agents = [each.start_agent() for each in members.values()]
        fleet = Fleet(members, ann)

        def are_there() -> bool:
            assert all(agent.poll() is None for agent in agents), fleet.said()
            # Its own subject, and that of the roll call.
            there = [each for each in connections(network["bus"]) if each["subscriptions"] >= 2]
            return len(there) == len(members)

        wait_until(are_there, "all agents are on the bus")
        yield fleet


@pytest.mark.usefixtures("fleet")
def test_how_agents_come(network: Playground, users: Mapping[str, BusUser]) -> None:
    """One comes by IPv4 through its router, and one by IPv6 as itself; each with its own key."""
    seen = {each["authorized_user"]: each["ip"] for each in connections(network["bus"])}

    assert seen[users["home1"].key] == ROUTER1
    assert seen[users["home2"].key] == HOME2[1]
    assert seen[users["room1"].key] in MAIL + WEB + NAMES


@pytest.mark.parametrize("command", ["uptime", "web-4", "mail-6", "names"])
def test_a_question(fleet: Fleet, command: str) -> None:
    """All answer, and that is a success."""
    asked = fleet.ask(command)

    assert asked.summary == {"asked": 3, "answered": 3, "ok": 3, "failed": 0, "missing": []}, asked
    assert (asked.status, sorted(asked.answers)) == (0, sorted(MEMBERS)), asked


def test_whose_answer(fleet: Fleet) -> None:
    """Each answer is the host's own, and its audit file has the name of who asked."""
    asked = fleet.ask("where")

    assert {name: answer["stdout"] for name, answer in asked.answers.items()} == {name: f"{name}\n" for name in MEMBERS}
    for each in fleet.members.values():
        (request,) = (event for event in each.audit() if event["event"] == "request" and event["command"] == "where")
        assert (request["user"], request["method"]) == ("ann", "signature")


def test_a_failure(fleet: Fleet) -> None:
    """A check that is critical is an answer, and no success."""
    asked = fleet.ask("strange-web")

    assert (asked.status, asked.summary["answered"], asked.summary["missing"]) == (1, 3, []), asked


def test_a_cable(network: Playground, fleet: Fleet) -> None:
    """Whose cable is out is missing, by name; when it is in again, the host comes back by itself."""
    with network.unplugged("home1"):
        asked = fleet.ask("uptime", SHORT)
        assert asked.summary == {"asked": 3, "answered": 2, "ok": 2, "failed": 0, "missing": ["home1"]}, asked
        assert (asked.status, sorted(asked.answers)) == (1, ["home2", "room1"]), asked
    wait_until(lambda: fleet.ask("uptime", SHORT).status == 0, "home1 is back")
