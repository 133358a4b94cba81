"""``cmdserver import`` beside the real nrpe: what check_nrpe is told of the same file by both daemons."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmdserver.core.protocols import Protocol
from tests.integration.daemon import free_port, is_listening, prepared, program
from tests.waiting import LIMIT_SECONDS, wait_until

CHECK_NRPE, NRPE = "/usr/lib/nagios/plugins/check_nrpe", "/usr/sbin/nrpe"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHECK_NRPE).exists(), reason="check_nrpe (nagios-nrpe-plugin) is not installed here"),
    pytest.mark.skipif(not Path(NRPE).exists(), reason="nrpe (nagios-nrpe-server) is not installed here"),
]

#: Lines that both are to take in the same way, by the names of their commands.
LINES = {
    "quotes": r"""a 'b c' "d e" f\ g '' "" 'it'\''s'""",
    "dollars": """'^x$$' "y$$" 'p$b$q'""",
    "lonely": "'x$ y'",
    "escapes": r""""\" \\ \` \n" \| \; \*""",
    "plain": "{} a{b} b~c x=~y %FOO% @ ^ ! , . : + -",
    "operators": "'|;&<>()`*?[~#' \"|;&<>()*?[~#\"",
    "nothing": "",
}


@pytest.fixture
def config(public_directory: Path) -> Path:
    """Write an nrpe.cfg whose commands say what they were given."""
    public_directory.chmod(0o755)
    says = public_directory / "says"
    says.write_text('#!/bin/sh\nfor each; do printf \'[%s]\' "$each"; done\necho "$# given"\n', "ascii")
    says.chmod(0o755)
    file = public_directory / "nrpe.cfg"
    (public_directory / "more").mkdir()
    lines = [f"command[{name}]={says} {line}" for name, line in LINES.items()]
    (public_directory / "more" / "b.cfg").write_text(f"command[twice]={says} b\n", "ascii")
    (public_directory / "more" / "a.cfg").write_text(f"command[twice]={says} a\nserver_port = 1025\n", "ascii")
    settings = [
        f"server_port={free_port()}",
        "server_address=127.0.0.1",
        "allowed_hosts=127.0.0.1",
        "command_timeout=10",
        *(["nrpe_user=nobody", "nrpe_group=nogroup"] if os.geteuid() == 0 else []),
    ]
    text = "\n".join([*settings, f"command[twice]={says} first", *lines, f"include_dir={public_directory}/more/", ""])
    file.write_text(text, "ascii")
    return file


def port_in(text: str) -> int:
    """Find the port that a configuration of either kind says."""
    found = re.search(r"server_port=(\d+)|tcp:(\d+)", text)
    assert found is not None
    return int(found[1] or found[2])


@pytest.fixture
def told_by_nrpe(config: Path) -> Iterator[dict[str, bytes]]:
    """Ask nrpe for each command."""
    port = port_in(config.read_text("ascii"))
    with subprocess.Popen([NRPE, "-c", str(config), "-f", "-n"], cwd="/") as nrpe:
        try:
            wait_until(lambda: is_listening(("127.0.0.1", port)), "nrpe listens")
            yield {name: ask(port, name, "-n") for name in [*LINES, "twice"]}
        finally:
            nrpe.terminate()


def ask(port: int, name: str, *options: str) -> bytes:
    """Ask for a command by check_nrpe."""
    words = [CHECK_NRPE, "-H", "127.0.0.1", "-p", str(port), *options, "-c", name]
    done = subprocess.run(words, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 0, (name, done)
    return done.stdout


def imported(config: Path) -> str:
    """Import it, which is all taken."""
    done = subprocess.run(
        [program("cmdserver"), "import", str(config)], capture_output=True, timeout=LIMIT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.skipif("nrpe" not in set(Protocol), reason="listeners cannot speak NRPE yet")
def test_both_daemons_say_the_same(config: Path, told_by_nrpe: dict[str, bytes], tmp_path: Path) -> None:
    """Each command is given the same words."""
    text = imported(config)
    ours = free_port()
    assert told_by_nrpe["twice"] == b"[b]1 given\n"
    with prepared(tmp_path) as daemon:
        line = f'[[listen]]\nprotocol = "line"\nlogin = "never"\nendpoint = "{daemon.endpoint()}"\n'
        daemon.config_file.write_text(text.replace(f"tcp:{port_in(text)}", f"tcp:{ours}") + line, "utf-8")
        daemon.start()
        assert {name: ask(ours, name) for name in told_by_nrpe} == told_by_nrpe
        daemon.stop()


def test_what_is_installed_here() -> None:
    """The distribution's own nrpe.cfg is taken as a whole, with what is beside it."""
    installed = Path("/etc/nagios/nrpe.cfg")
    if not installed.exists():
        pytest.skip("there is no /etc/nagios/nrpe.cfg")
    assert '[commands.check_load]\nrun = ["/usr/lib/nagios/plugins/check_load"' in imported(installed)
