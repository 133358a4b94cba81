"""Tests of a roll call: who counts as there, and who could become known."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from cmdserver.auth.signatures.audience import Audience
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.fleet.bus import NotConnected
from cmdserver.fleet.client import roll_call
from cmdserver.fleet.client.known_hosts import KnownHosts, read_public_key
from cmdserver.fleet.client.roll_call import Calling, Present, RollCall
from tests.fleet.doubles import Delivered, FakeBus, Host, Sent, an_exchange, known, now, run

WEB, DB, NEW = Host("Web-1"), Host("db-1"), Host("new-1")


def said(host: Host, **more: object) -> bytes:
    """Return what a host tells of itself."""
    return json.dumps({"key": host.signer.public_key, "version": "1", "facts": {"role": "x"}, **more}).encode()


def told(host: Host, sent: Sent, **more: object) -> list[Delivered]:
    """Have a host answer."""
    return host.answer(sent, said(host, **more))


class Called:
    """A roll call.

    Args:
        behave: What comes back.
        knows: Who is known.
        globs: Who is meant.
    """

    def __init__(
        self,
        behave: Callable[[Sent], Iterable[Delivered]],
        knows: KnownHosts | None = None,
        globs: Sequence[str] = ("*",),
        *,
        seconds: float = 2,
        waits: bool = False,
        late: Callable[[Sent], Iterable[Delivered]] = lambda _: (),
        late_at: float = 1,
    ) -> None:
        self.bus = FakeBus(behave)
        self._late = late
        self._late_at = late_at
        self.knows = known(WEB, DB) if knows is None else knows
        self.found = run(self._call(globs, seconds, waits=waits))

    async def _call(self, globs: Sequence[str], seconds: float, *, waits: bool) -> RollCall:
        exchange = await an_exchange(self.bus)
        bus: Any = self.bus
        asyncio.get_running_loop().call_later(self._late_at, self._deliver)
        found = await Calling(exchange, bus, self.knows, now).call(globs, seconds, waits_for_unknown=waits)
        self.ended = now()
        assert exchange._receivers == {}
        return found

    def _deliver(self) -> None:
        for headers, body in self._late(self.bus.sent[0]):
            self.bus.deliver(self.bus.sent[0], headers, body)

    @property
    def unknown(self) -> dict[str, tuple[str, str]]:
        """Who is not known, by name: the fingerprint, and why; fails where there are two of a name."""
        found = {each.name: (each.fingerprint, each.why) for each in self.found.unknown.values()}
        assert len(found) == len(self.found.unknown)
        return found


def test_everybody() -> None:
    """One question to all; who is known and answers is there, by the name that it is known by."""
    called = Called(
        lambda sent: [*told(WEB, sent), *told(DB, sent, facts=None)], known(Host("x"), WEB, DB), ["web-*", "db-1"]
    )

    (sent,) = called.bus.sent
    assert (sent.subject, sent.body, sent.headers["Cmdserver-Target"]) == ("cmdserver.prod.all", b"", "/-/fleet")
    assert sent.read().audience == Audience("prod", ("web-*", "db-1"))
    assert {key: each.name for key, each in called.found.present.items()} == {"web-1": "Web-1", "db-1": "db-1"}
    assert [each.facts for each in called.found.present.values()] == [{"role": "x"}, {}]
    assert called.found.present["web-1"].answer["version"] == "1"
    assert called.found.unknown == {}


def test_how_long_it_is_waited() -> None:
    """For known hosts; when they have all answered, a moment more for others, or all the time if they are meant."""
    both = lambda sent: [*told(WEB, sent), *told(DB, sent)]  # noqa: E731 - one of several
    assert Called(both).ended == pytest.approx(0.3)
    assert Called(both, waits=True).ended == 2
    assert Called(lambda sent: told(WEB, sent)).ended == 2
    assert Called(lambda sent: told(WEB, sent), late=lambda sent: told(DB, sent)).ended == pytest.approx(1.3)
    assert Called(lambda sent: told(WEB, sent), late=lambda sent: told(DB, sent), late_at=1.9).ended == 2
    assert Called(lambda sent: told(WEB, sent), globs=["web-*"]).ended == pytest.approx(0.3)
    assert Called(lambda _: (), KnownHosts()).ended == pytest.approx(0.3)
    # What comes in that moment does not make it longer.
    assert Called(both, late=lambda sent: told(NEW, sent), late_at=0.2).ended == pytest.approx(0.3)


def test_when() -> None:
    """It is counted from the question."""
    called = Called(lambda sent: told(WEB, sent), late=lambda sent: [*told(DB, sent), *told(NEW, sent)], late_at=1.5)

    assert {name: each.seconds for name, each in called.found.present.items()} == {"web-1": 0, "db-1": 1.5}
    assert [each.seconds for each in called.found.unknown.values()] == [1.5]


def test_somebody_new() -> None:
    """By the key that they show and sign with; they could become known."""
    called = Called(lambda sent: told(NEW, sent))

    assert called.unknown == {"new-1": (fingerprint_of(NEW.blob), "not known:")}
    assert called.found.new_keys() == {"new-1": NEW.blob}
    (unknown,) = called.found.unknown.values()
    assert unknown.said["facts"] == {"role": "x"}
    assert not unknown.is_known_name


def test_two_keys_for_one_name() -> None:
    """Neither of them could become known; whatever the case of the name, and whoever comes first."""
    other = Host("NEW-1")
    for hosts in ((NEW, other), (other, NEW)):
        called = Called(lambda sent, hosts=hosts: [each for host in hosts for each in told(host, sent)])  # type: ignore[misc]
        assert len(called.found.unknown) == 2
        assert called.found.new_keys() == {}
    # The same key twice is one, and so is one beside an answer that nobody has signed.
    called = Called(
        lambda sent: [
            *told(NEW, sent),
            *told(NEW, sent),
            ({"Cmdserver-Status": "200", "Cmdserver-Host": "new-1"}, b"{}"),
        ]
    )
    assert len(called.found.unknown) == 2
    assert called.found.new_keys() == {"new-1": NEW.blob}


def test_another_key_for_a_known_name() -> None:
    """It does not count as there, and could not become known; whether or not the host itself answers."""
    evil = Host("WEB-1")
    called = Called(lambda sent: told(evil, sent))
    assert called.found.present == {}
    assert called.unknown == {"WEB-1": (fingerprint_of(evil.blob), "known by another key than")}
    assert called.found.new_keys() == {}
    called = Called(lambda sent: [*told(evil, sent), *told(WEB, sent)])
    assert {*called.found.present} == {"web-1"}
    assert called.found.new_keys() == {}
    called = Called(lambda sent: [*told(WEB, sent), *told(evil, sent)])
    assert ({*called.found.present}, called.found.unknown) == ({"web-1"}, {})


def forged(sent: Sent, host: Host, body: bytes, **fields: str) -> list[Delivered]:
    """Answer with a body, and change fields on the way."""
    ((headers, content),) = host.answer(sent, body)
    return [({**headers, **{name.replace("_", "-"): value for name, value in fields.items()}}, content)]


@pytest.mark.parametrize(
    "behave",
    [
        # Somebody else's key, which it has not signed with.
        lambda sent: forged(sent, NEW, said(DB)),
        # In somebody else's name.
        lambda sent: forged(sent, NEW, said(NEW), Cmdserver_Host="new-2"),
        lambda sent: forged(sent, NEW, b"{}"),
        lambda sent: forged(sent, NEW, b"[]"),
        lambda sent: forged(sent, NEW, b"x"),
        lambda sent: forged(sent, NEW, b"[" * 60_000),
        lambda sent: forged(sent, NEW, b'{"key": ["ssh-ed25519 AAAA"]}'),
        lambda sent: forged(sent, NEW, said(NEW), Signature="cmdserver=:AAAA:"),
        lambda sent: NEW.answer(sent, said(NEW), signature=b"x" * 64),
        lambda _: [({"Cmdserver-Status": "401", "Cmdserver-Host": "new-1"}, b"{}")],
    ],
)
def test_no_key_of_their_own(behave: Callable[[Sent], Iterable[Delivered]]) -> None:
    """They are listed, without a fingerprint, and could not become known."""
    called = Called(behave)

    ((fingerprint, why),) = called.unknown.values()
    assert fingerprint == ""
    assert why
    assert called.found.new_keys() == {}
    assert called.found.present == {}


def test_a_refusal() -> None:
    """It is not signed, and it is said what it means."""
    called = Called(lambda _: [({"Cmdserver-Status": "401", "Cmdserver-Host": "Web-1"}, b"{}")])
    assert called.unknown["Web-1"][1].startswith("the login is refused")
    called = Called(lambda sent: forged(sent, WEB, said(WEB), Cmdserver_Status="201"))
    assert called.unknown["Web-1"] == ("", "wrong signature")


@pytest.mark.parametrize(
    "behave",
    [
        lambda sent: forged(sent, NEW, said(NEW), Cmdserver_Host=""),
        lambda sent: forged(sent, NEW, said(NEW), Cmdserver_Host="a b\x1b"),
        lambda sent: forged(sent, NEW, said(NEW), Cmdserver_Status="x"),
        lambda sent: NEW.answer(sent, parts=[b"a", b"b"])[:1],
        lambda sent: told(Host("other"), sent),
        lambda _: [({"Status": "503"}, b"")],
    ],
)
def test_nobody(behave: Callable[[Sent], Iterable[Delivered]]) -> None:
    """What has no name, is no answer, is not whole, or was not asked."""
    called = Called(behave, globs=["web-*", "db-1", "n?w-*"])

    assert (called.found.present, called.found.unknown) == ({}, {})
    assert called.ended == 2


def test_length() -> None:
    """What a host tells of itself is short, and in one part."""
    longest = 65_536 - len(said(WEB, x=""))
    assert {*Called(lambda sent: told(WEB, sent, x="x" * longest)).found.present} == {"web-1"}
    called = Called(
        lambda sent: [*told(WEB, sent, x="x" * (longest + 1)), *DB.answer(sent, parts=[said(DB)[:9], said(DB)[9:]])]
    )
    assert (called.found.present, called.found.unknown) == ({}, {})


def test_the_first_answer_counts() -> None:
    """The one that is verified, that is; globs match whatever the case."""
    called = Called(lambda sent: [*told(WEB, sent, version="1"), *told(WEB, sent, version="2")], globs=["WEB-*"])

    assert called.found.present["web-1"].answer["version"] == "1"


def test_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who makes up names has no memory of ours for all of them; known hosts have their place."""
    hosts = [Host(f"new-{number}") for number in range(3)]

    def behave(sent: Sent) -> Iterable[Delivered]:
        return [each for host in (*hosts, WEB) for each in told(host, sent)]

    for name, most in (("_MOST_UNKNOWN", 2), ("_MOST_UNKNOWN_BYTES", 2 * len(said(hosts[0])))):
        with monkeypatch.context() as patch:
            patch.setattr(roll_call, name, most)
            called = Called(behave)
        assert {*called.unknown} == {"new-0", "new-1"}
        assert {*called.found.present} == {"web-1"}


def test_a_bus_that_is_away() -> None:
    """It is told."""

    async def work() -> None:
        bus: Any = FakeBus()
        exchange = await an_exchange(bus)
        bus.away = {-1}
        with pytest.raises(NotConnected):
            await Calling(exchange, bus, known(), now).call(["*"], 1)

    run(work())


def test_facts() -> None:
    """A table of texts, or none."""
    assert Present("a", 0, {"facts": {"b": "c", "d": 1, "e": ["f"], "g": None}}).facts == {"b": "c"}
    for answer in ({}, {"facts": None}, {"facts": ["b"]}, {"facts": "b"}):
        assert Present("a", 0, answer).facts == {}


def test_public_keys() -> None:
    """A line, with a comment or without; of the one type that hosts sign with."""
    line = NEW.signer.public_key
    for text in (line, f" {line}\n", f"{line} a comment"):
        assert read_public_key(text) == NEW.blob
    for text in (
        "", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !", line[:-4], line + "AAAA", line[4:], line.upper(),
        line.replace("ssh-ed25519", "ssh-rsa"), line.replace(" ", "  "), f"x {line}", "ssh-ed25519 \u00e9",
    ):  # fmt: skip
        assert read_public_key(text) is None, text
