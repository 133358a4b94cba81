"""A bus that goes away, stands still, or is none: agents come back by themselves, and nobody waits for ever."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tests.integration.daemon import shell, with_constants
from tests.integration.fleet_bus import (
    IMPATIENT,
    FakeBus,
    Fleet,
    Member,
    Talk,
    fleet_of,
    lone_agent,
)
from tests.integration.logins import require_program
from tests.integration.playground.services import Authority, BusUser, agent_of, caller_of
from tests.integration.signed import now
from tests.signing import Signing
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

MIB = 1 << 20
#: Above what an agent has when it begins.
MOST_MORE_BYTES = 128 * MIB
NAMES = ("web-1", "web-2")


def commands(place: Path) -> Mapping[str, Mapping[str, object]]:
    """Say what there is to ask."""
    return {
        "uptime": {"run": ["uptime"], "read_only": True},
        "waits": shell(f"echo x >>{place}/begun; while test -e {place}/hold; do sleep 0.05; done; echo done"),
        "big": shell("head -c 2500000 /dev/zero | tr '\\0' x", output_limit_bytes=5_000_000),
    }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start two hosts whose agents have little patience."""
    require_program("nats-server")
    place = tmp_path_factory.mktemp("fleet")
    with fleet_of(place, NAMES, commands(place), agent_constants=IMPATIENT) as fleet:
        yield fleet


@contextmanager
def reconnecting(fleet: Fleet) -> Iterator[None]:
    """See that meanwhile all agents lose the bus once, and come back to it; and that they say so in one line each."""
    before = {name: each.agent_said() for name, each in fleet.members.items()}
    yield
    for name, each in fleet.members.items():
        each.wait_for_agent("connected to the bus", before[name].count("connected to the bus") + 1)
        assert each.agent_said()[len(before[name]) :].count("is away (") == 1, each.agent_said()


def test_restart(fleet: Fleet) -> None:
    """The bus is killed, is away for a while, and is started again on its port."""
    with reconnecting(fleet):
        fleet.bus.kill()
        for each in fleet.members.values():
            each.wait_for_agent("is away (", each.agent_said().count("connected to the bus"))
        asked = fleet.ask("uptime")
        assert (asked.status, asked.output) == (1, "")
        assert "cannot be reached" in asked.errors
        fleet.bus.start()
    assert fleet.ask("uptime").status == 0


def test_question_in_flight(fleet: Fleet) -> None:
    """Who was asked before the bus went, and answers when all are back, is heard; nothing is run twice."""
    hold, begun = fleet.place / "hold", fleet.place / "begun"
    hold.touch()
    begun.unlink(missing_ok=True)
    with fleet.ann.start("ask", "--json", "--timeout", "40", "waits") as asking:
        wait_until(lambda: begun.exists() and len(begun.read_text().split()) == 2, "both have begun")
        with reconnecting(fleet):
            fleet.bus.kill()
            fleet.bus.start()
        wait_until(lambda: fleet.bus.subscribers() == 3, "the caller is back as well")
        hold.unlink()
        output, errors = asking.communicate(timeout=LIMIT_SECONDS)
    assert asking.returncode == 0, output + errors
    assert output.count('"done\\n"') == 2
    assert len(begun.read_text().split()) == 2


def test_lost_question(fleet: Fleet) -> None:
    """Who answers while the bus is away is missing, in time, and the commands have run once."""
    hold, begun = fleet.place / "hold", fleet.place / "begun"
    hold.touch()
    begun.unlink(missing_ok=True)
    with fleet.ann.start("ask", "--json", "--timeout", "4", "waits") as asking:
        wait_until(lambda: begun.exists() and len(begun.read_text().split()) == 2, "both have begun")
        with reconnecting(fleet):
            fleet.bus.kill()
            for each in fleet.members.values():
                each.wait_for_agent("is away (", each.agent_said().count("connected to the bus"))
            hold.unlink()
            for each in fleet.members.values():
                each.wait_for_log("command=waits", each.log().count("command=waits"))
            output, _ = asking.communicate(timeout=LIMIT_SECONDS)
            fleet.bus.start()
    assert asking.returncode == 1
    assert '"missing": ["web-1", "web-2"]' in output
    assert len(begun.read_text().split()) == 2


def test_frozen(fleet: Fleet) -> None:
    """A bus that says nothing any more is given up, and come back to when it goes on."""
    with reconnecting(fleet):
        fleet.bus.signal(signal.SIGSTOP)
        try:
            for each in fleet.members.values():
                each.wait_for_agent("is away (", each.agent_said().count("connected to the bus"))
            hasty = with_constants(fleet.place / "hasty", {"cmdserver.fleet.bus.CONNECT_SECONDS": 1})
            asked = fleet.ask("uptime", **hasty)
            assert asked.status == 1
            assert "cannot be reached: no answer in time" in asked.errors
        finally:
            fleet.bus.signal(signal.SIGCONT)
    assert fleet.ask("uptime").status == 0


def test_frozen_while_asking(fleet: Fleet) -> None:
    """Whoever asks waits for so long as they have said, and no longer, to close a connection for example."""
    hold, begun = fleet.place / "hold", fleet.place / "begun"
    hold.touch()
    begun.unlink(missing_ok=True)
    before = {name: each.agent_said().count("connected to the bus") for name, each in fleet.members.items()}
    with fleet.ann.start("ask", "--json", "--timeout", "2", "waits") as asking:
        wait_until(lambda: begun.exists() and len(begun.read_text().split()) == 2, "both have begun")
        fleet.bus.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            output, _ = asking.communicate(timeout=LIMIT_SECONDS)
            assert time.monotonic() - began < 10
        finally:
            fleet.bus.signal(signal.SIGCONT)
    hold.unlink()
    assert '"missing": ["web-1", "web-2"]' in output
    for name, each in fleet.members.items():
        each.wait_for_agent("is away (", before[name])
        each.wait_for_agent("connected to the bus", before[name] + 1)
    assert fleet.ask("uptime").status == 0


# A bus that is none


def comes_back(behave: Callable[[Talk], None], place: Path, constants: Mapping[str, float]) -> Member:
    """See that an agent gives a bus up, and comes again; return what has been."""
    with FakeBus(behave) as bus, lone_agent(place, bus.port, constants=constants) as lone:
        lone.wait_for_agent("cmdserver-agent")
        before = lone.agent_memory("VmHWM")
        wait_until(lambda: len(bus.talks) > 1, "it comes again")
        assert lone.agent_memory("VmHWM") - before < MOST_MORE_BYTES
        assert len(lone.agent_said()) < 4096
    return lone


def flood(talk: Talk) -> None:
    """Send megabytes without an end."""
    while True:
        talk.send(b"x" * MIB)


def says(text: bytes, then: Callable[[Talk], None] = Talk.drain) -> Callable[[Talk], None]:
    """Make a bus that is like others until it says something."""

    def behave(talk: Talk) -> None:
        talk.welcome()
        talk.send(text)
        then(talk)

    return behave


def begins(text: bytes) -> Callable[[Talk], None]:
    """Make one that is not like others from the beginning."""

    def behave(talk: Talk) -> None:
        talk.send(text)
        talk.drain()

    return behave


def has_other_types(talk: Talk) -> None:
    """Tell of itself what is no number and no text."""
    talk.welcome(max_payload="x", client_id=[], headers=None)
    talk.drain()


LIES: Mapping[str, Callable[[Talk], None]] = {
    "gigabytes": says(b"MSG cmdserver.prod.all 1 99999999999\r\n", flood),
    "headers": says(b"HMSG cmdserver.prod.all 1 5 99999999999\r\n", flood),
    "no end": says(b"", flood),
    "before hello": flood,
    "digits": says(b"MSG a 1 " + b"9" * 5000 + b"\r\n"),
    "garbage": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "http": begins(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "ssh": begins(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "no object": begins(b"INFO []\r\n"),
    "later info": says(b"INFO {\r\n"),
    "deep info": says(b"INFO " + b"[" * 5000 + b"\r\n"),
    "an error": says(b"-ERR 'Some \x1b[2J Thing'\r\n"),
    "an empty error": says(b"-ERR \r\n"),
    "stray": says(b"PONG\r\n" * 1000 + b"MSG a 77 0\r\n\r\n+OK\r\nx\r\n"),
    "silence": says(b""),
    "no word": Talk.drain,
    "types": has_other_types,
}


@pytest.mark.parametrize("lie", LIES)
def test_lies(tmp_path: Path, lie: str) -> None:
    """Whatever a bus says, the agent gives it up, and comes again; its memory stays small, and so does its log."""
    lone = comes_back(LIES[lie], tmp_path, constants={"cmdserver.fleet.bus.CONNECT_SECONDS": 1})
    assert "\x1b" not in lone.agent_said()


def test_pauses(tmp_path: Path) -> None:
    """A bus that closes at once is tried again after pauses that grow, and told once."""
    times: list[float] = []

    def close(_: Talk) -> None:
        times.append(time.monotonic())

    with (
        FakeBus(close) as bus,
        lone_agent(tmp_path, bus.port, constants={"cmdserver.fleet.bus._LONGEST_PAUSE": 15}) as lone,
    ):
        wait_until(lambda: len(times) > 3, "it has tried four times")
        first, second, third = (after - before for before, after in pairwise(times[:4]))
        assert 0.2 < first < second < third < 3
        assert lone.agent_said().count("is away (") == 1


def test_a_bus_that_does_not_read(tmp_path: Path) -> None:
    """Answers that nobody takes do not keep an agent from noticing it, and from coming back."""
    require_program("nats-server")
    questions: list[bytes] = []
    over = threading.Event()

    def ask_and_wait(talk: Talk) -> None:
        talk.welcome()
        for each in questions:
            talk.send(each)
        # Nothing is read any more, and nothing is answered.
        over.wait(LIMIT_SECONDS)

    with (
        FakeBus(ask_and_wait) as bus,
        fleet_of(
            tmp_path,
            ("web-1",),
            commands(tmp_path),
            with_agents=False,
            servers=lambda _, __: {"server": f"nats://127.0.0.1:{bus.port}"},
        ) as fleet,
    ):
        ann = Signing(cast("Any", load_ssh_private_key(fleet.ann.identity.read_bytes(), None)), "ann")
        for number in range(8):
            asked = ann.ask("/big", "POST", **now(audience='prod;hosts=("web-1")'))
            headers = {"Cmdserver-Method": "POST", "Cmdserver-Target": "/big", **asked.headers}
            raw = "".join(["NATS/1.0\r\n", *(f"{key}: {value}\r\n" for key, value in headers.items()), "\r\n"]).encode()
            line = f"HMSG cmdserver.prod.host.web-1 1 _INBOX.cmdserver.x.{number} {len(raw)} {len(raw)}\r\n"
            questions.append(line.encode() + raw + b"\r\n")
        web = fleet.members["web-1"]
        web.start_agent(constants=IMPATIENT)
        try:
            wait_until(lambda: len(bus.talks) > 1, "the agent comes back")
        finally:
            over.set()
        assert web.log().count("command=big") <= 8


# TLS, and keys of the bus


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make the certificate of a bus."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.make("bus")
    return authority


@pytest.fixture(scope="module")
def users(authority: Authority) -> Mapping[str, BusUser]:
    """Make keys of the bus, each with the rights that it needs."""
    agents = {name: agent_of(name, "prod", authority.place) for name in NAMES}
    return {"ann": caller_of("ann", "prod", authority.place), **agents}


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, users: Mapping[str, BusUser]
) -> Iterator[Fleet]:
    """Start two hosts whose bus has TLS, and rights."""
    require_program("nats-server")
    place = tmp_path_factory.mktemp("guarded")
    settings: Mapping[str, object] = {
        "tls": {"cert_file": str(authority.place / "bus.pem"), "key_file": str(authority.place / "bus.key")},
        "authorization": {
            "users": [
                {
                    "nkey": user.key,
                    "permissions": {
                        "publish": {"allow": list(user.publish)}, "subscribe": {"allow": list(user.subscribe)}
                    },
                }
                for user in users.values()
            ]
        },
    }  # fmt: skip
    with fleet_of(
        place,
        NAMES,
        commands(place),
        bus=settings,
        agent_constants=IMPATIENT,
        servers=lambda name, port: table(name, port, authority, users),
    ) as fleet:
        yield fleet


def table(name: str, port: int, authority: Authority, users: Mapping[str, BusUser]) -> dict[str, str]:
    """Say where the bus is, and as whom to come there."""
    return {
        "server": f"tls://127.0.0.1:{port}",
        "ca": str(authority.file),
        "server_name": "bus.room.example",
        "credentials": str(users[name].seed_file),
    }


def test_tls(guarded: Fleet) -> None:
    """Questions, roll calls and answers in parts need no more rights than are documented."""
    assert guarded.ask("uptime").status == 0
    assert guarded.ask("--where", "kind=web", "uptime").status == 0
    assert guarded.ask("--json", "big").status == 0
    assert guarded.ann.run("hosts").status == 0
    assert "refuses" not in "".join(each.agent_said() for each in guarded.members.values())


def test_tls_restart(guarded: Fleet) -> None:
    """Here agents come back as well."""
    with reconnecting(guarded):
        guarded.bus.kill()
        guarded.bus.start()
    assert guarded.ask("uptime").status == 0


def test_tls_frozen(guarded: Fleet) -> None:
    """To close a TLS connection takes two, and whoever has asked does not wait for a bus that stands still."""
    hold, begun = guarded.place / "hold", guarded.place / "begun"
    hold.touch()
    begun.unlink(missing_ok=True)
    with guarded.ann.start("ask", "--json", "--timeout", "2", "waits") as asking:
        wait_until(lambda: begun.exists() and len(begun.read_text().split()) == 2, "both have begun")
        with reconnecting(guarded):
            guarded.bus.signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                asking.communicate(timeout=LIMIT_SECONDS)
                took = time.monotonic() - began
                for each in guarded.members.values():
                    each.wait_for_agent("is away (", each.agent_said().count("connected to the bus"))
            finally:
                hold.unlink()
                guarded.bus.signal(signal.SIGCONT)
    assert took < 10


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ca": "stranger"}, "certificate verify failed"),
        ({"server_name": "mail.room.example"}, "certificate verify failed"),
        ({"credentials": "other"}, "uthorization"),
        ({"credentials": "damaged"}, ""),
        ({"credentials": "missing"}, ""),
    ],
    ids=["ca", "server_name", "nkey", "no nkey", "no file"],
)
def test_who_is_not_believed(
    tmp_path: Path,
    guarded: Fleet,
    authority: Authority,
    users: Mapping[str, BusUser],
    changes: Mapping[str, str],
    why: str,
) -> None:
    """A bus with another certificate, and a bus that does not know our key: it is said why, and tried again."""
    other = caller_of("other", "prod", tmp_path).seed_file
    damaged = tmp_path / "damaged"
    damaged.write_text("SUAXXXXX\n")
    files = {"stranger": authority.stranger, "other": other, "damaged": damaged, "missing": tmp_path / "missing"}
    settings = {key: str(files.get(value, value)) for key, value in changes.items()}
    fleet = {**table("web-1", guarded.bus.port, authority, users), **settings}
    with lone_agent(tmp_path, guarded.bus.port, fleet) as lone:
        lone.wait_for_agent("is away (")
        assert why in lone.agent_said(), lone.agent_said()
        if "credentials" in changes:
            # Whoever has put the right key there need not start the agent again.
            Path(settings["credentials"]).write_bytes(users["web-1"].seed_file.read_bytes())
            lone.wait_for_agent("connected to the bus")
    configuration = tmp_path / "cmdserver.toml"
    lines = {**table("ann", guarded.bus.port, authority, users), **settings, "name": "prod"}
    if "credentials" not in changes:
        configuration.write_text("[fleet]\n" + "".join(f'{key} = "{value}"\n' for key, value in lines.items()))
        asked = guarded.ask(f"--config={configuration}", "uptime")
        assert asked.status == 1
        assert why in asked.errors


def test_no_tls_where_it_should_be(tmp_path: Path, users: Mapping[str, BusUser], authority: Authority) -> None:
    """Somebody on the way who takes TLS away is told nothing: neither who we are, nor is their nonce signed."""

    def behave(talk: Talk) -> None:
        talk.info(nonce="0123456789abcdef", auth_required=True)
        talk.drain()

    with FakeBus(behave) as bus, lone_agent(tmp_path, bus.port, table("web-1", bus.port, authority, users)) as lone:
        lone.wait_for_agent("it offers no TLS")
        wait_until(lambda: len(bus.talks) > 1, "it comes again")
        assert [bytes(talk.heard) for talk in bus.talks[:1]] == [b""]


def test_other_servers(tmp_path: Path) -> None:
    """A bus cannot send an agent elsewhere: it comes back to where it was told."""
    strange: list[Talk] = []
    with FakeBus(strange.append) as elsewhere:

        def send_away(talk: Talk) -> None:
            talk.welcome(connect_urls=[f"127.0.0.1:{elsewhere.port}"])
            talk.send(f'INFO {{"connect_urls": ["127.0.0.1:{elsewhere.port}"], "ldm": true}}\r\n'.encode())

        with FakeBus(send_away) as bus, lone_agent(tmp_path, bus.port):
            wait_until(lambda: len(bus.talks) > 2, "it comes again")
    assert not strange
