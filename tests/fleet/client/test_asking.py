"""Tests of a question to some hosts: which answer counts, and what is said of each host, once."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from cmdserver.auth.signatures.request_signing import Question
from cmdserver.fleet.client.asking import Asking, Batching
from cmdserver.fleet.client.known_hosts import KnownHosts
from cmdserver.fleet.client.outcomes import MISSING, NOT_ASKED, UNVERIFIED, Outcome
from cmdserver.fleet.client.ssh_agent import AgentError
from tests.fleet.doubles import (
    NOBODY,
    Behaviour,
    Delivered,
    FakeBus,
    Host,
    Sent,
    an_exchange,
    answering,
    hosts_of,
    known,
    now,
    run,
)

QUESTION = Question("POST", "/uptime")
HOST, OTHER = Host("web-1"), Host("web-2")
HOSTS = {"web-1": HOST, "web-2": OTHER}
FAILED = b'{"outcome": "failed"}'


class Asked:
    """What came of a question.

    Args:
        behave: What comes back.
        names: Who is asked.
        prepare: Is called with the question before it is asked.
    """

    def __init__(
        self,
        behave: Behaviour,
        names: Sequence[str] = ("web-1",),
        *,
        knows: KnownHosts | None = None,
        batch: int = 1000,
        pause: float = 0,
        timeout: float = 5,
        away: Iterable[int] = (),
        prepare: Callable[["Asked"], object] = lambda _: None,
    ) -> None:
        self.bus = FakeBus(behave)
        self.bus.away = {*away}
        self.knows = knows or known(*HOSTS.values())
        self.told: list[Outcome] = []
        #: When each was told.
        self.times: list[float] = []
        self.tell: Callable[[Outcome], object] = lambda _: None
        self._prepare = prepare
        run(self._ask(names, Batching(batch=batch, pause=pause, timeout=timeout)))

    async def _ask(self, names: Sequence[str], pace: Batching) -> None:
        exchange = await an_exchange(self.bus)
        bus: Any = self.bus
        self.asking = Asking(exchange, bus, self.knows, QUESTION, self._tell, now)
        self._prepare(self)
        await self.asking.ask(names, pace)
        self.ended = now()
        assert self.asking._waiting == {}
        assert exchange._receivers == {}

    def _tell(self, outcome: Outcome) -> None:
        self.told.append(outcome)
        self.times.append(now())
        self.tell(outcome)

    @property
    def states(self) -> dict[str, str]:
        """What became of each; fails where something is told twice."""
        states = {each.host: each.state for each in self.told}
        assert len(states) == len(self.told)
        return states


def test_all_answer() -> None:
    """Each is asked by itself, in one signature; all that is waited for is the answers."""
    asked = Asked(answering(HOSTS), ["web-1", "web-2"])

    assert asked.states == {"web-1": "ok", "web-2": "ok"}
    assert asked.ended < 5
    assert [each.subject for each in asked.bus.sent] == ["cmdserver.prod.host.web-1", "cmdserver.prod.host.web-2"]
    assert {each.read().audience.hosts for each in asked.bus.sent} == {("web-1", "web-2")}
    assert len({each.signature for each in asked.bus.sent}) == 1
    assert len({each.reply for each in asked.bus.sent}) == 2
    assert asked.told[0].answer == {"outcome": "ok"}
    assert [each.besides for each in asked.told] == ["", ""]


def test_how_long_it_took() -> None:
    """From when a host was asked."""

    def behave(sent: Sent) -> Iterable[Delivered]:
        loop = asyncio.get_running_loop()
        for headers, body in HOST.answer(sent):
            loop.call_later(1.5, asked_bus[0].deliver, sent, headers, body)
        return ()

    asked_bus: list[FakeBus] = []
    asked = Asked(behave, prepare=lambda asked: asked_bus.append(asked.bus))
    assert asked.told == [Outcome(host="web-1", state="ok", seconds=1.5, answer={"outcome": "ok"})]


def test_nobody_there() -> None:
    """The bus says so at once."""
    asked = Asked(answering({}), ["web-1", "web-2"])

    assert asked.states == {"web-1": MISSING, "web-2": MISSING}
    assert {each.why for each in asked.told} == {"not connected to the bus"}
    assert asked.ended == 0


def test_silence() -> None:
    """A host that says nothing is missing when its time is over."""
    asked = Asked(lambda _: (), timeout=2.5)

    assert asked.told == [Outcome(host="web-1", state=MISSING, why="no answer in 2.5 s")]
    assert asked.ended == 2.5


def changed(sent: Sent, **fields: str) -> list[Delivered]:
    """Answer rightly, and change some fields on the way."""
    ((headers, body),) = HOST.answer(sent)
    return [({**headers, **{name.replace("_", "-"): value for name, value in fields.items()}}, body)]


FORGERIES: Mapping[str, Behaviour] = {
    "another host": OTHER.answer,
    "another host in its name": lambda sent: [
        ({**headers, "Cmdserver-Host": "web-1"}, body) for headers, body in OTHER.answer(sent)
    ],
    "another request": lambda sent: HOST.answer(sent, signature=b"x" * 64),
    "another status": lambda sent: changed(sent, Cmdserver_Status="201"),
    "another body": lambda sent: [(headers, FAILED) for headers, _ in HOST.answer(sent)],
    "another type": lambda sent: changed(sent, Content_Type="text/html"),
    "an encoding": lambda sent: changed(sent, Content_Encoding="gzip"),
    "no signature": lambda _: [({"Cmdserver-Status": "200", "Cmdserver-Host": "web-1"}, b'{"outcome": "ok"}')],
    "no status": lambda sent: changed(sent, Cmdserver_Status=""),
    "no headers": lambda _: [({}, b'{"outcome": "ok"}')],
    "no part": lambda sent: changed(sent, Cmdserver_Part="2/1"),
    "nobody, with a body": lambda _: [({"Status": "503"}, b"x")],
    "a part too many": lambda sent: [*HOST.answer(sent, parts=[b"{", b"}"])[:1], *HOST.answer(sent)[:0]],
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_no_answer(name: str) -> None:
    """It is not counted, and not waited for less; the answer that comes after it is the one."""
    asked = Asked(FORGERIES[name])
    ((host, state),) = asked.states.items()
    (outcome,) = asked.told
    assert host == "web-1"
    assert state == (MISSING if name == "a part too many" else UNVERIFIED)
    assert (outcome.answer, outcome.seconds, asked.ended) == (None, None, 5)
    assert outcome.why

    asked = Asked(lambda sent: [*FORGERIES[name](sent), *HOST.answer(sent)])
    assert asked.states == {"web-1": "ok"}
    assert bool(asked.told[0].besides) == (name != "a part too many")
    asked = Asked(lambda sent: [*HOST.answer(sent), *FORGERIES[name](sent)])
    assert asked.states == {"web-1": "ok"}
    assert not asked.told[0].besides


def test_the_first_doubt_is_told() -> None:
    """The rest is as the forger wants it."""
    asked = Asked(lambda sent: [({}, b"x"), *FORGERIES["another host"](sent)])

    assert asked.told[0].why == "it has no status"


def test_twice() -> None:
    """The first answer counts."""
    asked = Asked(lambda sent: [*HOST.answer(sent), *HOST.answer(sent, FAILED), NOBODY])

    assert asked.states == {"web-1": "ok"}


def test_case_of_names() -> None:
    """The host's own spelling of its name need not be that of whoever knows it; its subject is in lower case."""
    host = Host("WEB-1")
    asked = Asked(host.answer, ["Web-1"], knows=known(host))

    assert asked.states == {"Web-1": "ok"}
    assert asked.bus.sent[0].subject == "cmdserver.prod.host.web-1"


def test_parts() -> None:
    """An answer in parts is one; a part of another between them is none of it."""
    body = json.dumps({"outcome": "ok", "stdout": "x" * 50}).encode()
    parts = [body[:20], body[20:40], body[40:]]

    def behave(sent: Sent) -> Iterable[Delivered]:
        first, second, third = HOST.answer(sent, parts=parts)
        forged = ({**second[0], "Signature": "cmdserver=:AAAA:"}, b"evil")
        return [third, forged, first, first, second]

    asked = Asked(behave)
    assert asked.told[0].answer == json.loads(body)
    assert not asked.told[0].besides


def test_a_part_that_was_replaced() -> None:
    """It makes a whole that is not what was signed."""

    def behave(sent: Sent) -> Iterable[Delivered]:
        first, second = HOST.answer(sent, parts=[b'{"outcome"', b': "ok"}'])
        return [first, (second[0], b': "ko"}')]

    asked = Asked(behave)
    assert (asked.states, asked.told[0].why) == ({"web-1": UNVERIFIED}, "its body is not what was signed")


def test_an_error_that_is_not_signed() -> None:
    """Most likely the host refuses; its own answer has two seconds left to come."""

    def error(status: str) -> Delivered:
        return {"Cmdserver-Status": status}, b"{}"

    asked = Asked(lambda _: [error("401"), error("503")], timeout=60)
    assert asked.told == [
        Outcome(
            host="web-1",
            state=UNVERIFIED,
            why="the login is refused, as by a host that does not know your key (401), not signed",
        )
    ]
    assert asked.ended == 2.0
    asked = Asked(lambda sent: [error("503"), *HOST.answer(sent)], timeout=60)
    assert (asked.states, asked.told[0].besides[:10]) == ({"web-1": "ok"}, "it is busy")
    asked = Asked(lambda _: [error("200")], timeout=60)
    assert asked.ended == 60
    # Whoever is waited for less is so: the timeout is still the end.
    assert Asked(lambda _: [error("401")], timeout=1).ended == 1


def test_an_answer_to_an_earlier_batch() -> None:
    """Who was given up in a batch is not given up again in the next."""
    hosts = hosts_of("a", "b")

    asked = Asked(
        lambda _: [({"Cmdserver-Status": "401"}, b"")], ["a", "b"], knows=known(*hosts.values()), batch=1, timeout=1
    )
    assert asked.states == {"a": UNVERIFIED, "b": UNVERIFIED}
    assert asked.times == [1, 2]


def test_a_bus_that_goes() -> None:
    """Who was not asked is missing at once; who was is waited for."""
    asked = Asked(answering(HOSTS), ["web-1", "web-2"], away={1})

    assert asked.states == {"web-1": "ok", "web-2": MISSING}
    assert {each.host: each.why for each in asked.told}["web-2"] == "not asked: the bus is away"


def test_batches() -> None:
    """One after the other, each with a pause before it, and signed for its own hosts when its turn has come."""
    hosts = hosts_of("a", "b", "c", "d", "e")
    asked = Asked(answering(hosts), [*hosts], knows=known(*hosts.values()), batch=2, pause=10)

    assert asked.states == dict.fromkeys(hosts, "ok")
    assert [each.at for each in asked.bus.sent] == [0, 0, 10, 10, 20]
    signed = {(each.read().audience.hosts, each.read().created) for each in asked.bus.sent}
    start = min(created for _, created in signed)
    assert signed == {(("a", "b"), start), (("c", "d"), start + 10), (("e",), start + 20)}
    assert asked.ended == 20


def test_a_slow_batch() -> None:
    """The next one comes when its time is over."""
    hosts = hosts_of("a", "b")
    asked = Asked(lambda _: (), [*hosts], batch=1, timeout=5, pause=1)

    assert [each.at for each in asked.bus.sent] == [0, 6]
    assert asked.times == [5, 11]


def test_many() -> None:
    """No signature has more than 200 names, and all are asked at once; the time begins when the last was asked."""
    hosts = hosts_of(*(f"h{number}" for number in range(401)))
    asked = Asked(answering(hosts), [*hosts], knows=known(*hosts.values()))

    assert asked.states == dict.fromkeys(hosts, "ok")
    assert asked.ended == 0
    sizes = {each.read().signature: len(each.read().audience.hosts) for each in asked.bus.sent[::100]}
    assert sorted(sizes.values()) == [1, 200, 200]
    assert all(each.host in each.read().audience.hosts for each in asked.bus.sent[::50])


def stop_when(condition: Callable[[Outcome], bool]) -> Callable[[Asked], None]:
    """Stop when something is told."""

    def prepare(asked: Asked) -> None:
        def tell(outcome: Outcome) -> None:
            if condition(outcome):
                asked.asking.stop()

        asked.tell = tell

    return prepare


def test_stopping_between_batches() -> None:
    """Nobody is asked any more, and no pause is waited for."""
    hosts = hosts_of("a", "b", "c")
    asked = Asked(
        answering(hosts), [*hosts], knows=known(*hosts.values()), batch=1, pause=10, prepare=stop_when(lambda _: True)
    )

    assert asked.states == {"a": "ok", "b": NOT_ASKED, "c": NOT_ASKED}
    assert {each.why for each in asked.told} == {"", "not asked any more"}
    assert len(asked.bus.sent) == 1
    assert asked.ended == 0


def test_stopping_in_a_pause() -> None:
    """It ends at once."""
    hosts = hosts_of("a", "b")
    asked = Asked(
        answering(hosts), [*hosts], knows=known(*hosts.values()), batch=1, pause=10,
        prepare=lambda asked: asyncio.get_running_loop().call_later(4, asked.asking.stop),
    )  # fmt: skip

    assert asked.states == {"a": "ok", "b": NOT_ASKED}
    assert asked.ended == 4


def test_stopping_while_answers_are_waited_for() -> None:
    """Who has not answered is missing, as what was asked may well be done."""
    asked = Asked(
        lambda sent: HOST.answer(sent) if sent.host == "web-1" else (), ["web-2", "web-1"],
        prepare=lambda asked: asyncio.get_running_loop().call_later(1, asked.asking.stop),
    )  # fmt: skip

    assert asked.states == {"web-1": "ok", "web-2": MISSING}
    assert [each.why for each in asked.told] == ["", "not waited for"]
    assert asked.ended == 1


def test_stopping_while_hosts_are_asked() -> None:
    """The rest is not asked, of the same signature or of the next."""
    hosts = hosts_of(*(f"h{number}" for number in range(250)))
    asked = Asked(
        lambda _: (), [*hosts], knows=known(*hosts.values()), away={3},
        prepare=stop_when(lambda outcome: outcome.state == MISSING),
    )  # fmt: skip

    assert len(asked.bus.sent) == 3
    assert [*asked.states.values()].count(NOT_ASKED) == 246
    assert [*asked.states.values()].count(MISSING) == 4
    assert asked.ended == 0


def test_nobody_can_be_told() -> None:
    """As on a pipe that is closed: that ends all, at once, and is what the asking ends with."""

    def broken(_: Outcome) -> None:
        raise BrokenPipeError

    cases: list[tuple[Behaviour, bool]] = [
        (answering(HOSTS), False),
        (lambda _: [({"Cmdserver-Status": "401"}, b"")], False),
        (lambda _: (), True),
    ]
    for behave, is_late in cases:
        times: list[float] = []

        def prepare(asked: Asked, times: list[float] = times) -> None:
            asked.tell = broken
            asyncio.get_running_loop().call_later(5, times.append, 5)

        with pytest.raises(BrokenPipeError):
            Asked(behave, ["web-1", "web-2"], timeout=6, prepare=prepare)
        assert bool(times) == is_late


def test_answered_while_it_is_sent() -> None:
    """What the bus loses behind a question whose answer is there already was not lost."""

    class Hasty(FakeBus):
        async def publish(self, *words: Any, **options: Any) -> None:
            await super().publish(*words, **options)
            for _ in range(5):
                await asyncio.sleep(0)
            self.away = {-1}
            await super().publish(*words, **options)

    def replace(asked: Asked) -> None:
        hasty: Any = Hasty(answering(HOSTS))
        hasty.client = asked.bus.client
        asked.asking._bus = hasty

    assert Asked(lambda _: (), prepare=replace).states == {"web-1": "ok"}


@pytest.mark.parametrize("signs", [0, 1])
def test_a_key_that_does_not_sign(signs: int) -> None:
    """Before anybody was asked that is all there is to say; later, what there is by then is told."""
    left = [True] * signs

    def sign(_: bytes) -> bytes:
        if not left:
            raise AgentError("the agent refuses")
        left.pop()
        return bytes(64)

    def refuse(asked: Asked) -> None:
        key: Any = Mock(fingerprint="SHA256:" + "A" * 43, sign=sign)
        asked.asking._exchange._key = key

    if not signs:
        with pytest.raises(AgentError, match="refuses"):
            Asked(lambda _: [NOBODY], ["web-1", "web-2"], batch=1, prepare=refuse)
        return
    asked = Asked(lambda _: [NOBODY], ["web-1", "web-2"], batch=1, prepare=refuse)
    assert asked.states == {"web-1": MISSING, "web-2": NOT_ASKED}
    assert asked.told[1].why == "the agent refuses"
