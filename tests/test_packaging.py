"""What ``packaging/`` says to systemd and to pip; ``packaging/deb/test-install`` tries the package itself."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from cmdserver.config.daemon_user import USUAL_USER
from cmdserver.config.loading import Source
from cmdserver.config.schema.host import Limits

PROJECT = Path(__file__).parent.parent
PACKAGING = PROJECT / "packaging"
UNIT = PACKAGING / "systemd" / "cmdserver.service"
SOCKET = UNIT.with_suffix(".socket")
EXAMPLES = PACKAGING / "systemd" / "examples"

#: Of ten: what `systemd-analyze security` may say of the unit.
EXPOSURE = 2.0

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
    text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE)
    (directory / UNIT.name).write_text(text)
    shutil.copy(SOCKET, directory)
    for each in drop_ins:
        (directory / f"{UNIT.name}.d").mkdir(exist_ok=True)
        shutil.copy(each, directory / f"{UNIT.name}.d")
    return [directory / UNIT.name, directory / SOCKET.name]


@needs_analyze
def test_the_sandbox() -> None:
    """It is as tight as promised."""
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT, status=None)

    overall = re.search(r"Overall exposure level for cmdserver\.service: ([0-9.]+)", said)
    assert overall is not None, said
    assert float(overall[1]) <= EXPOSURE, said


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


def _without_comments(file: Path) -> str:
    lines = file.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("#", "//"))).strip()


def _scripts() -> list[Path]:
    return [each for each in sorted(PACKAGING.rglob("*")) if each.is_file() and each.read_bytes().startswith(b"#!/")]


@pytest.mark.parametrize("script", _scripts(), ids=lambda path: path.name)
def test_scripts(script: Path) -> None:
    """A shell understands them."""
    shell = script.read_text("utf-8").partition("\n")[0].rpartition("/")[2].split()[-1]
    if shell in {"bash", "sh"}:
        run(shell, "-n", script)
