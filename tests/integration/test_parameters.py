"""Commands that take values, with the clients that give them: nc and ssh; the web's are in `test_web_parameters`."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import LENIENT, USERS, files_with, pipe, require_program, write_passwords
from tests.integration.ssh import SSH, authorize, make_key
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="ssh")
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "parameters.md"
#: The examples there that change nothing.
HARMLESS = {"journal", "ping", "log", "units", "status", "changed", "disks"}
SECRET = "correct-horse-battery"  # noqa: S105 - nobody's

UNIT = {"name": "unit", "type": "choice", "choices": ["nginx", "web-1", "db"], "example": "web-1"}
LINES = {"name": "lines", "type": "integer", "minimum": 1, "maximum": 500, "default": 50}
SINCE = {"name": "since", "type": "datetime", "required": False}
WORDS = {"name": "words", "type": "string", "required": False, "repeat": 3, "may_begin_with_dash": True}
UTC = {"name": "utc", "type": "flag", "gives": ["--utc", "-u"]}

#: Prints each of its arguments on a line of its own.
SHOW = ["printf", "%s\\n"]

COMMANDS: Mapping[str, Mapping[str, Any]] = {
    "show": {
        "run": [*SHOW, "--unit={unit}", ["--lines={lines}"], ["--since", "{since}"], ["--", "{words}"], "{utc}"],
        "read_only": True,
        "help": "Shows its arguments",
        "parameters": [UNIT, LINES, SINCE, WORDS, UTC],
    },
    "free": {
        "run": [*SHOW, "<{text}>"],
        "parameters": [{"name": "text", "type": "string", "max_length": 4000, "min_length": 0}],
    },
    "braces": {"run": [*SHOW, "{unit}", "{{}}", "{"]},
    "tell": {
        # What it prints is kept in the history.
        **shell("sha256sum; printf %s \"$WORD\" | sha256sum; tr '\\0' ' ' </proc/$$/cmdline"),
        "stdin": "{user}:{password}\n",
        "environment": {"WORD": "{password}"},
        "parameters": [{"name": "user", "type": "string"}, {"name": "password", "type": "secret"}],
    },
    "text": {
        "run": ["wc", "-c"],
        "stdin": "{body}",
        "parameters": [{"name": "body", "type": "text"}],
    },
    "units": {**shell("printf 'a.service\\nb.service\\n-x\\n'; echo once >>COUNT"), "read_only": True},
    "broken": {**shell("echo a.service; exit 1"), "read_only": True},
    "pick": {"run": [*SHOW, "{u}"], "parameters": [{"name": "u", "type": "choice", "choices_from": "units"}]},
    "fail": {"run": [*SHOW, "{u}"], "parameters": [{"name": "u", "type": "choice", "choices_from": "broken"}]},
    "seldom": {"run": [*SHOW, "ran"], "rate_limit": "2/1h", "read_only": True},
}

ROLES: Mapping[str, Mapping[str, Any]] = {
    "anonymous": {"commands": ["*"], "only": {"show": {"unit": ["nginx", "web-*"]}}},
    "helpdesk": {"users": ["alice"], "commands": ["show"], "only": {"show": {"unit": ["web-*"], "lines": ["5?"]}}},
    "operator": {"users": ["alice"], "commands": ["pick", "tell", "free"]},
}


def with_count(directory: Path) -> Mapping[str, Mapping[str, Any]]:
    """Name the file in which the list's runs are counted."""
    count = shlex.quote(str(directory / "count"))
    units = {**COMMANDS["units"], "run": [word.replace("COUNT", count) for word in COMMANDS["units"]["run"]]}
    return {**COMMANDS, "units": units}


@pytest.fixture(scope="module", params=[True, False], ids=["runner", "no runner"])
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with and without its runner process."""
    directory = tmp_path_factory.mktemp("daemon")
    with running(
        directory,
        with_count(directory),
        listeners=[LISTENER],
        roles=ROLES,
        limits=LENIENT,
        runner={"process": request.param},
    ) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> SSH:
    """Give somebody with an SSH client and a key."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return SSH(listener=LISTENER, directory=tmp_path, key=key)


def asked(daemon: Daemon, line: str) -> str:
    """Ask with nc."""
    netcat = [require_program("nc"), "-N", "127.0.0.1", str(daemon.port)]
    return pipe(netcat, f"{line}\n".encode()).decode().partition("\n")[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("show nginx", ["--unit=nginx", "--lines=50"]),
        ("show unit=web-1 lines=+007", ["--unit=web-1", "--lines=7"]),
        ("show nginx 5 2026-11-28T09:30", ["--unit=nginx", "--lines=5", "--since", "2026-11-28T09:30:00"]),
        ("show utc=on unit=nginx", ["--unit=nginx", "--lines=50", "--utc", "-u"]),
        ("show utc=off unit=nginx", ["--unit=nginx", "--lines=50"]),
        ("show nginx words=-rf 'words=a b' 'words=$(id)'", ["--unit=nginx", "--lines=50", "--", "-rf", "a b", "$(id)"]),
        ("show nginx -- 5", ["--unit=nginx", "--lines=5"]),
        ("free -- text=x", ["<text=x>"]),
        ("free '`id`; rm -rf / | %s {unit} ~ *'", ["<`id`; rm -rf / | %s {unit} ~ *>"]),
        ("free text=", ["<>"]),
        ("braces", ["{unit}", "{{}}", "{"]),
    ],
)
def test_what_reaches_the_command(daemon: Daemon, line: str, words: list[str]) -> None:
    """Each value is one word, or a part of one, as it was given."""
    assert asked(daemon, line).splitlines() == words


@pytest.mark.parametrize(
    "line",
    [
        *(
            "show",
            "show -- -x",
            "show db",
            "show nginx 0",
            "show nginx x",
            "show nginx lines=1 lines=2",
            "show nginx nosuch=1",
        ),
        *("show nginx 5 5", "show nginx words=a words=b words=c words=d", "show nginx utc=perhaps", "show unit=--help"),
        *("free -rf", "free text=-rf", "free a b", "braces x", "braces unit=x", "pick c.service", "pick -- -x", "pick"),
        *("seldom x", "tell ann", "text body=x body=y"),
    ],
)
def test_what_is_refused(daemon: Daemon, line: str) -> None:
    """It is `bad_argument`, says why, and nothing runs."""
    before = len(daemon.audit())
    answer = asked(daemon, line)

    assert answer.startswith("cmdserver: bad_argument: "), answer
    ran = [each for each in daemon.audit()[before:] if each["exit_status"] is not None and each["command"] != "units"]
    assert ran == []


def test_all_mistakes_at_once(daemon: Daemon) -> None:
    """A program reads each with its parameter and what is near."""
    answer = json.loads(asked(daemon, "json show unit=ngin lines=900 since=x"))

    assert [each["parameter"] for each in answer["errors"]] == ["unit", "lines", "since"]
    assert (answer["error"]["parameter"], answer["error"]["suggestions"]) == ("unit", ["nginx"])
    assert "db" not in json.dumps(answer)


def test_what_is_written_down(daemon: Daemon) -> None:
    """The values as they were given to the command."""
    asked(daemon, "show web-1 007 utc=1")

    event = daemon.audit()[-1]
    assert (event["command"], event["arguments"]) == ("show", ["unit=web-1", "lines=7", "utc=true"])


def test_secrets(daemon: Daemon) -> None:
    """They reach standard input and the environment, and nothing else: no command line, no log, no file."""
    answer = asked(daemon, f"json tell ann password={SECRET}")
    refused = asked(daemon, f"tell ann {SECRET} {SECRET}")
    asked(daemon, f"explain tell ann {SECRET}")
    asked(daemon, f"tell ann passwort={SECRET}")

    said = json.loads(answer)
    lines = said["stdout"].splitlines()
    assert lines[:2] == [f"{sha256(text.encode()).hexdigest()}  -" for text in (f"ann:{SECRET}\n", SECRET)]
    assert SECRET not in lines[2]
    assert said["arguments"] == ["user=ann", "password=***"]
    assert SECRET not in refused
    kept = [f"history.sqlite3{end}" for end in ("", "-wal")]
    wait_until(lambda: any(each.name in kept for each in files_with(daemon, said["id"])), "the run is in the history")
    assert files_with(daemon, SECRET) == []


def test_a_text(daemon: Daemon) -> None:
    """It ends in a line break, and may be long."""
    assert asked(daemon, "text hello").split() == ["6"]
    assert asked(daemon, f"text {'x' * 8000}").split() == ["8001"]


def test_choices_that_a_command_prints(daemon: Daemon) -> None:
    """What it prints now is accepted, and its list is made for each question."""
    count = daemon.directory / "count"
    before = len(count.read_text().splitlines()) if count.exists() else 0

    assert asked(daemon, "pick b.service") == "b.service\n"
    assert "did you mean" in asked(daemon, "pick bb.service")
    assert len(count.read_text().splitlines()) == before + 2


def test_choices_that_cannot_be_listed(daemon: Daemon) -> None:
    """It is a fault of this host's; nothing runs, and the log says why."""
    answer = asked(daemon, "fail a.service")

    assert answer.startswith("cmdserver: fault: ")
    assert daemon.audit()[-1]["outcome"] == "fault"
    daemon.wait_for_log("broken printed no choices: exit status 1")


def test_how_often(daemon: Daemon) -> None:
    """After two runs there is none for an hour, and it is said how long."""
    answers = [asked(daemon, "seldom") for _ in range(3)]

    assert answers[:2] == ["ran\n", "ran\n"]
    assert answers[2].startswith("cmdserver: throttled: seldom may run 2 times in 1h, and has; try again in 3")


def test_what_a_role_may_give(alice: SSH) -> None:
    """Values that none of one's roles may give are denied; help shows only the others, and explain tells why."""
    given = alice.run("show web-1 lines=51")
    denied = alice.run("show nginx lines=51")
    by_default = alice.run("show web-1 lines=6")
    explained = alice.run("explain show web-1 lines=50")
    helped = alice.run("help show")

    assert (given.returncode, given.stdout) == (0, b"--unit=web-1\n--lines=51\n")
    assert (denied.returncode, by_default.returncode) == (126, 126)
    assert b"unit must be one of web-1" in denied.stderr
    assert b"role                helpdesk\n" in explained.stdout
    assert b"One of web-1\n" in helped.stdout
    assert b"nginx" not in helped.stdout


def test_exit_status(alice: SSH) -> None:
    """A bad argument is 64, as sysexits.h has it."""
    assert alice.run("pick c.service").returncode == 64


def test_a_reload(daemon: Daemon) -> None:
    """Other choices count from then on."""
    text = daemon.config_file.read_text()
    daemon.config_file.write_text(text.replace('"db"', '"mail"').replace('"web-*"]', '"web-*", "mail"]'))
    daemon.reload()

    assert asked(daemon, "show mail").startswith("--unit=mail\n")
    daemon.config_file.write_text(text)
    daemon.reload()
    assert asked(daemon, "show mail").startswith("cmdserver: bad_argument: ")
    wait_until(lambda: not daemon.processes(), "nothing is left")


def fenced(kind: str) -> list[str]:
    """Cut the blocks of a kind out of docs/parameters.md."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_examples_of_the_document(daemon_to_be: Daemon) -> None:
    """Those that change nothing are run as they stand there, if this host has their programs."""
    if not DOCUMENT.exists():
        pytest.skip("the documents are not here")
    blocks = {block: set(re.findall(r"^\[commands\.([\w-]+)\]", block, re.MULTILINE)) for block in fenced("toml")}
    programs = {block: re.findall(r'^run = \["([^"]+)"', block, re.MULTILINE) for block in blocks}
    here = [block for block, names in blocks.items() if names <= HARMLESS and all(map(shutil.which, programs[block]))]
    daemon_to_be.configure({})
    with daemon_to_be.config_file.open("a", encoding="utf-8") as file:
        file.writelines(here)
    daemon_to_be.start()
    known = {name for block in here for name in blocks[block]}
    asked = [
        line for line in re.findall(r"^(\w.*)\n→ ", "".join(fenced("runs")), re.MULTILINE) if line.split()[0] in known
    ]
    answers = {line: daemon_to_be.ask_json(line) for line in asked}

    # systemctl lists no units where systemd does not run, and then there is nothing to choose from.
    without_list = [line for line, answer in answers.items() if "error" in answer]
    assert [line for line in without_list if not line.startswith("status ")] == []
    for name in ("log dpkg.log", "changed 2026-11-27T22:00", "disks inodes=yes remote=on"):
        assert answers[name]["stdout"] or answers[name]["stderr"], answers[name]
    daemon_to_be.stop()
