"""Those who do not get in: how long they may stand there, how many of them, how often, and what they cost."""

import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.client import GREETING, Client
from tests.integration.daemon import Daemon, Listener, running
from tests.integration.logins import (
    ALICE,
    COMMANDS,
    KEPT_OUT,
    LENIENT,
    LET_IN,
    PASSWORD,
    ROLES,
    USER,
    believing,
    knock,
    log_in,
    logins,
    may_log_in,
    talk,
    write_passwords,
)
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

REQUIRED = {tls: Listener(login="required", tls=tls) for tls in (False, True)}
OPTIONAL = Listener(login="optional")

LISTENERS = (*REQUIRED.values(), OPTIONAL)
#: Those of `impatient`, which runs while others do.
HURRIED = {tls: Listener(login="required", tls=tls) for tls in (False, True)}
HURRIED_OPTIONAL = Listener(login="optional")

both = pytest.mark.parametrize("listener", REQUIRED.values(), ids=str)
both_hurried = pytest.mark.parametrize("listener", HURRIED.values(), ids=str)

LOGIN_SECONDS = 0.7
OVERDUE = f"cmdserver: nothing was asked within {LOGIN_SECONDS:g} s\n".encode()


@contextmanager
def limited(
    directory: Path,
    limits: Mapping[str, object] = LENIENT,
    *,
    cost: int = 4,
    listeners: Sequence[Listener] = LISTENERS,
    constants: Mapping[str, float] | None = None,
) -> Iterator[Daemon]:
    """Run a daemon with limits of its own."""
    with running(directory, COMMANDS, listeners=listeners, roles=ROLES, limits=limits, constants=constants) as daemon:
        write_passwords(daemon, {"alice": ALICE}, cost=cost)
        yield daemon


# How long


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that does not wait long for a login."""
    directory = tmp_path_factory.mktemp("impatient")
    limits = {"login_seconds": LOGIN_SECONDS, "idle_seconds": 300, **LENIENT}
    listeners = [*HURRIED.values(), HURRIED_OPTIONAL]
    # Deadlines are looked at every so often.
    constants = {"cmdserver.net.connection_table.TICK_SECONDS": 0.1}
    with limited(directory, limits, listeners=listeners, constants=constants) as daemon:
        yield daemon


def drip(client: Client, data: bytes) -> bytes:
    """Send a byte now and then, until the daemon closes; return what it said."""
    rest = itertools.chain((bytes([each]) for each in data), itertools.repeat(b"x"))
    said: list[bytes] = []
    client.socket.settimeout(LOGIN_SECONDS / 4)

    def is_cut_off() -> bool:
        try:
            said.append(client.socket.recv(65536))
        except TimeoutError:
            with suppress(BrokenPipeError, ConnectionResetError):
                client.send(next(rest))
            return False
        except (ConnectionResetError, ssl.SSLEOFError):
            return True
        return not said[-1]

    wait_until(is_cut_off, "it may not drip for ever")
    return b"".join(said)


@pytest.mark.usefixtures("impatient")
@both_hurried
@pytest.mark.parametrize("ahead", [b"", b"alice\n"], ids=["nothing", "name"])
def test_byte_by_byte(listener: Listener, ahead: bytes) -> None:
    """The time runs from the accept on, and no byte and no answered prompt begins it anew."""
    began = time.monotonic()
    with knock(listener) as client:
        client.send(ahead)
        said = drip(client, b"alice")

    assert said == USER + (PASSWORD if ahead else b"") + OVERDUE
    assert time.monotonic() - began >= LOGIN_SECONDS


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["silent", "a ClientHello"]
)
def test_no_handshake(data: bytes) -> None:
    """Who never finishes the handshake is cut off as soon as who never logs in."""
    began = time.monotonic()
    with Client(HURRIED[True].address) as client:
        if data:
            drip(client, data)
        else:
            with suppress(ConnectionResetError):
                client.read_all()

    assert time.monotonic() - began >= LOGIN_SECONDS


@pytest.mark.usefixtures("impatient")
def test_optional_door_waits_no_longer() -> None:
    """Without a login the first request has the same time; and the dialogue, once begun, has it too."""
    with knock(HURRIED_OPTIONAL) as client:
        said = drip(client, b"uptime")
    assert said == GREETING + OVERDUE

    with knock(HURRIED_OPTIONAL) as client:
        client.send(b"session\nlogin\n")
        said = drip(client, b"alice")
    assert said.startswith(GREETING + USER + b"cmdserver: nothing was asked within ")


@pytest.mark.usefixtures("impatient")
@both_hurried
def test_who_has_logged_in_has_time(listener: Listener) -> None:
    """From then on ``idle_seconds`` count."""
    with log_in(listener) as client:
        client.send(b"session\n")
        client.socket.settimeout(LOGIN_SECONDS * 1.5)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(LIMIT_SECONDS)
        client.send(b"df\nquit\n")
        assert client.read_all() == b"full\n"


# How many


@both
def test_unauthenticated_connections(tmp_path: Path, listener: Listener) -> None:
    """With so many who have not logged in, the next is told to come again; who leaves, or logs in, makes room."""
    with limited(tmp_path, {"unauthenticated": "2:100:2", **LENIENT}) as daemon, ExitStack() as stack:
        silent = [stack.enter_context(knock(listener)) for _ in range(2)]
        for client in silent:
            assert client.read_line() == USER
        busy = b"cmdserver: busy: 2 connections here have not logged in yet; try again in 5 s\n"
        for source in ("127.0.0.1", "127.0.0.2"):
            assert talk(listener, b"", source=source) == busy
        # Others are not concerned.
        assert daemon.ask("uptime\n").count(b"load average") == 1
        assert talk(OPTIONAL, b"uptime\n").startswith(GREETING)

        silent[0].close()
        inside = [stack.enter_context(client) for client in _let_in(listener, 3)]
        for client in inside:
            client.send(b"session\ndf\n")
            assert client.read_line() == b"full\n"

        # Who fails is gone too.
        silent[1].send(b"alice\nwrong\n")
        assert silent[1].read_all() == KEPT_OUT.removeprefix(USER)
        again = [stack.enter_context(knock(listener)) for _ in range(2)]
        assert [client.read_line() for client in again] == [USER, USER]
        assert talk(listener, b"") == busy


def _let_in(listener: Listener, count: int) -> Iterator[Client]:
    """Log in, one after the other; the first as soon as there is room."""
    wait_until(lambda: talk(listener, f"alice\n{ALICE}\nquit\n".encode()) == LET_IN, "there is room again")
    for _ in range(count):
        yield log_in(listener)


# How often


def test_penalties(tmp_path: Path) -> None:
    """Four wrong logins, and the source may not try for a while, at no listener; others may, or need not log in."""
    bad = "127.0.0.5"
    listener, over_tls = REQUIRED.values()
    with limited(tmp_path, {}) as daemon:
        for _ in range(4):
            assert talk(listener, b"alice\nwrong\n", source=bad) == KEPT_OUT

        for each in (listener, over_tls):
            said = talk(each, f"alice\n{ALICE}\n".encode(), source=bad).decode()
            text, _, rest = said.partition("; try again in ")
            assert text == f"cmdserver: throttled: too many logins from {bad} came to nothing"
            number, unit = rest.split()
            assert unit == "s"
            assert 15 <= int(number) <= 20
        # A right password does not help; that it was right is not to be told by anything.
        said = talk(OPTIONAL, f"login\nalice\n{ALICE}\n".encode(), source=bad).decode()
        assert said.startswith((GREETING + USER + PASSWORD).decode() + "cmdserver: throttled: too many logins from ")
        assert logins(daemon)[-1]["outcome"] == "throttled"
        assert logins(daemon)[-1]["source"] == bad
        assert f"logins from {bad} are refused for now" in daemon.log()

        assert b"load average" in daemon.ask("uptime\n", source=bad)
        assert b"load average" in talk(OPTIONAL, b"uptime\n", source=bad)
        assert may_log_in(listener, "alice", ALICE, source="127.0.0.6")
        assert may_log_in(over_tls, "alice", ALICE)


def test_penalties_of_those_who_only_look(tmp_path: Path) -> None:
    """To connect and leave costs little, but not nothing: some tens of times in a row are too many."""
    bad, listener = "127.0.0.5", REQUIRED[False]

    def looks() -> bool:
        with knock(listener, source=bad) as client:
            return client.read_line() != USER

    with limited(tmp_path, {"unauthenticated": "100:30:200"}):
        for _ in range(10):
            assert not looks()
        wait_until(looks, "the source is refused")
        assert may_log_in(listener, "alice", ALICE)


def test_a_person_who_mistypes(tmp_path: Path) -> None:
    """Two wrong passwords, and then the right one."""
    with limited(tmp_path, {}):
        for listener in REQUIRED.values():
            assert not may_log_in(listener, "alice", "wrong", source="127.0.0.5")
        assert may_log_in(REQUIRED[True], "alice", ALICE, source="127.0.0.5")


def test_penalty_exempt(tmp_path: Path) -> None:
    """Some sources are pardoned, and others are not; a reload changes who."""
    listener = REQUIRED[False]
    with limited(tmp_path, {"penalty_exempt": ["127.0.0.5"]}) as daemon:
        for source in ("127.0.0.5", "127.0.0.6"):
            for _ in range(5):
                talk(listener, b"alice\nwrong\n", source=source)
        assert may_log_in(listener, "alice", ALICE, source="127.0.0.5")
        assert talk(listener, b"", source="127.0.0.6").startswith(b"cmdserver: throttled: ")

        daemon.configure(COMMANDS, listeners=LISTENERS, roles=ROLES, limits=LENIENT)
        daemon.reload()
        assert may_log_in(listener, "alice", ALICE, source="127.0.0.6")


# What they cost

#: Measured again so many times: other processes of this machine may have been in the way.
TRIES = 3


def eventually(measure: Callable[[], str]) -> None:
    """Measure until it is as it should be; fail when it never is.

    Args:
        measure: Returns what is wrong, or nothing.
    """
    complaints = []
    for _ in range(TRIES):
        complaint = measure()
        if not complaint:
            return
        complaints.append(complaint)
    pytest.fail("; ".join(complaints))


def test_unknown_user_takes_as_long_as_a_wrong_password(tmp_path: Path) -> None:
    """A name that exists is not told by the work that it takes to refuse it.

    Counted in time of the daemon's on a processor, which depends little on what else a machine does.
    """
    with limited(tmp_path, cost=10) as daemon:
        listener = REQUIRED[False]

        def ticks(name: str) -> int:
            before = daemon.cpu_ticks()
            assert talk(listener, f"{name}\nwrong\n".encode()) == KEPT_OUT
            return daemon.cpu_ticks() - before

        def measure() -> str:
            pairs = [(ticks("nobody"), ticks("alice")) for _ in range(20)]
            unknown, wrong = (sum(each) for each in zip(*pairs, strict=True))
            assert wrong > 20, "no hashes were computed"
            good = abs(unknown - wrong) <= 0.15 * wrong
            return "" if good else f"unknown user {unknown} hundredths of a second, wrong password {wrong}"

        eventually(measure)


def test_flood_of_wrong_logins(tmp_path: Path) -> None:
    """Two hundred at once harm neither the listener beside it nor the memory.

    A hundred and fifty questions are answered one after the other before the flood is over: they do not wait for its
    hashes, of which there are fewer.
    """
    limits = {"unauthenticated": "400:30:400", **LENIENT}
    with limited(tmp_path, limits, cost=9) as daemon, ExitStack() as stack:
        listener = REQUIRED[False]
        daemon.ask("uptime\n")
        before = daemon.rss_bytes()
        clients = [
            stack.enter_context(knock(listener, source=f"127.3.{number // 100}.{number % 100 + 1}"))
            for number in range(200)
        ]
        for number, client in enumerate(clients):
            client.send(f"{'alice' if number % 2 else 'nobody'}\nwrong\nuptime\n".encode())
        for _ in range(150):
            assert b"load average" in daemon.ask("uptime\n")
        growth = daemon.rss_bytes() - before
        waiting = sum(not _has_ended(client) for client in clients)
        said = [client.read_all() for client in clients]
        refused = [each for each in said if each != KEPT_OUT]

        assert waiting, "the flood was over before the questions were answered"
        assert all(each.startswith(USER + PASSWORD + b"cmdserver: busy: ") for each in refused)
        assert 50 < len(refused) < 150
        assert growth < 30 << 20, growth
        assert may_log_in(listener, "alice", ALICE)


def _has_ended(client: Client) -> bool:
    """Whether the daemon has closed; nothing is taken from what is there to be read."""
    try:
        waiting = client.socket.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return waiting.count(b"\n") > 2


def test_limit_of_one_source(tmp_path: Path) -> None:
    """One source that has many checked at once is told to wait, and the others have their turn."""
    limits = {"unauthenticated": "400:30:400", **LENIENT}
    with limited(tmp_path, limits, cost=8), ExitStack() as stack:
        listener = REQUIRED[False]
        clients = [stack.enter_context(knock(listener, source="127.0.0.5")) for _ in range(60)]
        for client in clients:
            client.send(b"alice\nwrong\n")
        assert may_log_in(listener, "alice", ALICE)
        said = [client.read_all() for client in clients]

    busy = [each for each in said if b"cmdserver: busy: too many logins from your address are being checked" in each]
    assert 0 < len(busy) <= 35
    assert said.count(KEPT_OUT) == 60 - len(busy)


def test_reading_before_the_login_is_bounded(tmp_path: Path) -> None:
    """Megabytes that are sent ahead of a login stay in the network: they cost the daemon no memory."""
    listener = REQUIRED[False]
    with limited(tmp_path, cost=12) as daemon, knock(listener) as client:
        assert client.read_line() == USER
        before = daemon.rss_bytes()
        client.socket.settimeout(0.2)
        client.send(f"alice\n{ALICE}\nsession\n".encode())
        sent = 0
        with suppress(TimeoutError):
            for _ in range(200):
                sent += client.socket.send(b"df\n" * 30_000)
        assert daemon.rss_bytes() - before < 10 << 20
        assert sent < 20 << 20
        client.reset()


def test_handshakes_that_are_never_made(tmp_path: Path) -> None:
    """They count as connections that have not logged in."""
    listener = REQUIRED[True]
    with limited(tmp_path, {"unauthenticated": "3:100:3", **LENIENT}), ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Client(listener.address))
        with knock(listener, tls=believing()) as client:
            assert client.read_all().startswith(b"cmdserver: busy: 3 connections here have not logged in yet; ")


@both
def test_one_source_does_not_keep_others_out(tmp_path: Path, listener: Listener) -> None:
    """It has a few of the places of those who have not logged in, or not spoken TLS yet; a reload says how many."""
    limits = {"unauthenticated": "5:100:5", "unauthenticated_per_source": 3, **LENIENT}
    with limited(tmp_path, limits) as daemon, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Client(listener.address, source="127.0.0.5"))
        with knock(listener, source="127.0.0.5") as client:
            assert client.read_all().startswith(
                b"cmdserver: busy: 3 connections here from 127.0.0.5 have not logged in yet; "
            )
        for number in (6, 7, 8):  # one after the other
            assert may_log_in(listener, "alice", ALICE, source=f"127.0.0.{number}")
        text = daemon.config_file.read_text("utf-8")
        daemon.config_file.write_text(text.replace("unauthenticated_per_source = 3", "unauthenticated_per_source = 0"))
        daemon.reload()
        wait_until(lambda: may_log_in(listener, "alice", ALICE, source="127.0.0.5"), "the source is let in")


@both
def test_those_who_are_turned_away_are_not_kept(tmp_path: Path, listener: Listener) -> None:
    """More than ``connections`` never stand there for long, though they neither speak nor leave."""
    limits = {"connections": 20, "unauthenticated": "2:100:2", **LENIENT}
    # For a client over TLS to say that it has read the end.
    constants = {"cmdserver.net.tls_transport.FAREWELL_SECONDS": 0.3}
    with limited(tmp_path, limits, constants=constants) as daemon, ExitStack() as stack:
        descriptors = Path(f"/proc/{daemon.pid}/fd")
        idle = len(list(descriptors.iterdir()))
        for _ in range(200):
            stack.enter_context(Client(listener.address))
        wait_until(lambda: len(list(descriptors.iterdir())) <= idle + 20, "those turned away are gone")
