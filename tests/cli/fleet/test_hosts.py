"""Tests of ``cmdserver hosts``: who is there, who is missing, and who becomes known."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fleet.conftest import Ask
from tests.cli.fleet.doubles import CommandsBus, known_hosts_of
from tests.fleet.doubles import Delivered, Host, Sent, hosts_of
from tests.signing import fingerprint_of

Bus = type[CommandsBus]
HOSTS = hosts_of("a1", "b1", "c1")
NEW, OTHER, EVIL = Host("n1"), Host("n1"), Host("A1")


@pytest.fixture(autouse=True)
def known(known_hosts: Path) -> str:
    """Hosts that are known."""
    text = known_hosts_of(HOSTS)
    known_hosts.write_text(text)
    return text


def told(host: Host, **more: object) -> bytes:
    """Return what a host tells of itself."""
    said = {"key": host.signer.public_key, "version": "1.2", "since": "2026-01-01T00:00:00Z", "facts": {"role": "web"}}
    return json.dumps({**said, **more}).encode()


def present(*hosts: Host, **more: object) -> Any:
    """Have hosts answer."""

    def behave(sent: Sent) -> list[Delivered]:
        return [each for host in hosts for each in host.answer(sent, told(host, **more))]

    return staticmethod(behave)


def test_all_there(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of names, each with what it tells."""
    monkeypatch.setattr(bus, "hosts", present(*reversed(HOSTS.values())))
    result = run("hosts")

    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["HOST", "STATE", "SINCE", "VERSION", "FACTS"],
        *([name, "present", "2026-01-01T00:00:00Z", "1.2", "role=web"] for name in HOSTS),
        ["3", "there,", "0", "missing,", "0", "unverified"],
    ]
    (made,) = bus.made
    assert made.name == f"cmdserver hosts {made.sent[0].read().user}"
    assert made.was_ended


def test_who_is_missing(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the status is 1; so it is if nobody is there at all, or if nobody is known."""
    monkeypatch.setattr(bus, "hosts", present(HOSTS["b1"]))
    result = run("hosts", "--hosts", "a*,b1")
    assert result.exit_code == 1
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["b1", "present", "2026-01-01T00:00:00Z", "1.2", "role=web"],
        ["a1", "missing", "-", "-"],
        ["1", "there,", "1", "missing,", "0", "unverified"],
    ]
    assert bus.made[0].sent[0].read().audience.hosts == ("a*", "b1")
    result = run("hosts", "--hosts", "x*")
    assert (result.exit_code, result.stdout) == (1, "0 there, 0 missing, 0 unverified\n")
    assert run("hosts", "--hosts", "b1").exit_code == 0


def test_a_refusal(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that does not tell of itself is there; nothing that it says acts on a terminal."""
    for error, state in (
        ({"code": "denied"}, "denied"),
        ({"code": "a\x1b[2J\n"}, "a^[[2J^J"),
        ({}, "refused"),
        ("x", "refused"),
    ):
        monkeypatch.setattr(
            bus, "hosts", present(HOSTS["a1"], error=error, since="\x1b", version=["x"], facts={"a": "\n"})
        )
        result = run("hosts", "--hosts", "a1")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[1].split() == ["a1", state, "^[", "-", "a=^J"]
        assert json.loads(run("hosts", "--json", "--hosts", "a1").stdout)["hosts"][0]["state"] == state


def test_who_is_not_known(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path, known: str) -> None:
    """They are listed with the key that they show, count for nothing, and do not become known by themselves."""
    monkeypatch.setattr(bus, "hosts", present(NEW, EVIL, *HOSTS.values()))
    result = run("hosts")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()[-3:]] == [
        ["A1", "unverified", "-", "-", *f"known by another key than {fingerprint_of(EVIL.signer.public_key)}".split()],
        ["n1", "unverified", "-", "-", "not", "known:", fingerprint_of(NEW.signer.public_key)],
        ["3", "there,", "0", "missing,", "2", "unverified"],
    ]
    assert known_hosts.read_text() == known


def test_nobody_is_known(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path) -> None:
    """It is said how they become so; all that answer in the whole time are listed."""
    known_hosts.unlink()
    monkeypatch.setattr(bus, "hosts", present(NEW))
    result = run("hosts")
    assert result.exit_code == 1
    assert result.stderr == (
        "cmdserver: note: nobody is known yet: cmdserver hosts --accept-new adds those whose fingerprints you have "
        "compared\n"
    )
    assert not known_hosts.exists()
    monkeypatch.setattr(bus, "hosts", staticmethod(lambda _: ()))
    assert (run("hosts").stdout, run("hosts").stderr) == ("0 there, 0 missing, 0 unverified\n", "")


def test_how_long(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known hosts are waited for; where somebody may be new, the whole time is."""
    ends: list[float] = []
    real = CommandsBus.run

    async def watched(self: CommandsBus) -> None:
        try:
            await real(self)
        finally:
            from tests.fleet.doubles import now  # noqa: PLC0415 - the loop's

            ends.append(now())

    monkeypatch.setattr(CommandsBus, "run", watched)
    monkeypatch.setattr(bus, "hosts", present(*HOSTS.values()))
    for words, end in (
        ([], 0.3),
        (["--accept-new"], 2),
        (["--hosts", "x"], 2),
        (["--accept-new", "--timeout", "9"], 9),
        (["--timeout", "0.1"], 0.1),
    ):
        run("hosts", *words)
        assert ends.pop() == pytest.approx(end)
    assert run("hosts", "--timeout", "0").exit_code == 2


def test_accepting(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path, known: str) -> None:
    """New hosts are added, and count as there; their fingerprints are told. Next time they are known."""
    monkeypatch.setattr(bus, "hosts", present(NEW, *HOSTS.values()))
    result = run("hosts", "--accept-new")
    assert result.exit_code == 0
    fingerprint = fingerprint_of(NEW.signer.public_key)
    assert result.stderr == f"cmdserver: note: n1 is known now, by {fingerprint}\n"
    assert known_hosts.read_text() == f"{known}n1 {NEW.signer.public_key}\n"
    assert result.stdout.endswith("4 there, 0 missing, 0 unverified\n")
    assert "n1    present  2026-01-01T00:00:00Z  1.2      role=web\n" in result.stdout
    result = run("hosts", "--accept-new")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_first_host(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path) -> None:
    """It makes the file."""
    known_hosts.unlink()
    monkeypatch.setattr(bus, "hosts", present(NEW))
    assert run("hosts", "--accept-new").exit_code == 0
    assert known_hosts.read_text() == f"n1 {NEW.signer.public_key}\n"


def test_who_does_not_become_known(
    run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path, known: str
) -> None:
    """Another key for a known name, and two for a new one: both are told, and the file stays as it is."""
    monkeypatch.setattr(bus, "hosts", present(NEW, OTHER, EVIL))
    result = run("hosts", "--accept-new")
    assert result.exit_code == 1
    several = "n1 does not become known: several keys have answered, among them"
    assert sorted(result.stderr.splitlines()) == sorted(
        f"cmdserver: note: {text} {fingerprint_of(host.signer.public_key)}"
        for text, host in (
            ("A1 does not become known: known by another key than", EVIL),
            (several, NEW),
            (several, OTHER),
        )
    )
    assert known_hosts.read_text() == known
    assert result.stdout.endswith("0 there, 3 missing, 3 unverified\n")
    # A known host that somebody has answered for is listed once.
    assert [line.split()[0] for line in result.stdout.splitlines()[1:-1]] == ["b1", "c1", "A1", "n1", "n1"]
    listed = json.loads(run("hosts", "--json").stdout)
    assert [each["host"] for each in listed["hosts"]] == ["b1", "c1", "A1", "n1", "n1"]
    assert listed["summary"]["missing"] == ["a1", "b1", "c1"]


def test_nobody_new(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, known_hosts: Path) -> None:
    """No file is made; whoever signs nothing is not told of as if they had a key."""
    known_hosts.unlink()
    unsigned = {"Cmdserver-Status": "200", "Cmdserver-Host": "x"}
    monkeypatch.setattr(bus, "hosts", staticmethod(lambda _: [(unsigned, b"{}")]))
    result = run("hosts", "--accept-new")
    assert (result.exit_code, result.stderr) == (1, "")
    assert not known_hosts.exists()


def test_json(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object with all of it."""
    unsigned = {"Cmdserver-Status": "200", "Cmdserver-Host": "x"}

    def behave(sent: Sent) -> list[Delivered]:
        nan = b'{"version": NaN, "since": 1, "facts": {"a": "b", "c": 1e999}}'
        bodies = (HOSTS["a1"], told(HOSTS["a1"])), (HOSTS["b1"], nan), (NEW, told(NEW))
        return [*(each for host, body in bodies for each in host.answer(sent, body)), (unsigned, b"")]

    monkeypatch.setattr(bus, "hosts", staticmethod(behave))
    result = run("hosts", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout, parse_constant=pytest.fail) == {
        "hosts": [
            {
                "host": "a1",
                "state": "present",
                "seconds": 0.0,
                "version": "1.2",
                "since": "2026-01-01T00:00:00Z",
                "facts": {"role": "web"},
            },
            {"host": "b1", "state": "present", "seconds": 0.0, "version": None, "since": None, "facts": {"a": "b"}},
            {"host": "c1", "state": "missing"},
            {
                "host": "n1",
                "state": "unverified",
                "fingerprint": fingerprint_of(NEW.signer.public_key),
                "why": "not known:",
            },
            {"host": "x", "state": "unverified", "fingerprint": None, "why": "there is no signature-input"},
        ],
        "summary": {"present": 2, "missing": ["c1"], "unverified": 2},
    }


def test_usage(run: Ask) -> None:
    """What is no glob is told with the usage."""
    result = run("hosts", "--hosts", "a b")
    assert result.exit_code == 2
    assert "'a b' is neither a host's name" in result.stderr
