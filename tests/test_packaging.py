"""What ``packaging/`` says to systemd and to pip; ``packaging/deb/test-install`` tries the package itself."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import trustme

from cmdserver.config.daemon_user import USUAL_USER
from cmdserver.config.loading import Source
from cmdserver.config.schema.host import Limits
from cmdserver.fleet.agent.agent import MOST_UNANSWERED
from cmdserver.fleet.membership import SOCKET_NAME

PROJECT = Path(__file__).parent.parent
PACKAGING = PROJECT / "packaging"
UNIT = PACKAGING / "systemd" / "cmdserver.service"
SOCKET = UNIT.with_suffix(".socket")
AGENT = PACKAGING / "systemd" / "cmdserver-agent.service"
EXAMPLES = PACKAGING / "systemd" / "examples"
BUS = PACKAGING / "nats" / "bus.conf"
BUS_SERVICE = PACKAGING / "nats" / "bus-service.conf"
#: Debian's unit of the bus, which the drop-in is for.
NATS = Path("/lib/systemd/system/nats-server.service")

#: Of ten: what `systemd-analyze security` may say of a unit.
EXPOSURES = {UNIT: 2.0, AGENT: 1.3}

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def settings(unit: Path = UNIT) -> dict[str, list[str]]:
    """Read a unit: what stands behind each key, in the order of the lines."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit.read_text("utf-8"), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def run(*words: str | Path, status: int | None = 0) -> str:
    """Run a program of systemd; return all that it says."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert status is None or done.returncode == status, said
    return said


def installed(directory: Path, *drop_ins: Path) -> list[Path]:
    """Put the units where they can be verified, with a program that is there."""
    for unit in (UNIT, AGENT):
        text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE)
        (directory / unit.name).write_text(text)
    shutil.copy(SOCKET, directory)
    for each in drop_ins:
        (directory / f"{UNIT.name}.d").mkdir(exist_ok=True)
        shutil.copy(each, directory / f"{UNIT.name}.d")
    return [directory / each.name for each in (UNIT, SOCKET, AGENT)]


@needs_analyze
@pytest.mark.parametrize("unit", EXPOSURES, ids=lambda path: path.stem)
def test_the_sandbox(unit: Path) -> None:
    """It is as tight as promised."""
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit, status=None)

    overall = re.search(rf"Overall exposure level for {re.escape(unit.name)}: ([0-9.]+)", said)
    assert overall is not None, said
    assert float(overall[1]) <= EXPOSURES[unit], said


@needs_analyze
@pytest.mark.parametrize("drop_ins", [(), tuple(EXAMPLES.glob("*.conf"))], ids=["unit", "drop-ins"])
def test_the_units(drop_ins: tuple[Path, ...], tmp_path: Path) -> None:
    """Systemd has nothing to say about them, nor about the drop-ins that we show."""
    units = installed(tmp_path, *drop_ins)

    said = run("systemd-analyze", "verify", "--man=no", *units)

    # The host's own units are read as well, and are not ours to mend.
    assert [line for line in said.splitlines() if "cmdserver" in line] == []


def test_what_the_daemon_needs() -> None:
    """What the sandbox must leave it; each line was tried, and something is lost without it."""
    unit = settings()

    assert unit["Type"] == ["notify"]  # systemd 252 knows no notify-reload
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["Delegate"] == ["yes"]  # a control group for each command
    assert "ProtectControlGroups" not in unit
    assert "MemoryDenyWriteExecute" not in unit  # OpenSSL calls back into Python
    assert not {"ProtectProc", "ProcSubset"} & set(unit)  # ps, uptime
    assert "seccomp" in unit["SystemCallFilter"][0].split()  # the daemon's own filter
    assert unit["SystemCallErrorNumber"] == ["EPERM"]  # commands are told, not killed
    assert unit["User"] == unit["Group"] == [USUAL_USER]
    assert int(unit["LimitNOFILE"][0]) > Limits().connections


def test_what_the_agent_needs() -> None:
    """What its sandbox must leave it, and what it must not have; packaging/deb/test-install tries it with systemd."""
    unit = settings(AGENT)

    assert unit["Type"] == ["notify"]
    assert unit["User"] == unit["Group"] == [USUAL_USER]  # whose alone the daemon's socket is
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]
    assert unit["SystemCallFilter"][-1] == "prlimit64 setrlimit"  # it bounds its own memory
    assert int(unit["LimitNOFILE"][0]) > 2 * MOST_UNANSWERED
    # It comes back, however often it ends; and lives without the daemon, which it neither starts nor stops.
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert UNIT.name in unit["After"][0]
    assert not {"PartOf", "BindsTo", "Requires", "Requisite", "Wants"} & set(unit)
    # Nothing is writable.
    assert unit["ProtectSystem"] == ["strict"]
    assert not {"ReadWritePaths", "StateDirectory", "RuntimeDirectory", "LogsDirectory", "CacheDirectory"} & set(unit)


def test_what_the_agent_does_not_see() -> None:
    """All files of the state directory that docs/commands.md lists, those of credentials first."""
    hidden = {each.removeprefix("-") for line in settings(AGENT)["InaccessiblePaths"] for each in line.split()}
    text = (PROJECT / "docs" / "commands.md").read_text("utf-8").partition("\n## Files\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    files = {name for row in rows for name in re.findall(r"`([\w.-]+)(?:/NAME)?`", row)}

    assert {"passwd", "authorized_keys", "ssh_host_ed25519_key", "tls.key"} <= files
    assert {f"/var/lib/cmdserver/{name}" for name in files - {SOCKET_NAME}} <= hidden
    assert f"/var/lib/cmdserver/{SOCKET_NAME}" not in hidden


def test_the_agent_is_not_started() -> None:
    """Nor enabled: it takes a bus, which no package knows."""
    rules = (PACKAGING / "deb" / "debian" / "rules").read_text("utf-8")

    assert "dh_installsystemd --name=cmdserver-agent --no-enable --no-start cmdserver-agent.service" in rules


@pytest.mark.skipif(shutil.which("nats-server") is None, reason="nats-server is not installed")
def test_the_bus(tmp_path: Path) -> None:
    """The bus takes its configuration."""
    authority = trustme.CA()
    certificate = authority.issue_cert("bus.example")
    certificate.private_key_pem.write_to_path(str(tmp_path / "bus.key"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "bus.pem"))
    (tmp_path / "bus.conf").write_text(BUS.read_text("utf-8").replace("/etc/nats", str(tmp_path)))

    assert "is valid" in run("nats-server", "-t", "-c", tmp_path / "bus.conf")


@needs_analyze
@pytest.mark.skipif(not NATS.exists(), reason="nats-server has no unit here")
def test_the_unit_of_the_bus(tmp_path: Path) -> None:
    """Systemd has nothing to say about the drop-in for Debian's unit."""
    shutil.copy(NATS, tmp_path)
    (tmp_path / f"{NATS.name}.d").mkdir()
    shutil.copy(BUS_SERVICE, tmp_path / f"{NATS.name}.d")

    said = run("systemd-analyze", "verify", "--man=no", tmp_path / NATS.name)

    assert [line for line in said.splitlines() if "nats" in line] == []


def test_the_user_and_the_directories(tmp_path: Path) -> None:
    """Systemd makes them as the daemon wants to find them."""
    if shutil.which("systemd-sysusers") is None or shutil.which("systemd-tmpfiles") is None or os.geteuid() != 0:
        pytest.skip("root alone makes users and gives them directories, with systemd-sysusers and systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("adm:x:4:\n")

    run("systemd-sysusers", f"--root={tmp_path}", UNIT.with_suffix(".sysusers"))
    run("systemd-tmpfiles", "--create", f"--root={tmp_path}", UNIT.with_suffix(".tmpfiles"))

    user = next(line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines() if USUAL_USER in line)
    assert user[5:] == ["/var/lib/cmdserver", "/usr/sbin/nologin"]
    found = {
        path: (oct(status.st_mode & 0o7777), status.st_uid)
        for path in ("var/lib/cmdserver", "var/log/cmdserver")
        for status in [(tmp_path / path).stat()]
    }
    assert found == {"var/lib/cmdserver": ("0o700", int(user[2])), "var/log/cmdserver": ("0o750", int(user[2]))}


def test_the_configuration() -> None:
    """The package's is the built-in default with some words before it: there is no second copy to keep."""
    head = (PACKAGING / "deb" / "cmdserver.toml.head").read_text("utf-8")

    assert all(line.startswith("#") or not line for line in head.splitlines())
    assert tomllib.loads(head + Source.built_in().text) == tomllib.loads(Source.built_in().text)
    assert "default.toml" in (PACKAGING / "deb" / "debian" / "rules").read_text("utf-8")


def test_all_extras() -> None:
    """What packages bring is what the extra ``all`` brings: every other that a running daemon can use."""
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = set(extras) - {"all", "test", "dev", "man"}

    (brought,) = extras["all"]
    assert set(brought.removeprefix("cmdserver[").removesuffix("]").split(",")) == wanted


def test_the_handbook_shows_what_is_packaged() -> None:
    """Drop-ins and rules in docs/install.md are those of the examples, line by line."""
    text = _without_comments(PROJECT / "docs" / "install.md")

    for example in EXAMPLES.iterdir():
        assert _without_comments(example) in text, example.name


def test_the_handbook_shows_the_bus() -> None:
    """What is in packaging/nats is in docs/fleet.md, line by line."""
    text = _without_comments(PROJECT / "docs" / "fleet.md")

    for example in BUS.parent.iterdir():
        assert _without_comments(example) in text, example.name


def _without_comments(file: Path) -> str:
    lines = file.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("#", "//"))).strip()


def _scripts() -> list[Path]:
    return [each for each in sorted(PACKAGING.rglob("*")) if each.is_file() and each.read_bytes().startswith(b"#!/")]


@pytest.mark.parametrize("script", _scripts(), ids=lambda path: path.name)
def test_scripts(script: Path) -> None:
    """A shell understands them."""
    shell = script.read_text("utf-8").partition("\n")[0].rpartition("/")[2].split()[-1]
    if shell in {"bash", "sh"}:
        run(shell, "-n", script)
