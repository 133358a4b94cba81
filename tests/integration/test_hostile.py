"""Clients that are odd, hostile, or gone."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, running, shell
from tests.waiting import wait_until, wait_until_steady

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20

#: Growth of the daemon's memory that is a mistake.
TOO_MUCH = 20 * MEGABYTE


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose memory is warm."""
    commands = {
        "uptime": {"run": ["uptime"], "read_only": True},
        "word": shell("echo word"),
        "slow": shell("sleep 0.4; echo slow"),
        "long": shell("echo begun; sleep 1000"),
        "longshared": shell("sleep 1000", share=True),
        "flood": shell("yes | head -c 200000000", output_limit_bytes=1 << 30),
    }
    with running(tmp_path_factory.mktemp("hostile"), commands, limits={"running": 64}) as daemon:
        daemon.ask("session\n" + "word\nnobody\n" * 20 + "quit\n")
        yield daemon


@pytest.fixture(autouse=True)
def _nothing_runs_before_and_after(daemon: Daemon) -> Iterator[None]:
    """Whatever a client does, nothing is left running for it."""
    yield
    wait_until(lambda: not daemon.processes(), "nothing runs any more")


# Odd


def test_one_byte_at_a_time(daemon: Daemon) -> None:
    """A line may come in any number of pieces."""
    with daemon.connect() as client:
        client.read_greeting()
        for byte in "session\r\nword\r\n'héllo'\nword\n".encode():
            client.send(bytes([byte]))
            time.sleep(0.002)
        client.half_close()

        answers = client.read_all().decode()

    assert answers == 'word\ncmdserver: unknown_command: no command named "héllo"; try: help\nword\n'


def test_all_at_once_with_the_end_of_input(daemon: Daemon) -> None:
    """Lines and FIN that are there before the greeting is read are answered."""
    with daemon.connect() as client:
        client.send(b"session\nword\n\n \r\nword")
        client.half_close()
        client.read_greeting()

        assert client.read_all() == b"word\nword\n"


def test_end_of_input_is_no_abort(daemon: Daemon) -> None:
    """A command that runs when the client half-closes runs on."""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"slow\n")
        wait_until(daemon.processes, "the command runs")
        client.half_close()

        assert client.read_all() == b"slow\n"


def test_nothing_asked(daemon: Daemon) -> None:
    """A client that leaves without a word is let go at once."""
    with daemon.connect() as client:
        client.read_greeting()
        client.half_close()

        assert client.read_all() == b""


def test_web_browser_at_the_wrong_door(daemon: Daemon) -> None:
    """An HTTP request is one unknown command, and the end."""
    said = daemon.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert said.startswith(b"cmdserver: unknown_command: ")
    assert said.count(b"\n") == 1


# Gone


@pytest.mark.parametrize(
    "asked", [b"long\n", b"json long\n", b"longshared\n"], ids=lambda asked: asked.decode().strip()
)
def test_vanished_client(daemon: Daemon, asked: bytes) -> None:
    """The command of a client that is gone altogether is ended, and the audit file says so."""
    before = len(daemon.audit())
    client = daemon.connect()
    client.read_greeting()
    client.send(asked)
    wait_until(daemon.processes, "the command runs")
    client.reset()

    wait_until(lambda: not daemon.processes(), "the command is ended")
    wait_until(lambda: len(daemon.audit()) == before + 1, "it is in the audit file")
    assert daemon.audit()[-1]["signal"] == "SIGTERM"


def test_client_vanishes_after_its_end_of_input(daemon: Daemon) -> None:
    """A reset is noticed on a connection of which nothing more is read."""
    client = daemon.connect()
    client.read_greeting()
    client.send(b"session\nlong\nword\n")
    client.half_close()
    wait_until(daemon.processes, "the command runs")
    client.reset()

    wait_until(lambda: not daemon.processes(), "the command is ended")


def test_client_vanishes_with_lines_unread(daemon: Daemon) -> None:
    """A reset is noticed while the daemon leaves what was sent ahead in the network."""
    client = daemon.connect()
    client.read_greeting()
    client.send(b"session\nlong\n" + b"word\n" * 20_000)
    wait_until(daemon.processes, "the command runs")
    client.reset()

    wait_until(lambda: not daemon.processes(), "the command is ended")


def test_client_vanishes_without_reading(daemon: Daemon) -> None:
    """A reset is noticed while the command waits for its reader."""
    client = daemon.connect(receive_buffer=4096)
    client.send(b"flood\n")
    wait_until(daemon.processes, "the command runs")
    assert client.socket.recv(4096)
    client.reset()

    wait_until(lambda: not daemon.processes(), "the command is ended")


def test_one_of_many_vanishes(daemon: Daemon) -> None:
    """Those who wait for the same answer still get it."""
    with daemon.connect() as stays:
        stays.read_greeting()
        stays.send(b"slow\n")
        with daemon.connect() as leaves:
            leaves.read_greeting()
            leaves.send(b"slow\n")
            wait_until(lambda: len(daemon.processes()) > 1, "both run")
            leaves.reset()

        assert stays.read_all() == b"slow\n"


# Never reading


def test_client_that_never_reads(daemon: Daemon) -> None:
    """Output for a client that does not read waits in its command, not in the daemon, and others are served."""
    before = daemon.rss_bytes()
    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(daemon.connect(receive_buffer=4096))
            client.send(b"flood\n")
        wait_until(lambda: len(daemon.processes()) >= 4, "the commands run")
        wait_until_steady(lambda: _sizes(daemon), "nothing more is taken")
        for _ in range(20):
            assert daemon.ask("word\n") == b"word\n"
            assert daemon.rss_bytes() - before < TOO_MUCH
        assert len(daemon.processes()) >= 4


def _sizes(daemon: Daemon) -> int:
    """How much the daemon's commands have written so far."""
    total = 0
    for pid in daemon.processes():
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{pid}/io").read_text("ascii").partition("wchar: ")[2].split()[0])
    return total


def test_the_kernel_keeps_little_for_who_does_not_read(daemon: Daemon) -> None:
    """What is sent to a client that has read fast, so that its window is wide, and then no more, is bounded, too."""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"flood\n")
        client.read_exactly(20 * MEGABYTE)
        port = client.socket.getsockname()[1]
        queued = wait_until_steady(lambda: _send_queue(daemon.port, port), "nothing more is taken")

    assert 0 < queued < 256 << 10


def _send_queue(server: int, client: int) -> int:
    """Look up how many bytes wait in the kernel at the daemon's end of a connection."""
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, ours, theirs, _, queues, *_ = line.split()
        if (ours[-4:], theirs[-4:]) == (f"{server:04X}", f"{client:04X}"):
            return int(queues.partition(":")[0], 16)
    raise AssertionError("no such connection")


def test_slow_reader_gets_everything(daemon: Daemon) -> None:
    """A client that reads late gets all 200 MB, through a daemon that stays small."""
    before, length, last = daemon.rss_bytes(), 0, b""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"flood\n")
        while data := client.socket.recv(MEGABYTE):
            length, last = length + len(data), data
            assert daemon.rss_bytes() - before < TOO_MUCH

    assert (length, last[-2:]) == (200_000_000, b"y\n")


def test_lines_of_a_client_that_never_reads(daemon: Daemon) -> None:
    """The daemon stops reading from a client that does not read its answers."""
    before = daemon.rss_bytes()
    with daemon.connect(receive_buffer=4096) as client:
        client.send(b"session\n")
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.send(b"nobody\n" * 10_000_000)

        assert daemon.rss_bytes() - before < TOO_MUCH
        assert daemon.ask("word\n") == b"word\n"


# Malformed


def test_ten_thousand_unknown_commands(daemon: Daemon) -> None:
    """However many lines come at once, each is answered, in order, and the daemon does not grow."""
    before = daemon.rss_bytes()
    lines = [f"x{number}" for number in range(10_000)]
    with daemon.connect() as client:
        client.read_greeting()
        text = "session\n" + "\n".join([*lines, "quit"]) + "\n"
        sending = threading.Thread(target=client.send, args=[text.encode()])
        sending.start()
        answers = client.read_all().decode().splitlines()
        sending.join()

    assert answers == [f'cmdserver: unknown_command: no command named "{line}"; try: help' for line in lines]
    assert daemon.rss_bytes() - before < TOO_MUCH


def test_megabyte_without_line_end(daemon: Daemon) -> None:
    """A line that is too long is refused as soon as it is, whatever else would have come."""
    before = daemon.rss_bytes()
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"a" * MEGABYTE)

        assert client.read_all() == b"cmdserver: malformed: the line is longer than 8192 bytes\n"
    assert daemon.rss_bytes() - before < TOO_MUCH


def test_longest_line(daemon: Daemon) -> None:
    """A line may have exactly ``line_bytes``, and not one more."""
    assert daemon.ask(b"'" + b"a" * 8190 + b"'\r\n").startswith(b"cmdserver: unknown_command: ")
    assert daemon.ask(b"'" + b"a" * 8191 + b"'\n").startswith(b"cmdserver: malformed: ")


def test_malformed_lines_do_not_end_a_session(daemon: Daemon) -> None:
    """NUL, bytes that are not UTF-8 and unbalanced quotes are refused, each in its turn."""
    said = daemon.ask(b"session\nwo\0rd\nword\n\xff\xfe\nword\nword 'word\nword \"\\\nword\nquit\n")

    lines = said.decode().splitlines()
    codes = [line.split(":")[1].strip() if line.startswith("cmdserver: ") else line for line in lines]
    assert codes == ["malformed", "word", "malformed", "word", "malformed", "malformed", "word"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("uptime; id", "unknown_command"),
        ("uptime;id", "unknown_command"),
        ("$(id)", "unknown_command"),
        ("`id`", "unknown_command"),
        ("uptime $(id)", "bad_argument"),
        ("uptime `id`", "bad_argument"),
        ("uptime | id", "bad_argument"),
        ("uptime && id", "bad_argument"),
        ("uptime > /tmp/x", "bad_argument"),
        ("uptime --help", "bad_argument"),
        ("/usr/bin/id", "unknown_command"),
        ("../../bin/id", "unknown_command"),
        ("up\\\\time", "unknown_command"),
        ("'uptime", "malformed"),
        ('uptime "', "malformed"),
        ("uptime \\", "malformed"),
    ],
)
def test_no_shell_ever_sees_it(daemon: Daemon, line: str, code: str) -> None:
    """What would mean something to a shell means nothing here: it is refused, and nothing is run."""
    said = daemon.ask(f"{line}\n")

    assert said.startswith(f"cmdserver: {code}: ".encode())
    assert said.count(b"\n") == 1
    assert b"uid=" not in said
    assert daemon.audit()[-1]["outcome"] == code


def test_quotes_are_only_quotes(daemon: Daemon) -> None:
    """A line is split as a shell splits it: a quoted name is that name."""
    assert daemon.ask("'wo'\"rd\"\n") == b"word\n"


def test_audit_lines_cannot_be_forged(daemon: Daemon) -> None:
    """Whatever a client sends, the audit file has one ASCII line for each request."""
    before = len(daemon.audit())
    lines = ['\'","event":"login"}\'', "'\u2028{}'", "'\u0085\u009b\u202e'", "'\x7f'", "é\u0000", "'\\n\\r'"]

    daemon.ask("session\n" + "".join(f"{line}\n" for line in lines) + "quit\n")

    raw = daemon.audit_file.read_bytes()
    assert len(daemon.audit()) == before + len(lines)
    assert raw.isascii()
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in raw)


# Many


def test_hundreds_connect_at_once(daemon: Daemon) -> None:
    """Five hundred callers at the same moment are all answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(500)]
        for client in clients:
            client.send(b"uptime\n")
        answers = [client.read_all() for client in clients]

    assert all(b"load average: " in answer for answer in answers)


def test_stopped_clients_do_not_stop_others(daemon: Daemon) -> None:
    """Clients that connect and say nothing cost others nothing."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(daemon.connect())

        assert daemon.ask("word\n") == b"word\n"


def test_descriptors_are_given_back(daemon: Daemon) -> None:
    """After all that, the daemon has no more open descriptors than it had with nobody there."""
    held = Path(f"/proc/{daemon.pid}/fd")

    def gone() -> bool:
        return bool(daemon.ask_json("who")["connected"] == {"line": 1})

    wait_until(gone, "only one is connected")
    before = len(list(held.iterdir()))
    for number in range(20):
        client = daemon.connect()
        client.send(b"word\n" if number % 2 else b"long\n")
        if number % 4 < 2:
            client.reset()
        else:
            client.close()  # what the command says next is answered with a reset

    wait_until(gone, "only one is connected")
    # The pipes of a command may outlive its caller for as long as it takes to end it.
    wait_until(lambda: len(list(held.iterdir())) <= before + 1, "the descriptors are given back")
