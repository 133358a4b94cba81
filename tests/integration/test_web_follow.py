"""Text while it is made, with the client that people have: curl, over HTTP/1.0, HTTP/1.1 and HTTP/2."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")]

PLAIN = Listener(protocol="web", login="never")
TLS = Listener(protocol="web", login="never", tls=True)
VERSIONS: Sequence[tuple[Listener, str]] = (
    (PLAIN, "--http1.0"),
    (PLAIN, "--http1.1"),
    (TLS, "--http1.1"),
    (TLS, "--http2"),
)
#: More than lies in sockets and pipes together.
MUCH = 50_000_000


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with commands that wait until they may go on, and one that never ends."""
    directory = tmp_path_factory.mktemp("follow")
    step = f"echo one; echo oops >&2; until [ -e {directory}/go ]; do sleep 0.02; done; echo two"
    commands = {
        "steps": shell(f"{step}; exit 3", read_only=True, share=False),
        "change": shell(step),
        "much": {
            **shell(f"head -c {MUCH} /dev/zero; echo > {directory}/said", read_only=True, share=False),
            "output_limit_bytes": 2 * MUCH,
        },
    }
    with running(directory, commands, listeners=[PLAIN, TLS]) as daemon:
        yield daemon


@contextmanager
def following(listener: Listener, path: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Let curl follow a command."""
    scheme = "https" if listener.tls else "http"
    url = f"{scheme}://localhost:{listener.port}{path}?follow"
    command = ["curl", "--silent", "--insecure", "--no-buffer", *options, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def read(process: subprocess.Popen[bytes], size: int) -> bytes:
    """Read what curl has written."""
    assert process.stdout is not None
    return process.stdout.read(size)


@pytest.mark.parametrize(("listener", "version"), VERSIONS)
def test_it_comes_while_it_is_made(daemon: Daemon, listener: Listener, version: str) -> None:
    """Each line when the command has written it; the last one says how it ended."""
    go = daemon.directory / "go"
    go.unlink(missing_ok=True)
    with following(listener, "/steps", version) as process:
        assert sorted(read(process, 9).splitlines()) == [b"one", b"oops"]
        go.touch()
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)

    assert (rest, process.returncode) == (b"two\ncmdserver: steps: exit status 3\n", 0)


@pytest.mark.parametrize(("listener", "version"), VERSIONS[1:])
def test_trailers(daemon: Daemon, listener: Listener, version: str) -> None:
    """Curl shows them among the headers."""
    (daemon.directory / "go").touch()
    shown = daemon.directory / "shown"
    options = (version, "--header", "TE: trailers", "--dump-header", str(shown), "--request", "POST")
    with following(listener, "/change", *options) as process:
        process.communicate(timeout=LIMIT_SECONDS)

    assert "cmdserver-exit-status: 0" in shown.read_text().lower().splitlines()
    assert process.returncode == 0


@pytest.mark.parametrize(("listener", "version"), VERSIONS)
def test_a_slow_reader_and_one_that_leaves(daemon: Daemon, listener: Listener, version: str) -> None:
    """Who does not read holds their own command up, at no cost in memory; who leaves ends it."""
    said = daemon.directory / "said"
    before = daemon.rss_bytes()
    with following(listener, "/much", version) as process:
        read(process, 1_000_000)
        assert not said.exists()
        assert daemon.rss_bytes() - before < MUCH / 5
        asked = len(daemon.audit())
    wait_until(lambda: len(daemon.audit()) > asked, "the run to be written down")

    assert daemon.audit()[-1]["ended_by"] == "disconnect"
    assert not said.exists()


def test_a_script(daemon: Daemon, tmp_path: Path) -> None:
    """A script can tell by the last line alone."""
    (daemon.directory / "go").touch()
    script = tmp_path / "script"
    script.write_text(
        f"end=$(curl -sSN 'http://localhost:{PLAIN.port}/change?follow' -X POST | tail -n 1)\n"
        'case $end in "cmdserver: change: exit status 0") echo good ;; *) echo bad ;; esac\n'
    )
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)

    assert done.stdout == "good\n"
