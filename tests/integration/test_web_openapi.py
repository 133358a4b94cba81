"""What we say of ourselves in OpenAPI, tried by a program that takes it at its word."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

WEB = Listener(protocol="web", login="never")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a command of each kind."""
    commands = {
        "say": {"run": ["echo", "said"], "read_only": True, "help": "Says something"},
        "write": shell("echo written"),
        "fail": shell("echo half; echo why >&2; exit 3", read_only=True),
        "hang": shell("sleep 5", read_only=True, timeout_seconds=0.1),
    }
    with running(tmp_path_factory.mktemp("openapi"), commands, listeners=[WEB]) as daemon:
        yield daemon


def test_the_description_is_of_what_a_caller_may_run(daemon: Daemon) -> None:
    """Each command has its methods, and there is nothing that is not said to be there."""
    with HTTPClient(WEB.address) as client:
        paths = client.ask("/-/openapi.json").json["paths"]

    assert {path: set(methods) for path, methods in paths.items()} == {
        "/": {"get"},
        "/say": {"get", "post"},
        "/write": {"post"},
        "/fail": {"get", "post"},
        "/hang": {"get", "post"},
    }
    assert "Traceback" not in daemon.log()


@pytest.mark.usefixtures("daemon")
def test_answers_are_as_described(tmp_path: Path) -> None:
    """Whatever is sent, the status, the type and the form of the answer are declared; no 5xx but those that are."""
    schemathesis = Path(sys.executable).parent / "schemathesis"
    if not schemathesis.exists():
        pytest.skip("schemathesis is not installed here")
    done = subprocess.run(
        [
            str(schemathesis),
            "run",
            f"http://127.0.0.1:{WEB.port}/-/openapi.json",
            "--checks=all",
            "--exclude-checks=not_a_server_error",  # 502 is what a failed command is, and declared
            "--max-examples=40",
            "--seed=1",
            "--no-color",
            f"--request-timeout={LIMIT_SECONDS:g}",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5000:]
