"""Somebody on the bus who may write and read everything there: what they can do to hosts, and to who asks."""

import json
import secrets
import signal
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from cmdserver.auth.signatures.signed_answer import AnswerSigner
from tests.integration.daemon import shell
from tests.integration.fleet_bus import Asked, Fleet, Intruder, fleet_of
from tests.integration.logins import require_program
from tests.integration.signed import now
from tests.signing import Signing, fingerprint_of
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

MIB = 1 << 20
HOST = "cmdserver.prod.host.{}"
ALL = "cmdserver.prod.all"
#: Of an agent that has been tormented, above what it had before.
MOST_MORE_BYTES = 64 * MIB
MOST_LOG_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start two hosts."""
    require_program("nats-server")
    place = tmp_path_factory.mktemp("fleet")
    commands: Mapping[str, Mapping[str, object]] = {
        "uptime": {"run": ["uptime"], "read_only": True},
        "mark": shell(f"echo x >>{place}/marks; echo done"),
        "slowly": shell(f"echo x >>{place}/marks; sleep 0.5; echo done"),
        "echo": {"run": ["echo", "{text}"], "parameters": [{"name": "text", "type": "string"}]},
    }
    with fleet_of(place, ("web-1", "web-2"), commands) as fleet:
        yield fleet


@pytest.fixture
def mallory(fleet: Fleet) -> Iterator[Intruder]:
    """Give somebody on the bus."""
    with Intruder(fleet.bus.address) as mallory:
        yield mallory
        # Nothing of what they have done outlasts them; an agent lets so many through in a second, whosever they are.
        wait_until(lambda: fleet.ask("--timeout", "5", "uptime").status == 0, "honest questions are answered")


@pytest.fixture
def ann(fleet: Fleet) -> Signing:
    """Give ann's key to a test that makes its own requests."""
    return Signing(cast("Any", load_ssh_private_key(fleet.ann.identity.read_bytes(), None)), "ann")


def signed(ann: Signing, target: str = "/mark", method: str = "POST", body: bytes = b"", **how: Any) -> dict[str, str]:
    """Make the headers of a request that is right, for web-1."""
    asked = ann.ask(target, method, body, **{"audience": 'prod;hosts=("web-1")', **now(), **how})
    return {"Cmdserver-Method": method, "Cmdserver-Target": target, **asked.headers}


def marks(fleet: Fleet) -> int:
    """Return how often something was run."""
    file = fleet.place / "marks"
    return len(file.read_text()) // 2 if file.exists() else 0


def status_of(mallory: Intruder) -> str:
    """Wait for an answer, and return its status."""
    received = mallory.receive()
    assert received is not None
    return received[2].get("Cmdserver-Status", received[2].get("Status", ""))


# Requests


def test_a_request_by_hand(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """What the following tests change is right before they do."""
    before = marks(fleet)
    mallory.ask(HOST.format("web-1"), signed(ann))
    received = mallory.receive()
    assert received is not None
    assert (received[2]["Cmdserver-Status"], received[2]["Cmdserver-Host"]) == ("200", "web-1")
    assert json.loads(received[3])["stdout"] == "done\n"
    assert marks(fleet) == before + 1


CHANGES: Mapping[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "method": lambda each: {**each, "Cmdserver-Method": "GET"},
    "target": lambda each: {**each, "Cmdserver-Target": "/slowly"},
    "query": lambda each: {**each, "Cmdserver-Target": "/mark?x=1"},
    "spelling": lambda each: {**each, "Cmdserver-Target": "/%6dark"},
    "audience": lambda each: {**each, "Cmdserver-Audience": 'prod;hosts=("web-1" "web-2")'},
    "user": lambda each: {**each, "Signature-Input": each["Signature-Input"].replace("ann:", "bob:")},
    "expires": lambda each: {**each, "Signature-Input": each["Signature-Input"].replace("expires=", "expires=1")},
    "nonce": lambda each: {**each, "Signature-Input": each["Signature-Input"].replace("nonce-", "nonce_")},
    "signature": lambda each: {**each, "Signature": "cmdserver=:AAAA:"},
    "garbage": lambda each: {**each, "Signature": "]]]]", "Signature-Input": "((((("},
    "twice": lambda each: {**each, "Signature": f"{each['Signature']}, {each['Signature'].replace('cmd', 'x')}"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes(fleet: Fleet, mallory: Intruder, ann: Signing, change: str) -> None:
    """Whatever is changed of a request, it is refused, and nothing is run."""
    before = marks(fleet)
    mallory.ask(HOST.format("web-1"), CHANGES[change](signed(ann)))
    assert status_of(mallory) == "401"
    assert marks(fleet) == before


def test_added_bodies(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """A body that was not signed, or another one than was."""
    before = marks(fleet)
    mallory.ask(HOST.format("web-1"), signed(ann), b'{"text": "x"}')
    assert status_of(mallory) == "401"
    headers = signed(ann, "/echo", body=b'{"text": "a"}')
    mallory.ask(HOST.format("web-1"), headers, b'{"text": "b"}')
    assert status_of(mallory) == "401"
    mallory.ask(HOST.format("web-1"), {**headers, "Content-Encoding": "gzip"}, b'{"text": "a"}')
    assert status_of(mallory) in {"200", "401"}
    assert marks(fleet) == before


def test_smuggling(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """Of the message nothing reaches the daemon but what the agent knows, and that in its place."""
    before = marks(fleet)
    good = signed(ann)
    for more in (
        {"Cmdserver-Target": "/mark HTTP/1.1"},
        {"Cmdserver-Target": "/mark\x00"},
        {"Cmdserver-Target": "http://host/mark"},
        {"Cmdserver-Target": "mark"},
        {"Cmdserver-Method": "POST /mark HTTP/1.1\t"},
        {"Cmdserver-Method": "DELETE"},
        {"Content-Type": "a\x0bTransfer-Encoding: chunked"},
        {"Content-Type": "é"},
        {"Content-Type": "a" * 20_000},
    ):
        mallory.ask(HOST.format("web-1"), {**good, **more})
    # What would say who asks, or how long the body is, is left out of what is right.
    extra = {
        "Content-Length": "0",
        "Transfer-Encoding": "chunked",
        "Authorization": "Basic YWxpY2U6YWxpY2U=",
        "X-Forwarded-For": "127.0.0.1",
        "Remote-User": "root",
        "Cookie": "a=b",
        "Expect": "100-continue",
        "Upgrade": "h2c",
    }
    mallory.ask(HOST.format("web-1"), {**good, **extra})
    assert status_of(mallory) == "200"
    assert mallory.receive(0.2) is None
    assert marks(fleet) == before + 1


def test_repetition(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """The same message again, at the same time, to the other host, and to the subject of all: one run.

    What is not meant for a host, or came by the subject of all and is no roll call, is not even answered.
    """
    before = marks(fleet)
    headers = signed(ann)
    for _ in range(10):
        mallory.ask(HOST.format("web-1"), headers)
    mallory.ask(ALL, headers)
    mallory.ask(HOST.format("web-2"), headers)
    statuses = sorted(status_of(mallory) for _ in range(10))
    assert statuses == ["200", *["401"] * 9]
    assert mallory.receive(0.2) is None
    assert marks(fleet) == before + 1


def test_old_and_early(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """What was kept until it has expired, and what is signed for later."""
    before = marks(fleet)
    for created in (int(time.time()) - 66, int(time.time()) + 30):
        mallory.ask(HOST.format("web-1"), signed(ann, created=created))
        assert status_of(mallory) == "401"
    assert marks(fleet) == before


def test_for_others(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """What is for other hosts, or another fleet, is not even answered."""
    before = marks(fleet)
    for audience in ('prod;hosts=("web-2")', "prod;hosts=()", 'test;hosts=("*")', 'prod;hosts=("web-1)', "prod"):
        mallory.ask(HOST.format("web-1"), signed(ann, audience=audience))
    assert mallory.receive(0.3) is None
    assert marks(fleet) == before


def test_nowhere_to_answer(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """A host publishes to inboxes of this program alone, so that nobody has it write to hosts, or to the bus itself."""
    before = marks(fleet)
    mallory.subscribe(">")
    sent = 0
    for reply in (
        "", HOST.format("web-2"), ALL, "$SYS.REQ.SERVER.PING", "_INBOX.x", "_INBOX.cmdserver", "_INBOX.cmdserver.",
        "_INBOX.cmdserver..x", "_INBOX.cmdserver.é", f"_INBOX.cmdserver.{'x' * 300}",
    ):  # fmt: skip
        mallory.publish(HOST.format("web-1"), signed(ann), b"", reply)
        sent += 1
    mallory.flush()
    seen = []
    while (received := mallory.receive(0.3)) is not None:
        seen.append(received)
    # The bus itself drops what has no valid subject for an answer.
    assert len(seen) <= sent
    assert not [each for each in seen if "Cmdserver-Status" in each[2]]
    assert marks(fleet) == before


# Garbage


def test_what_is_no_text(fleet: Fleet, mallory: Intruder) -> None:
    """Subjects and headers that are no UTF-8, or that end too soon, do not make anybody deaf."""
    said = {name: each.agent_said() for name, each in fleet.members.items()}
    mallory.send(b"PUB cmdserver.prod.all _INBOX.cmdserver.\xff 0\r\n\r\n")
    for name in fleet.members:
        subject = HOST.format(name)
        mallory.send(f"PUB {subject} ".encode() + b"_INBOX.\xc3\x28 3\r\nabc\r\n")
        for raw in (
            b"NATS/1.0", b"NATS/1.0 ", b"NATS/1.0 \xff\xff\xff\r\n\r\n", b"NATS/1.0 503 \xff\xfe\r\n\r\n",
            b"NATS/1.0\r\n\xff: \xff\r\n\r\n", b"NATS/1.0\r\n:\r\n::\r\n\r\n", b"x", b"\r\n\r\n", b"\0" * 64,
            b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", b"NATS/1.0 100 FlowControl Request\r\n\r\n",
        ):  # fmt: skip
            mallory.publish(subject, raw, b"", b"_INBOX.cmdserver.x")
    mallory.flush()

    asked = fleet.ask("--json", "--timeout", "5", "uptime")

    assert asked.states == {"web-1": "ok", "web-2": "ok"}, fleet.said()
    for name, each in fleet.members.items():
        assert "is away (" not in each.agent_said()[len(said[name]) :]


@contextmanager
def bounded(fleet: Fleet) -> Iterator[None]:
    """See that an agent keeps its memory and its log small meanwhile, and is there afterwards."""
    web = fleet.members["web-1"]
    memory, log = web.agent_memory(), len(web.agent_said())
    yield
    wait_until(lambda: fleet.ask("--timeout", "5", "uptime").status == 0, "the hosts answer again")
    assert web.agent_memory("VmHWM") - memory < MOST_MORE_BYTES
    assert len(web.agent_said()) - log < MOST_LOG_BYTES


def test_large_messages(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """As large as the bus takes them: bodies, one header, and a hundred thousand headers."""
    with bounded(fleet):
        many = b"NATS/1.0\r\n" + b"".join(b"a%d:b\r\n" % number for number in range(90_000)) + b"\r\n"
        for _ in range(5):
            mallory.publish(HOST.format("web-1"), many, b"", b"_INBOX.cmdserver.x")
        for _ in range(20):
            headers = signed(ann)
            mallory.publish(HOST.format("web-1"), headers, b"x" * (MIB - 4096), b"_INBOX.cmdserver.x")
            mallory.publish(HOST.format("web-1"), {**headers, "X": "x" * 900_000}, b"", b"_INBOX.cmdserver.x")
        mallory.flush()


def test_a_flood(fleet: Fleet, mallory: Intruder) -> None:
    """Hundreds of thousands of messages that are nothing: a few lines of log, and no memory."""
    with bounded(fleet):
        chunk = b"PUB cmdserver.prod.all 0\r\n\r\n" * 2000
        for _ in range(100):
            mallory.send(chunk)
        mallory.flush()


def test_costly_audiences(fleet: Fleet, mallory: Intruder) -> None:
    """To find out that one is not meant takes little, however that is put."""
    web = fleet.members["web-1"]
    before = web.agent_ticks()
    for _ in range(30):
        stars = " ".join(f'"{"*".join(secrets.token_hex(16))}"' for _ in range(195))
        headers = {
            "Cmdserver-Method": "GET",
            "Cmdserver-Target": "/x",
            "Cmdserver-Audience": f"prod;hosts=({stars})",
            "Signature-Input": "x",
            "Signature": "x",
        }
        mallory.publish(HOST.format("web-1"), headers, b"", b"_INBOX.cmdserver.x")
    mallory.flush()
    assert fleet.ask("--hosts", "web-1", "uptime").status == 0
    # In hundredths of a second.
    assert web.agent_ticks() - before < 50


def test_many_wrong_signatures(fleet: Fleet, mallory: Intruder, ann: Signing) -> None:
    """More than a host looks at in a second are left out; nobody is locked out for it, and no command is run."""
    before = marks(fleet)
    wrong = {**signed(ann), "Signature": "cmdserver=:AAAA:"}
    for _ in range(500):
        mallory.publish(HOST.format("web-1"), wrong, b"", b"_INBOX.cmdserver.x")
    mallory.flush()
    wait_until(lambda: fleet.ask("--timeout", "2", "uptime").status == 0, "the hosts answer again")
    assert "more than 50 come in a second" in fleet.members["web-1"].agent_said()
    assert marks(fleet) == before


# Answers


class Thief:
    """A host that is none: takes questions, and answers them in its own way, in a thread.

    Args:
        fleet: Whose bus it is on.
        subject: Where it listens.
        answer: Makes of a question's headers messages: where to, headers and body.
    """

    def __init__(
        self,
        fleet: Fleet,
        subject: str,
        answer: Callable[[str, Mapping[str, str]], list[tuple[str, Mapping[str, str] | bytes, bytes]]],
    ) -> None:
        self._intruder = Intruder(fleet.bus.address)
        self._intruder.subscribe(subject)
        self._answer = answer
        self.seen: list[tuple[str, Mapping[str, str], bytes]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intruder.connection.shutdown(2)
        self._thread.join(LIMIT_SECONDS)
        self._intruder.close()

    def _run(self) -> None:
        try:
            while (received := self._intruder.receive()) is not None:
                _, reply, headers, body = received
                if reply:
                    self.seen.append((reply, headers, body))
                    for subject, fields, content in self._answer(reply, headers):
                        self._intruder.publish(subject, fields, content)
        except OSError:
            return


def signer_of(key: Ed25519PrivateKey | None, host: str) -> Callable[[Mapping[str, str], bytes], dict[str, str]]:
    """Answer as a host does, by some key."""
    signer = AnswerSigner(key or Ed25519PrivateKey.generate(), host)

    def answer(question: Mapping[str, str], body: bytes) -> dict[str, str]:
        signature = b64decode(question["Signature"].split(":")[1])
        fields = signer.sign(signature, 200, "application/json", body, time.time())
        return {"Cmdserver-Status": "200", "Content-Type": "application/json", **dict(fields)}

    return answer


OK = json.dumps({"outcome": "ok", "exit_status": 0, "stdout": "all is well\n"}).encode()


@pytest.mark.parametrize("way", ["unsigned", "another key", "another host", "repeated", "garbage", "parts"])
def test_forged_answers(fleet: Fleet, way: str) -> None:
    """What comes sooner than a host's answer, and is not by that host, is not counted; the host's own is."""
    by_stranger = signer_of(None, "web-1")
    by_other = signer_of(host_key(fleet, "web-2"), "web-1")
    kept: list[tuple[dict[str, str], bytes]] = []
    if way == "repeated":
        kept.append(an_old_answer(fleet))

    def forge(reply: str, question: Mapping[str, str]) -> list[tuple[str, Mapping[str, str] | bytes, bytes]]:
        headers: Mapping[str, str] | bytes
        if way == "unsigned":
            headers = {"Cmdserver-Status": "200", "Cmdserver-Host": "web-1", "Content-Type": "application/json"}
        elif way == "another key":
            headers = by_stranger(question, OK)
        elif way == "another host":
            headers = by_other(question, OK)
        elif way == "repeated":
            return [(reply, *kept[0])]
        elif way == "parts":
            return [
                (reply, {**by_stranger(question, OK), "Cmdserver-Part": part}, b"x")
                for part in ("1/2", "2/1", "0/0", "999999/999999", "1/70", "-1/2", "1/2", "2/2", "x")
            ]
        else:
            headers = b"NATS/1.0 \xff\r\n"
        return [(reply, headers, OK)] * 3

    with Thief(fleet, HOST.format("web-1"), forge) as thief:
        asked = fleet.ask("--json", "--timeout", "10", "slowly")

    assert thief.seen
    assert (asked.status, asked.states) == (0, {"web-1": "ok", "web-2": "ok"}), asked
    assert {each["answer"]["stdout"] for each in asked.json["hosts"]} == {"done\n"}


def host_key(fleet: Fleet, name: str) -> Ed25519PrivateKey:
    """Return what a host signs with."""
    file = fleet.members[name].state_directory / "ssh_host_ed25519_key"
    return cast("Ed25519PrivateKey", load_ssh_private_key(file.read_bytes(), None))


def an_old_answer(fleet: Fleet) -> tuple[dict[str, str], bytes]:
    """Return an answer of web-1 to another question."""
    with Intruder(fleet.bus.address) as listener:
        listener.subscribe("_INBOX.cmdserver.>")
        assert fleet.ask("--hosts", "web-1", "uptime").status == 0
        received = listener.receive()
        assert received is not None
        return received[2], received[3]


def test_only_forged(fleet: Fleet) -> None:
    """Where the host itself does not answer, forged answers make no answer."""
    fleet.ann.know({**fleet.keys, "web-3": fleet.keys["web-2"]})
    forge = signer_of(None, "web-3")
    try:
        with Thief(fleet, HOST.format("web-3"), lambda reply, question: [(reply, forge(question, OK), OK)]):
            asked = fleet.ask("--json", "--timeout", "2", "uptime")
    finally:
        fleet.ann.know(fleet.keys)
    assert asked.status == 1
    assert asked.states == {"web-1": "ok", "web-2": "ok", "web-3": "unverified"}
    assert asked.summary["missing"] == ["web-3"]


def test_nobody_there_forged(fleet: Fleet) -> None:
    """A forged "no responders" can withhold one host's answer, as the bus can, and is no success."""
    with Thief(fleet, HOST.format("web-1"), lambda reply, _: [(reply, b"NATS/1.0 503\r\n\r\n", b"")]):
        asked = fleet.ask("--json", "--timeout", "10", "slowly")

    assert asked.status == 1 or asked.states["web-1"] == "ok"
    assert asked.states["web-2"] == "ok"


def test_a_host_that_makes_the_caller_deaf(fleet: Fleet) -> None:
    """A host knows where its answer goes; what it writes beside that keeps nobody else's answer from being heard."""

    def torment(reply: str, _: Mapping[str, str]) -> list[tuple[str, Mapping[str, str] | bytes, bytes]]:
        return [(reply, b"NATS/1.0", b""), (f"{reply.rpartition('.')[0]}.x", b"NATS/1.0 \xff\xff\xff\r\n\r\n", b"")]

    with Thief(fleet, HOST.format("web-1"), torment):
        asked = fleet.ask("--json", "--timeout", "8", "slowly")

    assert asked.states == {"web-1": "ok", "web-2": "ok"}, asked


def evil_host(fleet: Fleet, body: bytes, *words: str) -> Asked:
    """Ask a host that has its key, is in somebody else's hands, and answers as they like."""
    key = Ed25519PrivateKey.generate()
    signer = AnswerSigner(key, "evil")
    fleet.ann.know({**fleet.keys, "evil": " ".join(signer.public_key.split()[:2])})
    answer = signer_of(key, "evil")
    try:
        with Thief(fleet, HOST.format("evil"), lambda reply, question: [(reply, answer(question, body), body)]):
            return fleet.ask(*words, "--timeout", "5", "uptime")
    finally:
        fleet.ann.know(fleet.keys)


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": "ok\x1b[2J\x1b]0;title\x07\nweb-9  ok"},
        {"outcome": "failed", "stderr": "\x1b[2J\r\x9b31m"},
        {"error": {"code": "\x1b[31m\n", "message": "\x1b[2J\n"}},
        {"outcome": "ok", "stdout": "\x1b[2J\u2028\u2029\x85\ud800\n\x1b[1A", "truncated": "x"},
        {"outcome": ["\x1b"], "stdout": ["\x1b"], "exit_status": "\x1b"},
        {"outcome": {}, "error": "\x1b"},
    ],
    ids=["outcome", "stderr", "code", "stdout", "types", "others"],
)
@pytest.mark.parametrize("words", [(), ("--output",)], ids=["lines", "output"])
def test_what_a_host_says_does_not_act(fleet: Fleet, said: Mapping[str, object], words: tuple[str, ...]) -> None:
    """Neither its output nor its state reaches the terminal as a control character, or as another host's line."""
    asked = evil_host(fleet, json.dumps(said).encode(), *words)

    assert not [each for each in asked.output if each < " " and each != "\n"], asked.output
    assert "\x9b" not in asked.output
    lines = asked.output.splitlines()
    assert not [line for line in lines if line.startswith("web-9")]
    assert "2 ok" in next(line for line in lines if " asked, " in line) or said.get("outcome") == "ok"


@pytest.mark.parametrize("state", ["unverified", "missing", "not-asked", "", "answered", "OK", "nonsense"])
def test_what_a_host_calls_itself(fleet: Fleet, state: str) -> None:
    """A host that is known cannot talk itself out of the summary, nor into a success."""
    asked = evil_host(fleet, json.dumps({"outcome": state}).encode(), "--json")

    assert asked.status == 1
    assert asked.summary["asked"] == 3
    assert (asked.summary["answered"], asked.summary["failed"], asked.summary["missing"]) == (3, 1, [])


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"1", b"null", b"[" * 100_000, b'{"outcome": "ok", "x": NaN}', b'{"outcome": "ok", "x": 1e999}',
     b"\xff", b'{"outcome": "ok", "x": ' + b"9" * 5000 + b"}"],
    ids=["empty", "list", "number", "null", "deep", "NaN", "infinite", "bytes", "digits"],
)  # fmt: skip
def test_what_is_no_json(fleet: Fleet, body: bytes) -> None:
    """It is no success, and what is printed as JSON is JSON, whatever a host calls so."""
    asked = evil_host(fleet, body, "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    evil = next(each for each in json.loads(asked.output, parse_constant=refuse)["hosts"] if each["host"] == "evil")
    assert (evil["answer"], bool(evil["why"])) == (None, True), evil
    assert asked.status == 1 or body.startswith(b'{"outcome": "ok"')


# Roll calls


def test_many_made_up_names(fleet: Fleet) -> None:
    """Who answers in the names of tens of thousands keeps nobody who is known from being heard."""

    def torment(reply: str, _: Mapping[str, str]) -> list[tuple[str, Mapping[str, str] | bytes, bytes]]:
        return [
            (reply, {"Cmdserver-Host": f"x{number}", "Cmdserver-Status": "200", "Cmdserver-Part": "1/2"}, b"")
            for number in range(25_000)
        ]

    # The hosts are held up, so that they are not the first.
    with Thief(fleet, ALL, torment):
        send_to_agents(fleet, signal.SIGSTOP)
        threading.Timer(1.0, send_to_agents, (fleet, signal.SIGCONT)).start()
        asked = fleet.ann.run("hosts", "--json", "--timeout", "6")

    assert asked.summary["missing"] == []


def send_to_agents(fleet: Fleet, number: signal.Signals) -> None:
    """Send a signal to all agents."""
    for each in fleet.members.values():
        each.agent.send_signal(number)


def test_known_name_that_is_taken(fleet: Fleet) -> None:
    """Who answers a roll call in a known host's name, by another key or by parts of nothing, does not replace it."""
    forge = signer_of(None, "web-1")

    def torment(reply: str, question: Mapping[str, str]) -> list[tuple[str, Mapping[str, str] | bytes, bytes]]:
        body = json.dumps({"name": "web-1", "facts": {"kind": "mail"}}).encode()
        parts = [
            (reply, {"Cmdserver-Host": "web-1", "Cmdserver-Status": "200", "Cmdserver-Part": f"1/{number}"}, b"")
            for number in range(2, 9)
        ]
        return [(reply, forge(question, body), body), *parts, (reply, b"NATS/1.0 503\r\n\r\n", b"")]

    with Thief(fleet, ALL, torment):
        asked = fleet.ask("--json", "--where", "kind=web", "uptime")
        hosts = fleet.ann.run("hosts", "--json")

    assert asked.states == {"web-1": "ok", "web-2": "ok"}
    assert hosts.summary["present"] == 2


def test_two_keys_for_a_new_name(fleet: Fleet, tmp_path: Path) -> None:
    """A new host in whose name somebody else answers as well is not accepted: nobody knows which of them it is."""
    key = Ed25519PrivateKey.generate()
    signer = AnswerSigner(key, "web-1")
    assert fingerprint_of(signer.public_key) != fingerprint_of(fleet.keys["web-1"])
    forge = signer_of(key, "web-1")
    body = json.dumps({"name": "web-1", "facts": {}, "key": signer.public_key}).encode()
    file = tmp_path / "known_hosts"
    with Thief(fleet, ALL, lambda reply, question: [(reply, forge(question, body), body)]):
        asked = fleet.ann.run("hosts", "--accept-new", "--timeout", "1", "--known-hosts", str(file))

    assert "web-1" not in [line.split()[0] for line in file.read_text().splitlines()]
    assert f"web-2 {fleet.keys['web-2']}\n" == file.read_text()
    assert asked.output.count(fingerprint_of(signer.public_key)) == 1
