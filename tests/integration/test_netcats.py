"""The netcats that people have, over TCP, TCP on IPv6, and a UNIX socket."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.client import GREETING, NETCATS, Client, Netcat
from tests.integration.daemon import Daemon, free_port, has_ipv6, running, shell

pytestmark = pytest.mark.slow

SESSION = b"session\r\nslow\nfirst\r\nwhoami\r\nslow\nnobody\nfirst\n"
ANSWERS = (
    b"slow\nfirst\n"
    b"name      (anonymous)\nroles     anonymous\nprotocol  line\naddress   127.0.0.1\n"
    b'slow\ncmdserver: unknown_command: no command named "nobody"; try: help\nfirst\n'
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, public_directory: Path) -> Iterator[Daemon]:
    """A daemon with a listener of each kind."""
    directory = tmp_path_factory.mktemp("netcats")
    six = free_port()
    with running(directory, {"uptime": {"run": ["uptime"]}}) as daemon:
        commands = {
            "uptime": {"run": ["uptime"], "read_only": True},
            "slow": shell("sleep 0.2; echo slow"),
            "first": shell("echo first"),
        }
        listeners = [daemon.endpoint(), f"unix:{public_directory}/socket:mode=660"]
        if has_ipv6():
            listeners.append(rf"tcp6:{six}:interface=\:\:1")
        daemon.configure(commands, listen=listeners)
        daemon.reload()
        assert "nothing was changed" not in daemon.log()
        (directory / "six").write_text(str(six), "ascii")
        yield daemon


@pytest.mark.parametrize("netcat", NETCATS, ids=str)
def test_one_command_ends_by_itself(daemon: Daemon, netcat: Netcat) -> None:
    """``echo uptime | nc localhost PORT`` gives the answer and ends, with any nc."""
    said = netcat.talk(("localhost", str(daemon.port)), b"uptime\n")

    assert said.startswith(GREETING)
    assert b"load average: " in said
    assert said.count(b"\n") == 2


@pytest.mark.parametrize("netcat", [each for each in NETCATS if each.half_closes], ids=str)
def test_a_last_line_needs_no_line_feed(daemon: Daemon, netcat: Netcat) -> None:
    """``printf first | nc -N`` is answered when the client half-closes."""
    assert netcat.talk(("127.0.0.1", str(daemon.port)), b"first") == GREETING + b"first\n"


@pytest.mark.parametrize("netcat", NETCATS, ids=str)
def test_pipelined_session_is_answered_in_order(daemon: Daemon, netcat: Netcat) -> None:
    """All that was asked before the client half-closed, or said quit, is answered, in order, whatever its line ends."""
    text = SESSION if netcat.half_closes else SESSION + b"quit\r\nfirst\n"

    assert netcat.talk(("127.0.0.1", str(daemon.port)), text) == GREETING + ANSWERS


@pytest.mark.parametrize("netcat", NETCATS, ids=str)
def test_without_session_only_one_line_is_answered(daemon: Daemon, netcat: Netcat) -> None:
    """One request a connection: the second line is ignored."""
    said = netcat.talk(("127.0.0.1", str(daemon.port)), b"first\nslow\n")

    assert said == GREETING + b"first\n"


@pytest.mark.parametrize("netcat", [each for each in NETCATS if each.words[0] != "nc.traditional"], ids=str)
def test_ipv6(daemon: Daemon, netcat: Netcat) -> None:
    """A tcp6 listener answers as the others do, and says where the caller is from."""
    if not has_ipv6():
        pytest.skip("this host has no IPv6")
    port = (daemon.directory / "six").read_text("ascii")

    said = netcat.talk(("::1", port), b"json whoami\n", ("-6",))

    assert json.loads(said.removeprefix(GREETING))["address"] == "::1"


@pytest.mark.parametrize("netcat", [each for each in NETCATS if each.words[0] != "nc.traditional"], ids=str)
@pytest.mark.usefixtures("daemon")
def test_unix_socket(public_directory: Path, netcat: Netcat) -> None:
    """``nc -U`` reaches a unix listener, whose socket file has the mode that the endpoint says."""
    path = public_directory / "socket"

    said = netcat.talk((str(path),), b"json whoami\n", ("-U",))

    assert json.loads(said.removeprefix(GREETING))["address"] == "unix"
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("netcat", NETCATS, ids=str)
def test_refusal_of_a_megabyte_arrives(daemon: Daemon, netcat: Netcat) -> None:
    """A megabyte without a line end is read to its end, so that the refusal is not lost in a reset."""
    said = netcat.talk(("127.0.0.1", str(daemon.port)), b"x" * (1 << 20) + b"\n")

    assert said == GREETING + b"cmdserver: malformed: the line is longer than 8192 bytes\n"


@pytest.mark.usefixtures("daemon")
def test_half_close_over_unix_socket(public_directory: Path) -> None:
    """The end of input is no abort on a UNIX socket either."""
    with Client(str(public_directory / "socket")) as client:
        client.read_greeting()
        client.send(b"session\nslow\nfirst\n")
        client.half_close()

        assert client.read_all() == b"slow\nfirst\n"


@pytest.mark.parametrize("netcat", NETCATS, ids=str)
def test_an_answer_is_data_alone(tmp_path: Path, netcat: Netcat) -> None:
    """With ``greeting = ""``; from a reload on, which keeps the port."""
    with running(tmp_path, {"first": shell("echo first")}) as daemon:
        address = ("127.0.0.1", str(daemon.port))
        assert netcat.talk(address, b"first\n") == GREETING + b"first\n"
        text = daemon.config_file.read_text("utf-8")
        daemon.config_file.write_text(text.replace("[[listen]]", '[[listen]]\ngreeting = ""', 1), "utf-8")
        daemon.reload()

        assert netcat.talk(address, b"first\n") == b"first\n"
