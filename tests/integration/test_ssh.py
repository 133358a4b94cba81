"""The SSH listener as users of OpenSSH find it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import LENIENT, ROLES, USERS, logins, write_passwords
from tests.integration.ssh import NO_STATUS, SSH, authorize, make_key

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="ssh")

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "uptime": {"run": ["uptime"], "help": "Since when"},
    "df": shell("echo full", help="How full"),
    "both": shell("echo out; echo err >&2; exit 3"),
    "killed": shell("kill -KILL $$"),
    "slow": shell("echo begun; sleep 60", timeout_seconds=0.3),
    "much": shell("yes", output_limit_bytes=1000),
    "loud": shell(r"printf 'a\033[31mb\n'"),
    "raw": shell(r"printf 'a\033[31mb\n'", raw=True),
    "arguments": shell("echo none"),
}
#: Alice may run everything but reboot.
MAY = {**ROLES, "reader": {"commands": [*COMMANDS], "users": ["alice"]}}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with an SSH listener, and users who have passwords."""
    everything = {**COMMANDS, "reboot": shell("echo rebooted"), "members": shell("echo members")}
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, everything, listeners=[LISTENER], roles=MAY, limits=LENIENT) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> SSH:  # noqa: ARG001 - it must run
    """Give somebody with a password."""
    return SSH(listener=LISTENER, directory=tmp_path)


@pytest.fixture
def keen_alice(daemon: Daemon, alice: SSH, tmp_path: Path) -> SSH:
    """Give somebody with a key."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return replace(alice, key=key)


def test_a_command(keen_alice: SSH) -> None:
    """Standard output and standard error come apart, with the command's own exit status."""
    done = keen_alice.run("both")

    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["nosuch"], 127, b'cmdserver: unknown_command: no command named "nosuch"'),
        (["reboot"], 126, b"cmdserver: denied: no role of alice includes reboot"),
        (["df", "x"], 64, b"cmdserver: bad_argument: df takes no arguments"),
        (["'df"], 2, b"cmdserver: malformed: unbalanced quotes"),
        (["login"], 64, b"cmdserver: bad_argument: you have logged in"),
        (["slow"], 124, b"cmdserver: slow: timeout: ran longer than 0.3 s"),
        (["much"], NO_STATUS, b"cmdserver: much: output truncated at 1000 bytes"),
        (["killed"], NO_STATUS, b""),
    ],
)
def test_what_goes_wrong(keen_alice: SSH, words: list[str], status: int, complaint: bytes) -> None:
    """Each code has its exit status, and its text on standard error."""
    done = keen_alice.run(*words)

    assert done.returncode == status
    assert done.stderr.startswith(complaint)


def test_words(keen_alice: SSH) -> None:
    """The words of the line protocol are commands, too."""
    assert keen_alice.run("help").stdout.startswith(b"Commands:\n")
    assert keen_alice.run("whoami").stdout.split() == b"name alice roles authenticated reader".split() + (
        b"protocol ssh address 127.0.0.1".split()
    )
    assert b"run                 uptime\n" in keen_alice.run("explain", "uptime").stdout
    assert json.loads(keen_alice.run("json", "df").stdout)["stdout"] == "full\n"
    refused = keen_alice.run("json", "nosuch")
    assert (json.loads(refused.stdout)["error"]["code"], refused.returncode) == ("unknown_command", 127)
    assert b"ssh   1\n" in keen_alice.run("who").stdout
    assert keen_alice.run("quit").returncode == 0


def test_terminal_control_sequences(keen_alice: SSH) -> None:
    """They are made visible, unless the command says that it means them."""
    assert keen_alice.run("loud").stdout == b"a^[[31mb\n"
    assert keen_alice.run("raw").stdout == b"a\x1b[31mb\n"


def test_lines_from_standard_input(keen_alice: SSH) -> None:
    """Without a terminal and a command, lines are answered in order; the status is the last one's."""
    done = keen_alice.run("-T", text=b"df\r\nboth\n\njson df\nnosuch")

    assert done.stdout.startswith(b"full\nout\n{")
    assert done.stderr.startswith(b"err\ncmdserver: unknown_command")
    assert done.returncode == 127
    assert keen_alice.run("-T", text=b"nosuch\ndf\n").returncode == 0
    assert keen_alice.run("-T", text=b"").returncode == 0
    assert keen_alice.run("-T", text=b"df\nquit\nboth\n").stdout == b"full\n"


def test_password(daemon: Daemon, alice: SSH) -> None:
    """A password lets in, as such and in a dialogue; what was used is written down."""
    for method in ("password", "keyboard-interactive"):
        client = replace(alice, options={"PreferredAuthentications": method})

        assert client.run("df").stdout == b"full\n"
        made = logins(daemon)[-1]
        assert (made["user"], made["method"], made["outcome"], made["protocol"]) == ("alice", method, "ok", "ssh")


def test_wrong_passwords(daemon: Daemon, alice: SSH) -> None:
    """After so many wrong passwords it is over; nobody is told why, but the audit file."""
    before = len(logins(daemon))
    for user, reason in (("alice", "wrong password"), ("nobody-like-that", "no such user")):
        options = {"PreferredAuthentications": "password", "NumberOfPasswordPrompts": "9"}
        done = replace(alice, user=user, password="wrong", options=options).run("df")

        assert done.returncode == NO_STATUS
        assert b"Too many authentication failures" in done.stderr
        refused = logins(daemon)[before:]
        before += len(refused)
        assert [(each["user"], each["outcome"], each["reason"]) for each in refused] == [(user, "denied", reason)] * 3


@pytest.mark.parametrize(
    "kind",
    [("ed25519",), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "384"), ("ecdsa", "-b", "521"), ("rsa", "-b", "2048")],
)
def test_kinds_of_keys(daemon: Daemon, alice: SSH, tmp_path: Path, kind: tuple[str, ...]) -> None:
    """All kinds of keys that OpenSSH makes let in, but for those of DSA."""
    key = make_key(tmp_path, *kind)
    authorize(daemon, "alice", key)

    assert replace(alice, key=key).run("df").stdout == b"full\n"


def test_a_key_that_is_not_listed(daemon: Daemon, keen_alice: SSH, tmp_path: Path) -> None:
    """It is of no use, and somebody who wonders why finds it in the audit file."""
    other = make_key(tmp_path, "rsa")
    done = replace(keen_alice, key=other, options={"PreferredAuthentications": "publickey"}).run("df")

    assert (done.returncode, done.stdout) == (NO_STATUS, b"")
    assert b"Permission denied" in done.stderr
    refused = logins(daemon)[-1]
    assert (refused["reason"], refused["method"]) == ("no such key", "publickey")
    assert refused["fingerprint"].startswith("SHA256:")


def test_options_of_keys(daemon: Daemon, keen_alice: SSH) -> None:
    """`from=`, `expiry-time=`, `command=` and `restrict` are what they are with sshd."""
    assert keen_alice.key is not None
    quiet = replace(keen_alice, options={"PreferredAuthentications": "publickey"})
    for options, status, output in (
        ('from="127.0.0.0/8"', 0, b"full\n"),
        ('from="10.0.0.0/8"', NO_STATUS, b""),
        ('from="!127.0.0.1,*"', NO_STATUS, b""),
        ('expiry-time="20200101"', NO_STATUS, b""),
        ('expiry-time="20990101"', 0, b"full\n"),
        ("restrict", 0, b"full\n"),
        ("no-such-option", NO_STATUS, b""),
    ):
        authorize(daemon, "alice", keen_alice.key, options=options)
        done = quiet.run("df")
        assert (done.returncode, done.stdout) == (status, output), options
    authorize(daemon, "alice", keen_alice.key, options='restrict,command="df"')
    for words in (["uptime"], ["slow"], ["-T"], ["quit"]):
        assert quiet.run(*words).stdout == b"full\n"


def test_what_is_not_there(daemon: Daemon, keen_alice: SSH) -> None:
    """Forwarding, agents, X11, subsystems and environment are refused, and the connection is as good as before."""
    refusals = {
        ("-W127.0.0.1:22",): b"stdio forwarding failed",
        ("-s", "sftp"): b"subsystem request failed",
        ("-oExitOnForwardFailure=yes", "-R2222:127.0.0.1:22", "df"): b"remote port forwarding failed",
    }
    for words, complaint in refusals.items():
        done = keen_alice.run(*words)
        assert (done.returncode, complaint in done.stderr) == (NO_STATUS, True), done

    assert keen_alice.run("-A", "-X", "-oSendEnv=*", "-R2222:127.0.0.1:22", "df").stdout == b"full\n"
    assert "Traceback" not in daemon.log()
