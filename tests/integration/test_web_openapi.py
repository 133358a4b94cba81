"""What we say of ourselves in OpenAPI, tried by a program that takes it at its word."""

import os
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


#: For JSON Schema 225.0 is an integer too; here a number is given as it is spelled.
_WITHOUT_FLOATS = """
import schemathesis

@schemathesis.hook
def filter_body(context, body):
    return not (isinstance(body, dict) and any(isinstance(each, float) for each in body.values()))
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a command of each kind."""
    commands = {
        "say": {"run": ["echo", "said"], "read_only": True, "help": "Says something"},
        "write": shell("echo written"),
        "fail": shell("echo half; echo why >&2; exit 3", read_only=True),
        "hang": shell("sleep 5", read_only=True, timeout_seconds=0.1),
        "look": {
            "run": [
                "echo",
                "{unit}",
                ["--lines={lines}"],
                "{loud}",
                ["{tags}"],
                ["--on", "{day}"],
                ["--with", "{what}"],
            ],
            "read_only": True,
            "parameters": [
                {"name": "unit", "type": "choice", "choices": ["nginx", "php-fpm"], "help": "Which service"},
                {"name": "lines", "type": "integer", "minimum": 1, "maximum": 500, "default": 50},
                {"name": "loud", "type": "flag", "gives": ["--loud"]},
                {"name": "tags", "type": "string", "pattern": "[a-z]+(?:-[a-z]+)?", "repeat": 3, "required": False},
                {"name": "day", "type": "date", "required": False},
                {"name": "what", "type": "string", "required": False, "max_length": 20},
            ],
        },
        "enter": {
            "run": ["cat"],
            "stdin": "{user} {port} {password}",
            "parameters": [
                {"name": "user", "type": "string", "pattern": "[a-z]+"},
                {"name": "port", "type": "port", "default": 22},
                {"name": "password", "type": "secret"},
            ],
        },
    }
    with running(tmp_path_factory.mktemp("openapi"), commands, listeners=[WEB]) as daemon:
        yield daemon


def test_the_description_is_of_what_a_caller_may_run(daemon: Daemon) -> None:
    """Each command has its methods, and there is nothing that is not said to be there."""
    with HTTPClient(WEB.address) as client:
        paths = client.ask("/-/openapi.json").json["paths"]

    assert {path: set(described) - {"parameters"} for path, described in paths.items()} == {
        "/": {"get"},
        "/say": {"get", "post"},
        "/write": {"post"},
        "/fail": {"get", "post"},
        "/hang": {"get", "post"},
        "/look": {"get", "post"},
        "/enter": {"post"},
        "/-/runs": {"get"},
        "/-/runs/{id}": {"get"},
        "/-/runs/{id}/stop": {"post"},
    }
    assert "Traceback" not in daemon.log()


@pytest.mark.usefixtures("daemon")
def test_answers_are_as_described(tmp_path: Path) -> None:
    """Whatever is sent, the status, the type and the form of the answer are declared; no 5xx but those that are."""
    schemathesis = Path(sys.executable).parent / "schemathesis"
    if not schemathesis.exists():
        pytest.skip("schemathesis is not installed here")
    hooks = tmp_path / "hooks.py"
    hooks.write_text(_WITHOUT_FLOATS, "ascii")
    done = subprocess.run(
        [
            str(schemathesis),
            "run",
            f"http://127.0.0.1:{WEB.port}/-/openapi.json",
            "--checks=all",
            # 502 is what a failed command is, and declared. And more is taken than is declared: forms have no types, so
            # that a number may be a string, and what is empty is not given.
            "--exclude-checks=not_a_server_error,negative_data_rejection",
            "--max-examples=40",
            "--seed=1",
            "--no-color",
            f"--request-timeout={LIMIT_SECONDS:g}",
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(hooks)},
        capture_output=True,
        text=True,
        timeout=4 * LIMIT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5000:]
