"""What answers look like, as text and as JSON."""

from collections.abc import Iterator

import pytest

from tests.integration.daemon import Daemon, is_alive, running, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

KEYS = {
    "id",
    "command",
    "arguments",
    "outcome",
    "ended_by",
    "exit_status",
    "signal",
    "stdout",
    "stderr",
    "truncated",
    "duration_seconds",
    "shared",
}

LIMIT = 100_000

#: Its leader, and a child that does not obey SIGTERM.
STUBBORN_CHILD = "echo before; echo trouble >&2; (trap '' TERM; sleep 1000) & sleep 1000"
STUBBORN = "trap '' TERM; echo before; sleep 1000 & sleep 1000"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose commands end in every way that there is."""
    commands = {
        "fine": shell("echo fine", help="Ends well", read_only=True),
        "fails": shell("echo said; exit 3", help="Ends badly"),
        "unfinished": shell("printf unfinished; exit 4"),
        "complains": shell("echo one >&2; echo two; echo three >&2; sleep 0.1; echo four"),
        "killed": shell("echo said; kill -KILL $$"),
        "endless": shell("yes", output_limit_bytes=LIMIT),
        "exact": shell(f"yes | head -c {LIMIT}", output_limit_bytes=LIMIT),
        "late": shell(STUBBORN_CHILD, timeout_seconds=0.5),
        "stubborn": shell(STUBBORN, timeout_seconds=0.5),
        "leaves": shell("sleep 1000 & echo left", timeout_seconds=1000),
        "colours": shell(r"printf '\033[31mred\033[0m\n\377\007\n'"),
        "rawcolours": shell(r"printf '\033[31mred\033[0m\n\377\007\n'", raw=True),
        "environment": {"run": ["env"], "environment": {"OWN": "word and word"}},
        "surroundings": shell("pwd; ls /proc/self/fd; cat; ulimit -n; ps -o pgid= -p $$ | tr -d ' '; echo $$"),
        "wide": {"run": ["printf", "%s|", "$HOME", "*", "a b", "`id`"], "working_directory": "/proc"},
    }
    with running(tmp_path_factory.mktemp("answers"), commands, limits={"running": 16}) as daemon:
        yield daemon


def test_json_answer(daemon: Daemon) -> None:
    """A JSON answer is one object on one line with exactly the keys that are promised."""
    answer = daemon.ask_json("fails")

    assert set(answer) == KEYS
    assert len(answer["id"]) >= 8
    assert answer["duration_seconds"] > 0
    assert {key: answer[key] for key in KEYS - {"id", "duration_seconds"}} == {
        "command": "fails",
        "arguments": [],
        "outcome": "failed",
        "ended_by": None,
        "exit_status": 3,
        "signal": None,
        "stdout": "said\n",
        "stderr": "",
        "truncated": False,
        "shared": False,
    }


def test_json_error(daemon: Daemon) -> None:
    """A JSON error is an object with a code and a message."""
    for text, code in (
        ("uptime", "unknown_command"),
        ("fine now", "bad_argument"),
        ("fine 'now", "malformed"),
        ("explain nothing", "unknown_command"),
    ):
        answer = daemon.ask_json(text)

        assert set(answer) == {"error"}
        assert answer["error"]["code"] == code
        assert answer["error"]["message"]


def test_json_ids_are_not_repeated(daemon: Daemon) -> None:
    """Every request has an id of its own, and it is the one in the audit file."""
    ids = [daemon.ask_json("fine")["id"] for _ in range(3)]

    assert len(set(ids)) == 3
    assert {line["id"] for line in daemon.audit()} >= set(ids)


def test_help(daemon: Daemon) -> None:
    """``help`` lists what the caller may run, with its help, and the words of the protocol."""
    said = daemon.ask("help\n").decode()

    for name in ("fine", "fails", "killed"):
        assert any(line.split()[:1] == [name] for line in said.splitlines()), name
    assert {"explain", "whoami", "who", "session", "json", "quit"} <= set(said.splitlines()[-1].split())
    assert "usage: explain COMMAND" in daemon.ask("help explain\n").decode()
    assert "Ends well" in said
    assert "Ends well" in daemon.ask("help fine\n").decode()
    (listed,) = daemon.ask_json("help fine")["commands"]
    assert (listed["name"], listed["help"], listed["read_only"]) == ("fine", "Ends well", True)


def test_explain(daemon: Daemon) -> None:
    """``explain`` tells what would run, as whom, with which limits, by which rule, and runs nothing."""
    said = daemon.ask("explain endless\n").decode()
    parsed = daemon.ask_json("explain endless")

    for word in ("sh -c yes", str(LIMIT), "30", "anonymous", "*"):
        assert word in said
    assert parsed["output_limit_bytes"] == LIMIT
    assert parsed["run"] == ["sh", "-c", "yes"]
    assert not any(line["command"] == "endless" for line in daemon.audit())


def test_whoami_and_who(daemon: Daemon) -> None:
    """``whoami`` tells name, roles, listener and address; ``who`` how many are connected, by protocol."""
    with daemon.connect() as another:
        another.read_greeting()

        assert daemon.ask_json("whoami", source="127.0.0.3") == {
            "name": None,
            "roles": ["anonymous"],
            "protocol": "line",
            "address": "127.0.0.3",
        }
        assert daemon.ask_json("who")["connected"]["line"] >= 2
        assert daemon.ask("who\n").startswith(b"line  ")


def test_suggestions(daemon: Daemon) -> None:
    """A name that is nearly right is answered with the nearest ones."""
    assert daemon.ask("fnie\n") == b'cmdserver: unknown_command: no command named "fnie"; did you mean fine?\n'
    assert daemon.ask("FINE\n").endswith(b"did you mean fine?\n")


def test_exit_status(daemon: Daemon) -> None:
    """A failure adds one line, a line of its own even after output that does not end in one."""
    assert daemon.ask("fine\n") == b"fine\n"
    assert daemon.ask("fails\n") == b"said\ncmdserver: fails: exit status 3\n"
    assert daemon.ask("unfinished\n") == b"unfinished\ncmdserver: unfinished: exit status 4\n"


def test_standard_error_comes_after_standard_output(daemon: Daemon) -> None:
    """Text answers have all of standard output, then all of standard error; JSON has them apart."""
    assert daemon.ask("complains\n") == b"two\nfour\none\nthree\n"
    answer = daemon.ask_json("complains")
    assert (answer["stdout"], answer["stderr"]) == ("two\nfour\n", "one\nthree\n")


def test_signal(daemon: Daemon) -> None:
    """A command that is killed by a signal says by which."""
    assert daemon.ask("killed\n") == b"said\ncmdserver: killed: ended by SIGKILL\n"
    answer = daemon.ask_json("killed")
    assert (answer["exit_status"], answer["signal"], answer["stdout"]) == (None, "SIGKILL", "said\n")


def test_truncated(daemon: Daemon) -> None:
    """Output over the limit ends the run, with exactly the limit's bytes shown and the word ``truncated``."""
    said = daemon.ask("endless\n")
    output, _, trailer = said.rpartition(b"cmdserver: ")
    answer = daemon.ask_json("endless")

    assert output == b"y\n" * (LIMIT // 2)
    assert trailer == f"endless: output truncated at {LIMIT} bytes\n".encode()
    assert (answer["truncated"], len(answer["stdout"])) == (True, LIMIT)
    wait_until(lambda: not daemon.processes(), "the whole group is gone")


def test_output_of_exactly_the_limit_is_not_truncated(daemon: Daemon) -> None:
    """The limit is what may be said, not what may not."""
    answer = daemon.ask_json("exact")

    assert (answer["truncated"], len(answer["stdout"]), answer["exit_status"]) == (False, LIMIT, 0)


def test_timeout(daemon: Daemon) -> None:
    """A timeout gives the output so far and the code, and the whole process group is gone by then."""
    with daemon.connect() as text, daemon.connect() as json_:
        for client, line in ((text, b"late\n"), (json_, b"json late\n")):
            client.read_greeting()
            client.send(line)
        said, parsed = text.read_all(), json_.read_all()

    assert said == b"before\ntrouble\ncmdserver: late: timeout: ran longer than 0.5 s and was ended\n"
    assert b'"code": "timeout"' in parsed
    assert b'"stdout": "before\\n"' in parsed
    wait_until(lambda: not daemon.processes(), "the whole group is gone")


def test_timeout_of_a_command_that_ignores_sigterm(daemon: Daemon) -> None:
    """What does not obey TERM is killed, and its caller is answered all the same."""
    assert daemon.ask("stubborn\n").startswith(b"before\ncmdserver: stubborn: timeout: ")
    wait_until(lambda: not daemon.processes(), "the whole group is gone")


def test_background_process_does_not_outlive_its_command(daemon: Daemon) -> None:
    """A child that keeps the pipe neither holds the answer up for long nor stays."""
    assert daemon.ask("leaves\n") == b"left\n"
    wait_until(lambda: not daemon.processes(), "nothing is left behind")


def test_terminal_control_is_visible(daemon: Daemon) -> None:
    """Escape sequences in output do not reach the terminal, unless the command says raw."""
    assert daemon.ask("colours\n") == b"^[[31mred^[[0m\n\xff^G\n"
    assert daemon.ask("rawcolours\n") == b"\x1b[31mred\x1b[0m\n\xff\x07\n"
    assert daemon.ask_json("colours")["stdout"] == "\x1b[31mred\x1b[0m\n\ufffd\x07\n"


def test_terminal_control_in_questions_is_not_echoed(daemon: Daemon) -> None:
    """What a stranger sends comes back visible too."""
    said = daemon.ask("session\n'\u009b31m\u202e'\nquit\n")

    assert said.startswith(b"cmdserver: ")
    assert said.count(b"\n") == 1
    assert "\u009b".encode() not in said


def test_environment(daemon: Daemon) -> None:
    """A command gets its own environment and a fixed minimal one, and nothing of the daemon's."""
    lines = daemon.ask("environment\n").decode().splitlines()

    assert {line.partition("=")[0] for line in lines} == {"PATH", "LANG", "HOME", "OWN", "CMDSERVER_TEST"}
    assert "OWN=word and word" in lines


def test_surroundings(daemon: Daemon) -> None:
    """A command runs in /, with an empty standard input, no descriptor of the daemon's, in a group of its own."""
    directory, *rest = daemon.ask("surroundings\n").decode().split()
    *descriptors, limit, group, pid = rest

    assert directory == "/"
    assert descriptors == ["0", "1", "2", "3"]  # the last is the one that ls lists with
    assert int(limit) > 0
    assert group == pid
    assert not is_alive(int(pid))


def test_nothing_is_expanded(daemon: Daemon) -> None:
    """The words of ``run`` reach the program as they are written."""
    assert daemon.ask("wide\n") == b"$HOME|*|a b|`id`|"
