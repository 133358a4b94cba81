"""A role that is taken away with SIGHUP while somebody uses it."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import ALICE, LENIENT, write_passwords
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WEB = Listener(protocol="web", login="optional")
BASIC = "Basic " + base64.b64encode(b"alice:" + ALICE.encode()).decode()


def configure(daemon: Daemon, *, alice: bool) -> None:
    """Let alice, or nobody, act and listen; strangers may look on."""
    roles = {"anonymous": {"commands": ["look"]}, "operator": {"commands": ["*"], "users": ["alice"] if alice else []}}
    commands = {
        "look": shell("echo seen", read_only=True),
        "act": shell(f"echo run >> {daemon.directory}/trace; sleep 20", max_running=1),
        "listen": shell("for i in $(seq 100); do echo secret-$i; sleep 0.05; done", read_only=True, share=False),
    }
    daemon.configure(commands, roles=roles, listeners=[WEB], limits=LENIENT)


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon where alice may act."""
    directory = tmp_path_factory.mktemp("revocation")
    with running(directory, {"look": shell("echo seen")}, listeners=[WEB], limits=LENIENT) as daemon:
        write_passwords(daemon)
        configure(daemon, alice=True)
        daemon.reload()
        yield daemon


def lines(daemon: Daemon, command: str) -> list[str]:
    """Say how the requests for a command ended."""
    return [each["outcome"] for each in daemon.audit() if each["event"] == "request" and each["command"] == command]


def test_what_waits_is_not_run(daemon: Daemon) -> None:
    """Of three who act one after the other, the two in line are denied at the reload, and the first one is ended."""
    trace = daemon.directory / "trace"
    with ExitStack() as stack:
        clients = [stack.enter_context(HTTPClient(WEB.address)) for _ in range(3)]
        for client in clients:
            client.request("/act", "POST", accept="application/json", authorization=BASIC)
        wait_until(trace.exists, "the first one acts")
        wait_until(lambda: b"cmdserver_queued 2.0" in metrics(), "two are in line")
        configure(daemon, alice=False)
        daemon.reload()
        answers = [client.read_response() for client in clients]

    assert [(each.status, each.json["error"]["code"]) for each in answers] == [(403, "denied")] * 3
    wait_until(lambda: not daemon.processes(), "what ran is ended")
    assert trace.read_text("ascii") == "run\n"
    records = [each for each in daemon.audit() if each["event"] == "request" and each["command"] == "act"]
    assert [each["outcome"] for each in records] == ["denied"] * 3
    assert sorted(each["duration_seconds"] is None for each in records) == [False, True, True]


def test_what_streams_ends(daemon: Daemon) -> None:
    """An open stream ends with a reason, and nobody can go on with it; a stranger's request is answered as before."""
    with HTTPClient(WEB.address) as reader, HTTPClient(WEB.address) as later:
        reader.request("/listen", accept="text/event-stream", authorization=BASIC)
        reader.read_until(b"secret-1")
        configure(daemon, alice=False)
        daemon.reload()
        said = reader.read_until(b"event: failure") + reader.read_until(b"\n\n")
        later.request("/listen", accept="text/event-stream", authorization=BASIC, last_event_id=last_id(said))
        status, _ = later.read_head()

    assert json.loads(said.rpartition(b"data: ")[2])["error"]["code"] == "denied"
    assert status == 404
    wait_until(lambda: lines(daemon, "listen") == ["denied"], "it is written down")
    assert daemon.ask("look\n") == b"seen\n"


def metrics() -> bytes:
    """Read the daemon's own numbers."""
    with HTTPClient(WEB.address) as client:
        return client.ask("/metrics").body


def last_id(said: bytes) -> str:
    """Say what a client saw last."""
    return said.rpartition(b"id: ")[2].partition(b"\n")[0].decode("ascii")
