"""Logging in by a dialogue: what is asked, who is let in, and what they may do then."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.client import GREETING
from tests.integration.daemon import Daemon, Listener, running
from tests.integration.logins import (
    ALICE,
    COMMANDS,
    FAILED,
    KEPT_OUT,
    LENIENT,
    LET_IN,
    PASSWORD,
    ROLES,
    USER,
    USERS,
    companion,
    files_with,
    knock,
    log_in,
    logins,
    may_log_in,
    pipe,
    require_program,
    talk,
    write_passwords,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

REQUIRED = {tls: Listener(login="required", tls=tls) for tls in (False, True)}
OPTIONAL = {tls: Listener(login="optional", tls=tls) for tls in (False, True)}
NEVER = Listener(login="never", tls=True)
LISTENERS = (*REQUIRED.values(), *OPTIONAL.values(), NEVER)

both_required = pytest.mark.parametrize("listener", REQUIRED.values(), ids=str)
both_optional = pytest.mark.parametrize("listener", OPTIONAL.values(), ids=str)

UNKNOWN = b'cmdserver: unknown_command: no command named "reboot"; try: help\n'
DENIED = "cmdserver: denied: no role of {} includes {}; ask the administrator for one that does\n"
#: A session of two commands, sent ahead with the login; socat and the netcats say that it ends there.
AHEAD = f"alice\n{ALICE}\nsession\nuptime\ndf\n".encode()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with every kind of listener."""
    with running(
        tmp_path_factory.mktemp("login"), COMMANDS, listeners=LISTENERS, roles=ROLES, limits=LENIENT
    ) as daemon:
        write_passwords(daemon)
        yield daemon


@pytest.fixture
def fresh(daemon: Daemon) -> Iterator[Daemon]:
    """The same, with its users as they were afterwards, whatever the test makes of them."""
    yield daemon
    write_passwords(daemon)


# The dialogue


@both_required
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_dialogue(listener: Listener, end: bytes) -> None:
    """One question, one answer, byte for byte; nothing is said before it is its turn."""
    with knock(listener) as client:
        assert client.read_line() == USER
        client.send(b"alice" + end)
        assert client.read_line() == PASSWORD
        client.send(ALICE.encode() + end)
        assert client.read_line() == GREETING
        client.send(b"whoami" + end)
        assert client.read_all() == (
            b"name      alice\nroles     authenticated reader\nprotocol  line\naddress   127.0.0.1\n"
        )


@both_required
def test_dialogue_byte_by_byte(listener: Listener) -> None:
    """However it is cut into pieces."""
    with knock(listener) as client:
        for byte in AHEAD + b"quit\n":
            client.send(bytes([byte]))
        said = client.read_all()

    assert said.startswith(LET_IN)
    assert said.endswith(b"\nfull\n")


@both_required
@pytest.mark.parametrize("name", ["long", "root"])
def test_passwords_are_taken_as_they_are(listener: Listener, name: str) -> None:
    """All of 72 bytes, and the blanks at both ends."""
    assert may_log_in(listener, name, USERS[name])


REFUSED: Mapping[str, tuple[bytes, bytes]] = {
    "unknown user": (b"nobody", ALICE.encode()),
    "wrong password": (b"alice", b"incorrect horse"),
    "another's password": (b"bob", ALICE.encode()),
    "empty password": (b"alice", b""),
    "empty name": (b"", ALICE.encode()),
    "nothing at all": (b"", b""),
    "73 bytes": (b"long", b"x" * 73),
    "71 bytes": (b"long", b"x" * 71),
    "a NUL after the password": (b"alice", ALICE.encode() + b"\0"),
    "blanks cut off": (b"root", USERS["root"].strip().encode()),
    "blanks added": (b"alice", ALICE.encode() + b" "),
    "upper case": (b"ALICE", ALICE.encode()),
    "NUL in the name": (b"alice\0", ALICE.encode()),
    "escape in the name": (b"\x1b[2Jalice", ALICE.encode()),
    "a forged line": (b'alice"}\r{"event":"login"', ALICE.encode()),
    "a path": (b"../alice", ALICE.encode()),
    "passwd itself": (b"../passwd", b""),
    "name not UTF-8": (b"\xff\xfealice", ALICE.encode()),
    "password not UTF-8": (b"alice", b"\xff\xfe"),
    "blank before the name": (b" alice", ALICE.encode()),
    "a word of the protocol": (b"quit", b"quit"),
    "a long name": (b"a" * 8000, ALICE.encode()),
}


@both_required
@pytest.mark.parametrize(("name", "password"), REFUSED.values(), ids=REFUSED)
def test_refused_alike(daemon: Daemon, listener: Listener, name: bytes, password: bytes) -> None:
    """Whatever was wrong, the same is said, and then it is over; why is written down."""
    before = len(logins(daemon))

    said = talk(listener, name + b"\n" + password + b"\nuptime\n")

    assert said == KEPT_OUT
    login = logins(daemon)[before]
    assert login["outcome"] == "denied"
    assert login["user"] == name.decode(errors="replace")
    assert login["reason"] == ("wrong password" if name in {b"alice", b"bob", b"root", b"long"} else "no such user")
    assert "request" not in [event["event"] for event in daemon.audit() if event["id"] == login["id"]]
    assert b"\x1b" not in daemon.audit_file.read_bytes()


@both_required
@pytest.mark.parametrize("ahead", [b"x" * 9000 + b"\n", b"alice\n" + b"x" * 9000 + b"\n"], ids=["name", "password"])
def test_answer_longer_than_a_line(listener: Listener, ahead: bytes) -> None:
    """It is malformed, as any such line, and the end."""
    said = talk(listener, ahead)

    assert said.removeprefix(USER).removeprefix(PASSWORD) == (
        b"cmdserver: malformed: the line is longer than 8192 bytes\n"
    )


@both_required
def test_silence_and_half_a_dialogue(listener: Listener) -> None:
    """A client that leaves in the middle leaves nothing, and the listener is open to the next."""
    for ahead in (b"", b"alice", b"alice\n", b"alice\ncorr"):
        with knock(listener) as client:
            client.send(ahead)
            assert client.read_line() == USER

    assert may_log_in(listener, "alice", ALICE)


def test_half_closed() -> None:
    """End of input is not an abort: a login that was asked for is made, and what came after it is answered."""
    with knock(REQUIRED[False]) as client:
        client.send(f"alice\n{ALICE}\nsession\ndf\ndf".encode())
        client.half_close()
        assert client.read_all() == LET_IN + b"full\nfull\n"


def test_gone_during_the_check() -> None:
    """A client that is gone before the answer troubles nobody."""
    for _ in range(5):
        client = knock(REQUIRED[False])
        client.send(f"alice\n{ALICE}\nsession\nuptime\n".encode())
        client.reset()

    assert may_log_in(REQUIRED[False], "alice", ALICE)


# optional and never


@both_optional
def test_optional(listener: Listener) -> None:
    """Anonymous first; after the word ``login`` with the user's roles."""
    anonymous, whoami, login = b"session\nreboot\nwhoami\n", b"whoami\n", f"login\nroot\n{USERS['root']}\n".encode()

    said = talk(listener, anonymous + login + whoami + b"reboot\nquit\n")

    assert (
        said
        == GREETING
        + UNKNOWN
        + b"name      (anonymous)\nroles     anonymous\nprotocol  line\n"
        + (b"address   127.0.0.1\n" + LET_IN)
        + b"name      root\nroles     authenticated admin\nprotocol  line\naddress   127.0.0.1\nrebooted\n"
    )


@both_optional
def test_optional_without_a_session(listener: Listener) -> None:
    """``login`` is no request: one can still be made."""
    assert talk(listener, f"login\r\nalice\r\n{ALICE}\r\ndf\r\n".encode()) == GREETING + LET_IN + b"full\n"


@both_optional
def test_optional_refused(listener: Listener) -> None:
    """A login that fails is the end, whatever could be done without."""
    assert talk(listener, b"session\nlogin\nalice\nwrong\nuptime\n") == GREETING + KEPT_OUT


@both_optional
def test_optional_twice(listener: Listener) -> None:
    """Who has logged in is who they are; and a password that was sent ahead is nobody's to read."""
    text = f"session\nlogin\nalice\n{ALICE}\njson login\nlogin bob\nlogin\nbob\n{ALICE}\n"

    said = talk(listener, text.encode()).removeprefix(GREETING + LET_IN).splitlines()

    assert json.loads(said[0])["error"]["code"] == "bad_argument"
    assert said[1].startswith(b"cmdserver: bad_argument: ")
    assert said[2:] == [b"cmdserver: bad_argument: you have logged in"]


@both_required
def test_login_where_it_is_required(listener: Listener) -> None:
    """It has been made."""
    said = talk(listener, f"alice\n{ALICE}\nlogin\n".encode())

    assert said == LET_IN + b"cmdserver: bad_argument: you have logged in\n"


def test_never(daemon: Daemon) -> None:
    """Without a login, the word is a mistake; over TLS too."""
    refusal = b"cmdserver: bad_argument: there is no login on this listener\n"

    assert talk(NEVER, b"login\nuptime\n") == GREETING + refusal
    assert daemon.ask("login\n") == refusal


# Lines that are sent ahead, with the clients that people have


@pytest.mark.parametrize(
    ("listener", "words", "half_closes"),
    [
        (REQUIRED[True], ["openssl", "s_client", "-quiet", "-connect", "{}:{}"], False),
        (REQUIRED[True], ["openssl", "s_client", "-quiet", "-tls1_2", "-connect", "{}:{}"], False),
        (REQUIRED[True], ["ncat", "--ssl", "{}", "{}"], True),
        (REQUIRED[True], ["socat", "-t10", "-", "OPENSSL:{}:{},verify=0"], True),
        (REQUIRED[False], ["socat", "-t10", "-", "TCP:{}:{}"], True),
        (REQUIRED[False], ["ncat", "{}", "{}"], True),
        (REQUIRED[False], ["nc.openbsd", "-N", "{}", "{}"], True),
        (REQUIRED[False], ["nc.openbsd", "{}", "{}"], False),
        (REQUIRED[False], ["nc.traditional", "{}", "{}"], False),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else str(value),
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_sent_ahead(listener: Listener, words: list[str], half_closes: bool, end: str) -> None:
    """All that was asked before the login was made is answered after it, in order."""
    numbers = iter((listener.address[0], listener.address[1]))
    filled = [word.format(*(next(numbers) for _ in range(word.count("{}")))) for word in words]

    said = pipe(filled, (AHEAD if half_closes else AHEAD + b"quit\n").replace(b"\n", end.encode()))

    assert said.startswith(LET_IN)
    uptime, full = said.removeprefix(LET_IN).splitlines()
    assert b"load average: " in uptime
    assert full == b"full"


# What a user may do


@dataclass(frozen=True)
class Kind:
    """Somebody, what they may run, and what they are told of everything else."""

    name: str | None
    commands: frozenset[str]

    def __str__(self) -> str:
        """Name them, for test names."""
        return self.name or "anonymous"

    def ask(self, text: str) -> bytes:
        """Ask one question at a listener where login is optional."""
        login = f"login\n{self.name}\n{USERS[self.name]}\n" if self.name else ""
        said = talk(OPTIONAL[True], f"{login}{text}\n".encode())
        return said.removeprefix(GREETING).removeprefix(LET_IN)


KINDS = (
    Kind(None, frozenset({"uptime"})),
    Kind("bob", frozenset({"members"})),
    Kind("alice", frozenset({"members", "uptime", "df"})),
    Kind("root", frozenset(COMMANDS)),
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@every_kind
def test_help_shows_what_they_may_run(kind: Kind) -> None:
    """Exactly that, in text and in JSON."""
    text = kind.ask("help").decode().partition("Words ")[0]
    listed = json.loads(kind.ask("json help"))["commands"]

    assert {line.split()[0] for line in text.splitlines()[1:]} == kind.commands
    assert {each["name"] for each in listed} == kind.commands


@every_kind
def test_run_and_explain(kind: Kind) -> None:
    """A user is denied what they may not have; for a stranger it does not exist, and looks like what does not."""
    for command in COMMANDS:
        ran, explained = json.loads(kind.ask(f"json {command}")), json.loads(kind.ask(f"json explain {command}"))
        if command in kind.commands:
            assert ran["exit_status"] == 0
            assert explained["command"] == command
        else:
            assert ran == explained
            assert ran["error"]["code"] == ("denied" if kind.name else "unknown_command")
    assert json.loads(kind.ask("json nothing"))["error"]["code"] == "unknown_command"


@every_kind
def test_suggestions(kind: Kind) -> None:
    """Only names that they may run are brought to mind, and none of a command that may change something."""
    for misspelt, command in (("rebot", None), ("member", "members"), ("uptine", "uptime")):
        suggestions = json.loads(kind.ask(f"json {misspelt}"))["error"]["suggestions"]
        assert suggestions == ([command] if command in kind.commands and command != "reboot" else [])


def test_denied_text() -> None:
    """What is said to a user; a stranger is told what is said of any word."""
    stranger, bob = KINDS[:2]

    assert bob.ask("df") == DENIED.format("bob", "df").encode()
    assert stranger.ask("reboot") == UNKNOWN
    assert stranger.ask("df") == UNKNOWN.replace(b"reboot", b"df")


# Users that change


@both_required
def test_changed_file_counts_from_the_next_login_on(fresh: Daemon, listener: Listener) -> None:
    """Without a restart; who is in stays in."""
    with log_in(listener) as client:
        client.send(b"session\n")
        write_passwords(fresh, {"alice": "another", "carol": "new"})

        assert not may_log_in(listener, "alice", ALICE)
        assert may_log_in(listener, "alice", "another")
        assert may_log_in(listener, "carol", "new")
        assert not may_log_in(listener, "bob", USERS["bob"])

        client.send(b"df\nquit\n")
        assert client.read_all() == b"full\n"


@both_required
def test_missing_and_broken_file(fresh: Daemon, listener: Listener) -> None:
    """Nobody is let in by a file that says nothing; lines that are no users harm nobody else."""
    passwords = fresh.state_directory / "passwd"
    good = passwords.read_text("ascii")

    passwords.unlink()
    assert not may_log_in(listener, "alice", ALICE)
    passwords.write_text(f"alice\n::\n\0\nbob:plain\n# {good}\n{good}", "ascii")
    assert may_log_in(listener, "alice", ALICE)
    assert not may_log_in(listener, "bob", "plain")
    passwords.write_text("alice:\nbob:*\nroot:!\n", "ascii")
    assert not may_log_in(listener, "alice", "")
    assert not may_log_in(listener, "bob", "*")


def test_file_that_others_may_write_to(fresh: Daemon) -> None:
    """It lets nobody in, and the log says why."""
    passwords = fresh.state_directory / "passwd"

    passwords.chmod(0o666)

    assert not may_log_in(REQUIRED[False], "alice", ALICE)
    assert "others may write to it" in fresh.log()


@pytest.mark.parametrize("options", [["-B"], ["-B", "-C", "8"]], ids=" ".join)
def test_htpasswd(fresh: Daemon, options: list[str]) -> None:
    """What ``htpasswd -B`` writes lets in."""
    htpasswd = require_program("htpasswd")
    path = fresh.state_directory / "passwd"
    subprocess.run([htpasswd, *options, "-b", str(path), "dora", "by htpasswd"], check=True, capture_output=True)

    assert may_log_in(REQUIRED[True], "dora", "by htpasswd")
    assert not may_log_in(REQUIRED[True], "dora", "by hand")
    assert may_log_in(REQUIRED[True], "alice", ALICE)


def test_companion(fresh: Daemon) -> None:
    """Users who are added, changed and removed by ``cmdserver`` count at the next login of the running daemon."""
    listener = REQUIRED[True]

    companion(fresh, "user", "add", "erin", password="first secret")
    assert may_log_in(listener, "erin", "first secret")
    companion(fresh, "user", "passwd", "erin", password="second secret")
    assert not may_log_in(listener, "erin", "first secret")
    assert may_log_in(listener, "erin", "second secret")
    assert "erin" in companion(fresh, "user", "list").stdout
    companion(fresh, "user", "remove", "erin")
    assert not may_log_in(listener, "erin", "second secret")
    assert may_log_in(listener, "alice", ALICE)
    assert not files_with(fresh, "first secret") + files_with(fresh, "second secret")


def test_roles_change_with_a_reload(fresh: Daemon) -> None:
    """A role that is taken away is gone for who is in already."""
    with log_in(REQUIRED[True], "root", USERS["root"]) as client:
        client.send(b"session\nreboot\n")
        assert client.read_line() == b"rebooted\n"
        roles = {name: role for name, role in ROLES.items() if name != "admin"}
        fresh.configure(COMMANDS, listeners=LISTENERS, roles=roles, limits=LENIENT)
        fresh.reload()

        client.send(b"reboot\nmembers\nquit\n")
        assert client.read_all() == DENIED.format("root", "reboot").encode() + b"members\n"
    fresh.configure(COMMANDS, listeners=LISTENERS, roles=ROLES, limits=LENIENT)
    fresh.reload()


# What is written down


def test_audit(daemon: Daemon) -> None:
    """Every login, made or refused, and who asked afterwards; no password, ever."""
    before = len(daemon.audit())
    wrong = "a secret that was mistyped"
    listener = REQUIRED[True]

    talk(listener, f"alice\n{ALICE}\nsession\ndf\nreboot\nquit\n".encode(), source="127.0.0.7")
    talk(listener, f"alice\n{wrong}\n".encode(), source="127.0.0.8")
    talk(listener, f"mallory\n{wrong}\n".encode())
    talk(OPTIONAL[False], f"login\nalice\n{wrong}\n".encode())

    made, df, denied, mistyped, unknown, optional = daemon.audit()[before:]
    assert made.items() >= {
        "event": "login", "protocol": "line", "source": "127.0.0.7", "user": "alice", "method": "password",
        "outcome": "ok", "reason": None, "fingerprint": None,
    }.items()  # fmt: skip
    assert made["time"].endswith("Z")
    for request, outcome in ((df, "ok"), (denied, "denied")):
        assert request.items() >= {
            "event": "request", "user": "alice", "method": "password", "source": "127.0.0.7", "outcome": outcome,
        }.items()  # fmt: skip
    for login, source, user, reason in (
        (mistyped, "127.0.0.8", "alice", "wrong password"),
        (unknown, "127.0.0.1", "mallory", "no such user"),
        (optional, "127.0.0.1", "alice", "wrong password"),
    ):
        assert login.items() >= {
            "event": "login", "source": source, "user": user, "method": "password", "outcome": "denied",
            "reason": reason,
        }.items()  # fmt: skip
    assert len({event["id"] for event in daemon.audit()}) == len(daemon.audit())


def test_passwords_are_nowhere(daemon: Daemon) -> None:
    """Neither in the state directory nor in the log, right or wrong, alone or cut off."""
    wrong = "never-to-be-seen-again"
    for listener in (*REQUIRED.values(), *OPTIONAL.values()):
        login = "login\n" if listener.login == "optional" else ""
        talk(listener, f"{login}alice\n{wrong}\n".encode())
        talk(listener, f"{login}bob\n{USERS['bob']}\nquit\n".encode())
        with knock(listener) as client:
            client.send(f"{login}alice\n{wrong}".encode())
        talk(listener, f"{login}alice\n{wrong}{'x' * 9000}\n".encode())
    wait_until(lambda: daemon.ask_json("who")["connected"] == {"line": 1}, "all have left")

    for secret in (wrong, *USERS.values()):
        assert not files_with(daemon, secret)


def test_login_that_cannot_be_written_down(tmp_path: Path) -> None:
    """Nobody is let in unseen: it is a fault."""
    listener = Listener()
    with running(
        tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT, audit_file="/dev/full"
    ) as daemon:
        write_passwords(daemon)

        said = talk(listener, f"alice\n{ALICE}\nuptime\n".encode())

        assert said.startswith(USER + PASSWORD + b"cmdserver: fault: ")
        assert FAILED not in said
        assert GREETING not in said
