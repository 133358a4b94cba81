"""Whose a request is that came through proxies, whatever its client sends."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.addresses import TrustedProxies
from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.proxies.forwarded import Forwarded, Values, read
from tests.doubles import LAW

PEER = "127.0.0.1"
TRUSTED = TrustedProxies((ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")))

Fields = dict[bytes, list[bytes]]


def values_of(fields: Fields) -> Values:
    """Return what reads these fields."""
    return fields.get


def found(peer: str = PEER, /, **fields: bytes | list[bytes]) -> Forwarded:
    """Read fields, which are named as keywords are."""
    lists = {
        name.replace("_", "-").encode(): [each] if isinstance(each, bytes) else each for name, each in fields.items()
    }
    return read(peer, values_of(lists), TRUSTED)


def node(address: str, *, is_standard: bool) -> bytes:
    """Spell an address as a proxy does."""
    if is_standard and ":" in address:
        return f'"[{address}]:4711"'.encode()
    return address.encode()


def append(fields: Fields, address: str, *, is_standard: bool, own_line: bool) -> None:
    """Do what a proxy does that somebody calls."""
    spelled = node(address, is_standard=is_standard)
    name, element = (
        (b"forwarded", b"for=" + spelled + b";proto=https") if is_standard else (b"x-forwarded-for", spelled)
    )
    lines = fields.setdefault(name, [])
    if own_line or not lines:
        lines.append(element)
    else:
        lines[-1] += b", " + element


STRANGERS = st.one_of(st.ip_addresses(v=4, network="192.0.2.0/24"), st.ip_addresses(v=6, network="2001:db8::/32")).map(
    str
)
PROXIES = st.one_of(st.ip_addresses(v=4, network="10.0.0.0/8"), st.ip_addresses(v=6, network="fd00::/8")).map(str)
#: What a client may make up: pieces of good fields, and bytes that are none.
MADE_UP = st.lists(
    st.one_of(
        st.sampled_from(
            [b'"', b"\\", b",", b";", b"for=", b"127.0.0.1", b"10.1.1.1", b"[fd00::1]", b"unknown", b"=", b" "]
        ),
        st.binary(max_size=4).map(lambda each: each.translate(None, b"\r\n\0")),
    ),
    max_size=12,
).map(b"".join)
LINES = st.lists(MADE_UP, max_size=3)


class WhateverClientsSendTests(SynchronousTestCase):
    @LAW
    @given(client=STRANGERS, proxies=st.lists(PROXIES, max_size=3), usual=LINES, own_line=st.booleans())
    def test_usual(self, client: str, proxies: list[str], usual: list[bytes], own_line: bool) -> None:
        """Behind proxies that append to X-Forwarded-For, the source is who has called the first of them."""
        fields: Fields = {b"x-forwarded-for": usual} if usual else {}
        for each in (client, *proxies):
            append(fields, each, is_standard=False, own_line=own_line)

        self.assertEqual(read(PEER, values_of(fields), TRUSTED).source, client)

    @LAW
    @given(client=STRANGERS, proxies=st.lists(PROXIES, max_size=3), made_up=LINES, own_line=st.booleans())
    def test_standard(self, client: str, proxies: list[str], made_up: list[bytes], own_line: bool) -> None:
        """It is so behind proxies that append to Forwarded, unless what the client has sent cannot be read."""
        fields: Fields = {b"forwarded": made_up} if made_up else {}
        for each in (client, *proxies):
            append(fields, each, is_standard=True, own_line=own_line)
        try:
            result = read(PEER, values_of(fields), TRUSTED)
        except Malformed:
            return
        self.assertEqual((result.source, result.proto), (client, b"https"))

    @LAW
    @given(client=STRANGERS, proxies=st.lists(PROXIES, max_size=3), other=LINES, is_standard=st.booleans())
    def test_the_other_one(self, client: str, proxies: list[str], other: list[bytes], is_standard: bool) -> None:
        """A field that the proxies do not know, and pass on as it came, never makes anybody somebody else."""
        fields: Fields = {b"x-forwarded-for" if is_standard else b"forwarded": other}
        for each in (client, *proxies):
            append(fields, each, is_standard=is_standard, own_line=False)
        try:
            result = read(PEER, values_of(fields), TRUSTED)
        except Malformed:
            return
        self.assertEqual(result.source, client)

    @LAW
    @given(standard=LINES, usual=LINES, protos=LINES, hosts=LINES)
    def test_anything(self, standard: list[bytes], usual: list[bytes], protos: list[bytes], hosts: list[bytes]) -> None:
        """Whatever comes, a source is an address or the peer, and a protocol is one of two."""
        fields = {b"forwarded": standard, b"x-forwarded-for": usual}
        fields |= {b"x-forwarded-proto": protos, b"x-forwarded-host": hosts}
        try:
            result = read(PEER, values_of(fields), TRUSTED)
        except Malformed:
            return
        self.assertEqual(str(ip_address(result.source)), result.source)
        self.assertIn(result.proto, {b"", b"http", b"https"})


class ReadTests(SynchronousTestCase):
    def test_nothing_is_said(self) -> None:
        """The proxy asks for itself."""
        nothing = Forwarded(source=PEER)
        for fields in ({}, {"forwarded": b""}, {"x_forwarded_for": b" , "}, {"forwarded": [b"", b" ,"]}):
            self.assertEqual(found(**fields), nothing, fields)

    def test_spellings(self) -> None:
        """Of one address there are many."""
        v6 = "2001:db8::1"
        for text, source in (
            (b"192.0.2.1", "192.0.2.1"),
            (b"192.0.2.1:4711", "192.0.2.1"),
            (b" \t192.0.2.1 ", "192.0.2.1"),
            (b"::ffff:192.0.2.1", "192.0.2.1"),
            (b"[::ffff:192.0.2.1]:80", "192.0.2.1"),
            (b"2001:DB8:0::1", v6),
            (b"[2001:db8::1]", v6),
            (b"[2001:db8::1]:4711", v6),
        ):
            self.assertEqual(found(x_forwarded_for=text).source, source, text)
        for text, source in (
            (b"for=192.0.2.1", "192.0.2.1"),
            (b'FOR="192.0.2.1:4711"', "192.0.2.1"),
            (b'for="192.0.2.1:_port"', "192.0.2.1"),
            (b'For="[2001:db8::1]:4711"', v6),
            (b'for="[2001:db8:\\:1]"', v6),
            (b"for=2001:db8::1", v6),
            (b"for=[2001:db8::1]", v6),
            (b"by=_x;for=192.0.2.1 ; proto=http;", "192.0.2.1"),
            (b'secret="a, for=10.9.9.9";for=192.0.2.1', "192.0.2.1"),
        ):
            self.assertEqual(found(forwarded=text).source, source, text)

    def test_the_first_that_is_not_trusted(self) -> None:
        """What stands before it is a stranger's word; if all are trusted, the first of all asks for itself."""
        for text, source in (
            (b"9.9.9.9, 192.0.2.1", "192.0.2.1"),
            (b"9.9.9.9, 192.0.2.1, 10.0.0.1, 10.0.0.2", "192.0.2.1"),
            (b"10.0.0.9, 192.0.2.1", "192.0.2.1"),
            (b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
            (b"127.0.0.1", "127.0.0.1"),
        ):
            self.assertEqual(found(x_forwarded_for=text).source, source, text)
            elements = b", ".join(b"for=" + each.strip() for each in text.split(b","))
            self.assertEqual(found(forwarded=elements).source, source, elements)
        self.assertEqual(found(x_forwarded_for=[b"9.9.9.9", b"192.0.2.1", b"10.0.0.1"]).source, "192.0.2.1")
        self.assertEqual(found("unix", x_forwarded_for=b"192.0.2.1").source, "192.0.2.1")

    def test_what_is_hidden_or_unreadable_ends_it(self) -> None:
        """The last proxy that is known answers for it, and that is told."""
        for text in (
            b"unknown",
            b"_hidden",
            b"unix:",
            b"192.0.2",
            b"a.example",
            b"192.0.2.1%x",
            b"[192.0.2.1",
            b"1.2.3.4:x",
        ):
            self.assertEqual(found(x_forwarded_for=text), Forwarded(source=PEER, unreadable=text))
            self.assertEqual(
                found(x_forwarded_for=b"9.9.9.9, " + text + b", 10.0.0.1"),
                Forwarded(source="10.0.0.1", unreadable=text),
            )
        for text in (b"unknown", b"_hidden"):
            self.assertEqual(
                found(forwarded=b"for=9.9.9.9, for=" + text + b";proto=https, for=10.0.0.1"),
                Forwarded(source="10.0.0.1", proto=b"https", unreadable=text),
            )
        self.assertEqual(found(forwarded=b"proto=https").unreadable, b"unknown")

    def test_a_field_that_cannot_be_read_is_refused(self) -> None:
        """A quote that a client has opened would swallow what proxies append."""
        for text in (
            *(b'for="a, for=192.0.2.1', b'x="a, for="[2001:db8::1]"', b'x="\\, for=192.0.2.1', b"for", b"for=a b"),
            *(b"for=1.2.3.4;for=5.6.7.8", b"=x", b'for="a"b', b"for=\x00\n", b"f\xc3=1"),
        ):
            with self.assertRaises(Malformed, msg=str(text)):
                found(forwarded=text)

    def test_both(self) -> None:
        """They count if they say the same."""
        same = found(forwarded=b"for=192.0.2.1;proto=https", x_forwarded_for=b"9.9.9.9, 192.0.2.1:99")
        self.assertEqual(same, Forwarded(source="192.0.2.1", proto=b"https"))
        self.assertEqual(
            found(forwarded=b"for=192.0.2.1", x_forwarded_proto=b"https", x_forwarded_host=b"a"),
            Forwarded(source="192.0.2.1", proto=b"https", host=b"a"),
        )
        for fields in (
            {"forwarded": b"for=9.9.9.9", "x_forwarded_for": b"192.0.2.1"},
            {"forwarded": b"for=192.0.2.1", "x_forwarded_for": b"9.9.9.9"},
            {"forwarded": b"for=_x", "x_forwarded_for": b"192.0.2.1"},
            {"forwarded": b"for=192.0.2.1", "x_forwarded_for": b"unknown"},
            {"forwarded": b"for=192.0.2.1;proto=https", "x_forwarded_proto": b"http"},
            {"forwarded": b"for=192.0.2.1;host=a", "x_forwarded_host": b"b"},
        ):
            with self.assertRaisesRegex(Malformed, "disagree", msg=str(fields)):
                found(**fields)

    def test_how_the_outermost_proxy_was_called(self) -> None:
        """Protocol and host are the word of the proxy that the source has called."""
        for fields, proto, host in (
            ({"x_forwarded_for": b"192.0.2.1", "x_forwarded_proto": b"HTTPS"}, b"https", b""),
            ({"x_forwarded_proto": b"https", "x_forwarded_host": b"A.example:8443"}, b"https", b"a.example:8443"),
            ({"x_forwarded_for": b"192.0.2.1", "x_forwarded_proto": b"wss"}, b"", b""),
            ({"x_forwarded_for": b"192.0.2.1", "x_forwarded_proto": b"https, http"}, b"http", b""),
            ({"x_forwarded_for": b"192.0.2.1, 10.0.0.1", "x_forwarded_proto": b"https, http"}, b"https", b""),
            ({"x_forwarded_for": b"192.0.2.1, 10.0.0.1", "x_forwarded_proto": b"http, https, http"}, b"https", b""),
            ({"x_forwarded_for": b"192.0.2.1, 10.0.0.1", "x_forwarded_proto": b"https"}, b"https", b""),
            ({"x_forwarded_for": b"9.9.9.9, 192.0.2.1", "x_forwarded_host": b"evil, a"}, b"", b"a"),
            ({"forwarded": b'for=9.9.9.9;proto=http, for=192.0.2.1;proto=https;host="a:1"'}, b"https", b"a:1"),
            ({"forwarded": b"for=192.0.2.1;proto=https, for=10.0.0.1;proto=http"}, b"https", b""),
        ):
            result = found(**fields)
            self.assertEqual((result.proto, result.host), (proto, host), fields)
