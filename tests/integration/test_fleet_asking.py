"""``cmdserver ask`` and ``cmdserver hosts`` as people and programs use them, with real hosts on a real bus."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.daemon import free_port, shell
from tests.integration.fleet_bus import Fleet, fleet_of
from tests.integration.logins import companion, require_program
from tests.integration.member import make_key
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

NAMES = ("web-1", "web-2", "db-1")
#: Parts of 900,000 bytes, and more than a message of the bus may have.
BIG = 2_500_000
COMMANDS: Mapping[str, Mapping[str, object]] = {
    "uptime": {"run": ["uptime"], "read_only": True},
    "fails": shell("echo first; echo oh >&2; exit 3"),
    "echo": {"run": ["echo", "{text}"], "parameters": [{"name": "text", "type": "string"}]},
    "big": shell(f"head -c {BIG} /dev/zero | tr '\\0' x", output_limit_bytes=2 * BIG),
    "unlock": {
        "run": ["sh", "-c", "cat >/dev/null; echo open"],
        "stdin": "{word}",
        "parameters": [{"name": "word", "type": "secret", "default": "usual"}],
    },
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start three hosts."""
    require_program("nats-server")
    place = tmp_path_factory.mktemp("fleet")
    marks = place / "marks"
    commands = {
        **COMMANDS,
        "mark": shell(f"echo + >>{marks}; sleep 0.3; echo - >>{marks}"),
        # As long as there is such a file.
        "waits": shell(f"while test -e {place}/hold; do sleep 0.05; done; echo done", timeout_seconds=60),
        "sticks": shell(f"touch {place}/begun; while test -e {place}/stuck; do sleep 0.05; done", timeout_seconds=60),
    }
    with fleet_of(place, NAMES, commands) as fleet:
        yield fleet


def lines_of(text: str) -> list[dict[str, object]]:
    """Read ``--jsonl``."""
    return [json.loads(line) for line in text.splitlines()]


# Answers


def test_all(fleet: Fleet) -> None:
    """Each host has a line, as it comes, and the end says that all went well."""
    asked = fleet.ask("uptime")

    *lines, last = asked.output.splitlines()
    assert (asked.status, asked.errors) == (0, "")
    assert sorted(line.split()[0] for line in lines) == sorted(NAMES)
    assert all(line.split()[1] == "ok" and "load average" in line for line in lines)
    assert last.startswith("3 asked, 3 answered: 3 ok, 0 failed; ")


def test_json(fleet: Fleet) -> None:
    """One object, whose hosts are in order."""
    asked = fleet.ask("--json", "echo", "text=two words")

    assert asked.status == 0
    assert asked.summary == {"asked": 3, "answered": 3, "ok": 3, "failed": 0, "missing": []}
    assert [each["host"] for each in asked.json["hosts"]] == sorted(NAMES)
    assert {each["answer"]["stdout"] for each in asked.json["hosts"]} == {"two words\n"}


def test_lines_of_json(fleet: Fleet) -> None:
    """An object for each host as it comes, and the summary last; a command that fails is an answer."""
    asked = fleet.ask("--jsonl", "fails")

    *hosts, last = lines_of(asked.output)
    assert asked.status == 1
    assert {each["host"]: each["state"] for each in hosts} == dict.fromkeys(NAMES, "failed")
    assert last == {"summary": {"asked": 3, "answered": 3, "ok": 0, "failed": 3, "missing": []}}


def test_output(fleet: Fleet) -> None:
    """Each line of output stands behind its host's name."""
    asked = fleet.ask("--output", "--hosts", "db-1", "fails")

    head, *lines, last = asked.output.splitlines()
    assert head.split()[:2] == ["db-1", "failed"]
    assert lines == ["db-1: first", "db-1: oh"]
    assert last.startswith("1 asked, 1 answered: 0 ok, 1 failed")


def test_option_as_value(fleet: Fleet) -> None:
    """What stands behind the command and -- goes to the hosts, whatever it looks like."""
    asked = fleet.ask("--json", "--hosts", "db-1", "echo", "--", "--json")

    assert asked.states == {"db-1": "bad_argument"}, asked


def test_parts(fleet: Fleet) -> None:
    """An answer that is larger than any message of the bus comes in parts, and is whole and verified."""
    asked = fleet.ask("--json", "--hosts", "web-*", "big")

    assert asked.status == 0, asked.errors
    for each in asked.json["hosts"]:
        assert each["answer"]["stdout"] == "x" * BIG
        assert not each["answer"]["truncated"]


def test_unknown_command(fleet: Fleet) -> None:
    """The host's own words are shown."""
    asked = fleet.ask("--hosts", "db-1", "nonsense")

    assert asked.status == 1
    assert "unknown_command" in asked.output
    assert 'no command named "nonsense"' in asked.output


# Whom


def test_globs(fleet: Fleet) -> None:
    """Names and globs, whatever their case, several in one word or in many."""
    for words in (("--hosts", "WEB-*"), ("--hosts", "web-1,web-2"), ("--hosts", "web-1", "--hosts", "web-2")):
        assert fleet.ask("--json", *words, "uptime").states == {"web-1": "ok", "web-2": "ok"}


def test_nobody(fleet: Fleet, tmp_path: Path) -> None:
    """Nobody who is meant is no success, and it is said what to do."""
    asked = fleet.ask("--hosts", "mail-*", "uptime")
    assert (asked.status, asked.output) == (1, "")
    assert "no host in" in asked.errors
    assert "matches mail-*" in asked.errors
    asked = fleet.ask("--known-hosts", str(tmp_path / "none"), "uptime")
    assert asked.status == 1
    assert "cmdserver hosts --accept-new" in asked.errors


def test_where(fleet: Fleet) -> None:
    """By facts that hosts tell of themselves; who has none of them is not asked."""
    assert fleet.ask("--json", "--where", "kind=web", "uptime").states == {"web-1": "ok", "web-2": "ok"}
    assert fleet.ask("--json", "--where", "kind=*", "--where", "number=1", "uptime").states == {
        "web-1": "ok",
        "db-1": "ok",
    }
    nobody = fleet.ask("--where", "kind=mail", "uptime")
    assert nobody.status == 1
    assert "no host that is there has kind=mail" in nobody.errors


@contextmanager
def ghost(fleet: Fleet) -> Iterator[None]:
    """Have ann know a host that is not there."""
    fleet.ann.know({**fleet.keys, "ghost": fleet.keys["web-1"]})
    try:
        yield
    finally:
        fleet.ann.know(fleet.keys)


def test_absent(fleet: Fleet) -> None:
    """That nobody listens is known at once, and is no success."""
    with ghost(fleet):
        began = time.monotonic()
        asked = fleet.ask("--json", "--timeout", "50", "uptime")
        assert time.monotonic() - began < 25

    assert asked.status == 1
    assert asked.summary == {"asked": 4, "answered": 3, "ok": 3, "failed": 0, "missing": ["ghost"]}
    assert next(each for each in asked.json["hosts"] if each["host"] == "ghost")["why"] == "not connected to the bus"


def test_absent_by_facts(fleet: Fleet) -> None:
    """Who might have been meant and could not be asked for its facts is missing, too."""
    with ghost(fleet):
        asked = fleet.ask("--json", "--where", "kind=web", "uptime")

    assert asked.status == 1
    assert asked.states == {"web-1": "ok", "web-2": "ok", "ghost": "missing"}


# How


def test_batches(fleet: Fleet) -> None:
    """One after another, each signed when its turn has come, with a pause between."""
    marks = fleet.place / "marks"
    marks.unlink(missing_ok=True)
    began = time.monotonic()
    assert fleet.ask("--batch", "1", "--wait", "0.2", "mark").status == 0
    assert time.monotonic() - began > 3 * 0.3 + 2 * 0.2
    assert marks.read_text().split() == ["+", "-"] * 3


def test_fail_fast(fleet: Fleet) -> None:
    """After the first failure nobody else is asked, and who was not is named."""
    asked = fleet.ask("--json", "--batch", "1", "--fail-fast", "fails")

    assert asked.status == 1
    assert asked.states == {"db-1": "failed", "web-1": "not-asked", "web-2": "not-asked"}
    assert asked.summary["asked"] == 1
    assert asked.summary["not_asked"] == ["web-1", "web-2"]


def test_timeout(fleet: Fleet) -> None:
    """Who does not answer in time is named, and not waited for."""
    hold = fleet.place / "hold"
    hold.touch()
    try:
        asked = fleet.ask("--hosts", "web-1,db-1", "--timeout", "0.5", "waits")
    finally:
        hold.unlink()
    assert asked.status == 1
    assert asked.output.splitlines()[-1] == "no verified answer from 2: db-1 web-1"


def test_interrupt(fleet: Fleet) -> None:
    """Ctrl-C ends it with what there is so far, and not as a success."""
    place = fleet.place
    (place / "stuck").touch()
    with fleet.ann.start("ask", "--hosts", "web-*", "sticks") as asking:
        wait_until((place / "begun").exists, "it runs")
        asking.send_signal(signal.SIGINT)
        output, errors = asking.communicate(timeout=LIMIT_SECONDS)
    assert asking.returncode == 130
    assert output.splitlines()[-1] == "no verified answer from 2: web-1 web-2"
    assert "Traceback" not in errors
    (place / "stuck").unlink()
    (place / "begun").unlink()


def test_reader_that_leaves(fleet: Fleet) -> None:
    """Whoever reads one line and goes (``| head -1``) has not to wait for the others, and sees no traceback."""
    place = fleet.place
    (place / "hold").touch()
    try:
        fleet.ann.know({**fleet.keys, "ghost-1": fleet.keys["web-1"], "ghost-2": fleet.keys["web-1"]})
        with fleet.ann.start("ask", "--jsonl", "--timeout", "40", "waits") as asking:
            assert asking.stdout is not None
            began = time.monotonic()
            asking.stdout.readline()
            asking.stdout.close()
            (place / "hold").unlink()
            assert asking.stderr is not None
            errors = asking.stderr.read()
            asking.wait(LIMIT_SECONDS)
        assert "Traceback" not in errors, errors
        assert asking.returncode != 0
        assert time.monotonic() - began < 20
    finally:
        fleet.ann.know(fleet.keys)


def test_no_bus(fleet: Fleet, tmp_path: Path) -> None:
    """A bus that is away is told at once, with its address."""
    configuration = tmp_path / "cmdserver.toml"
    port = free_port()
    configuration.write_text(f'[fleet]\nserver = "nats://127.0.0.1:{port}"\nname = "prod"\n')
    for command in (("ask", "uptime"), ("hosts",)):
        asked = fleet.ann.run(command[0], f"--config={configuration}", *command[1:])
        assert (asked.status, asked.output) == (1, "")
        assert f"nats://127.0.0.1:{port} cannot be reached" in asked.errors


def test_no_configuration(fleet: Fleet, tmp_path: Path) -> None:
    """Who has none is shown what to write."""
    configuration = tmp_path / "cmdserver.toml"
    configuration.write_text("")
    asked = fleet.ask(f"--config={configuration}", "uptime")
    assert asked.status == 1
    assert "[fleet]" in asked.errors
    assert "Error" in asked.errors or "cmdserver" in asked.errors


# By which key


@pytest.mark.parametrize(
    ("kind", "options"), [("ecdsa", ("-b", "256")), ("ecdsa", ("-b", "384")), ("rsa", ("-b", "2048"))]
)
def test_kinds_of_keys(fleet: Fleet, tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    """What is not Ed25519 signs as well."""
    make_key(tmp_path / "key", kind, *options)
    web = fleet.members["web-1"]
    companion(web, "key", "add", "bob", str(tmp_path / "key.pub"))
    asked = fleet.ask("--json", "--user", "bob", "--identity", str(tmp_path / "key"), "--hosts", "web-1", "uptime")
    assert asked.states == {"web-1": "ok"}, asked
    denied = fleet.ask("--json", "--user", "bob", "--identity", str(tmp_path / "key"), "--hosts", "web-1", "fails")
    assert denied.states == {"web-1": "denied"}


def test_keys_that_cannot(fleet: Fleet, tmp_path: Path) -> None:
    """One that has no RFC 9421 algorithm is refused before anything is sent."""
    make_key(tmp_path / "key", "ecdsa", "-b", "521")
    asked = fleet.ask("--identity", str(tmp_path / "key"), "uptime")
    assert (asked.status, asked.output) == (1, "")
    assert "nistp521" in asked.errors


@pytest.fixture
def agent_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an ssh-agent."""
    path = tmp_path_factory.mktemp("a") / "s"
    agent = subprocess.Popen([require_program("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "ssh-agent listens")
        yield str(path)
    finally:
        agent.terminate()
        agent.wait(LIMIT_SECONDS)


def test_ssh_agent(fleet: Fleet, agent_socket: str, tmp_path: Path) -> None:
    """The agent's key signs, with no file; and the one of several whose public half is named."""
    require_program("ssh-add")
    web = fleet.members["web-1"]
    environment = {"SSH_AUTH_SOCK": agent_socket}
    for name, kind in (("first", "rsa"), ("second", "ecdsa")):
        make_key(tmp_path / name, kind)
        companion(web, "key", "add", "bob", str(tmp_path / f"{name}.pub"))
        subprocess.run(["ssh-add", "-q", str(tmp_path / name)], env=fleet.ann.environment(**environment), check=True)
        (tmp_path / name).unlink()
    for words in ((), ("--identity", str(tmp_path / "second.pub"))):
        asked = fleet.ask("--json", "--user", "bob", *words, "--hosts", "web-1", "uptime", **environment)
        assert asked.states == {"web-1": "ok"}, asked
    subprocess.run(["ssh-add", "-q", "-D"], env=fleet.ann.environment(**environment), check=True)
    asked = fleet.ask("--user", "bob", "--identity", str(tmp_path / "second.pub"), "uptime", **environment)
    assert asked.status == 1
    assert "ssh-agent does not hold the private half" in asked.errors


def test_unknown_key(fleet: Fleet, tmp_path: Path) -> None:
    """A key that no host knows: it is told soon, and so that somebody can tell what is wrong."""
    make_key(tmp_path / "key")
    began = time.monotonic()
    asked = fleet.ask("--json", "--identity", str(tmp_path / "key"), "uptime")
    assert time.monotonic() - began < 20
    assert asked.status == 1
    assert set(asked.states.values()) == {"unverified"}
    assert all("does not know your key" in each["why"] for each in asked.json["hosts"])
    assert asked.summary["missing"] == sorted(NAMES)


def test_key_from_somewhere(fleet: Fleet, tmp_path: Path) -> None:
    """A key with from= is refused, as over a bus no address is known."""
    web = fleet.members["web-2"]
    line = make_key(tmp_path / "key")
    file = web.state_directory / "authorized_keys" / "ann"
    before = file.read_text()
    file.write_text(f'{before}from="*" {line}\n')
    try:
        asked = fleet.ask("--json", "--identity", str(tmp_path / "key"), "--hosts", "web-2", "uptime")
    finally:
        file.write_text(before)
    assert asked.states == {"web-2": "unverified"}
    refused = [each for each in web.audit() if each["event"] == "login" and each["outcome"] != "ok"]
    assert refused[-1]["protocol"] == "fleet"


def test_secrets(fleet: Fleet) -> None:
    """A secret is refused by the host; and before it is sent, where the caller's configuration knows the command."""
    asked = fleet.ask("--json", "--hosts", "web-1", "unlock", "word=mellon")
    assert asked.states == {"web-1": "denied"}
    assert "word is secret" in asked.json["hosts"][0]["answer"]["error"]["message"]
    assert "mellon" not in fleet.members["web-1"].audit_file.read_text()
    assert fleet.ask("--json", "--hosts", "web-1", "unlock").states == {"web-1": "ok"}
    asked = fleet.ask(f"--config={fleet.members['web-1'].config_file}", "unlock", "word=mellon")
    assert (asked.status, asked.output) == (1, "")
    assert "unlock takes a secret (word)" in asked.errors


def test_audit(fleet: Fleet) -> None:
    """Each host writes down who has asked it, and by which way."""
    before = {name: len(each.audit()) for name, each in fleet.members.items()}
    assert fleet.ask("echo", "for-the-audit").status == 0
    for name, each in fleet.members.items():
        login, request = each.audit()[before[name] :]
        for line in (login, request):
            assert (line["protocol"], line["source"], line["user"], line["method"]) == (
                "fleet", "fleet", "ann", "signature",
            )  # fmt: skip
        assert (request["command"], request["arguments"], request["outcome"]) == ("echo", ["text=for-the-audit"], "ok")


# Who is there


def test_hosts(fleet: Fleet) -> None:
    """A table of who is there, and the same for programs."""
    asked = fleet.ann.run("hosts")
    heading, *rows, last = asked.output.splitlines()
    assert (asked.status, last) == (0, "3 there, 0 missing, 0 unverified")
    assert heading.split() == ["HOST", "STATE", "SINCE", "VERSION", "FACTS"]
    assert [row.split()[:2] for row in rows] == [[name, "present"] for name in sorted(NAMES)]
    assert "kind=web number=1" in rows[1]
    with ghost(fleet):
        asked = fleet.ann.run("hosts", "--json", "--timeout", "1")
    assert asked.status == 1
    assert asked.summary == {"present": 3, "missing": ["ghost"], "unverified": 0}
    assert fleet.ann.run("hosts", "--hosts", "web-*").output.splitlines()[-1] == "2 there, 0 missing, 0 unverified"


def test_accept_new(fleet: Fleet, tmp_path: Path) -> None:
    """Who is not known is listed with a fingerprint, and becomes known only when that is asked for."""
    file = tmp_path / "new/known_hosts"
    words = ("hosts", "--timeout", "1", "--known-hosts", str(file))
    unknown = fleet.ann.run(*words)
    assert unknown.status == 1
    assert unknown.output.count("SHA256:") == 3
    assert "--accept-new" in unknown.errors
    assert not file.exists()
    accepted = fleet.ann.run(*words, "--accept-new", "--hosts", "web-1")
    assert accepted.status == 0, accepted
    assert file.read_text() == f"web-1 {fleet.keys['web-1']}\n"
    assert accepted.errors.count("is known now, by SHA256:") == 1
    assert fleet.ask("--json", "--known-hosts", str(file), "uptime").states == {"web-1": "ok"}


def test_changed_key(fleet: Fleet, tmp_path: Path) -> None:
    """A host that shows another key than is known is never accepted anew, and its answers do not count."""
    file = tmp_path / "known_hosts"
    text = f"web-1 {make_key(tmp_path / 'other')}\nweb-2 {fleet.keys['web-2']}\n"
    file.write_text(text)
    words = ("--hosts", "web-*", "--known-hosts", str(file))
    asked = fleet.ann.run("hosts", "--accept-new", "--timeout", "1", *words)
    assert asked.status == 1
    assert "web-1 does not become known: known by another key than SHA256:" in asked.errors
    assert file.read_text() == text
    asked = fleet.ask("--json", "--timeout", "2", *words, "uptime")
    assert asked.states == {"web-1": "unverified", "web-2": "ok"}
    assert (asked.status, asked.summary["missing"]) == (1, ["web-1"])


# Circumstances


def test_without_a_name(fleet: Fleet) -> None:
    """Whose user has no name here, as in many a container, is told to say one, and no traceback."""
    if subprocess.run(["id", "-u"], capture_output=True, check=True).stdout != b"0\n":
        pytest.skip("only root becomes somebody else")
    require_program("setpriv")
    environment = {"HOME": str(fleet.ann.home), "PATH": "/usr/bin:/bin"}
    for words in (("ask", "uptime"), ("hosts",)):
        done = subprocess.run(
            ["setpriv", "--reuid=54321", "--clear-groups", *fleet.ann.command(*words)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr


def test_known_hosts_that_cannot_be_read(fleet: Fleet, tmp_path: Path) -> None:
    """A directory in its place, say, is told in a line."""
    asked = fleet.ask("--known-hosts", str(tmp_path), "uptime")
    assert asked.status == 1
    assert str(tmp_path) in asked.errors
