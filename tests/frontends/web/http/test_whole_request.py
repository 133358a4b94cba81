"""Tests of requests that are read with one look: what is accepted so means the same to Twisted's parser."""

from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http import HTTPChannel, Request

from cmdserver.frontends.web.http.whole_request import RequestFields, WholeRequest, read_whole

ORDINARY = b"GET /uptime?a=1 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\naccept: text/plain\r\n\r\n"


class _Request(Request):
    """A request that is only noted."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        noted: Any = self.channel
        fields = {name.lower(): list(values) for name, values in self.requestHeaders.getAllRawHeaders()}
        noted.read.append((command, path, version, fields, bool(noted.persistent)))


def as_twisted_reads(data: bytes) -> list[tuple[bytes, bytes, bytes, dict[bytes, list[bytes]], bool]]:
    """Return what Twisted makes of bytes; nothing, if they are not one request from the beginning to the end."""
    channel: Any = HTTPChannel()
    channel.requestFactory = _Request
    channel.read = []
    channel.timeOut = None
    channel.makeConnection(Mock(disconnecting=False))
    channel.dataReceived(data)
    read: list[tuple[bytes, bytes, bytes, dict[bytes, list[bytes]], bool]] = channel.read
    return [] if channel._buffer or any(channel._dataBuffer) else read


def test_an_ordinary_request() -> None:
    """Its fields are found whatever their case; several of a name stay several."""
    whole = read_whole(ORDINARY)
    assert whole == WholeRequest(
        b"GET", b"/uptime?a=1", {b"host": [b"localhost"], b"accept": [b"*/*", b"text/plain"]}, is_last=False
    )
    fields = RequestFields(whole.fields)
    assert fields.getRawHeaders(b"Accept") == fields.getRawHeaders(b"accept") == [b"*/*", b"text/plain"]
    assert (fields.getRawHeaders(b"x"), fields.getRawHeaders(b"x", [b"y"])) == (None, [b"y"])
    assert (fields.hasHeader(b"HOST"), fields.hasHeader(b"Cookie")) == (True, False)


@pytest.mark.parametrize(("value", "is_last"), [(b"close", True), (b"keep-alive", False)])
def test_whether_it_is_the_last(value: bytes, is_last: bool) -> None:
    """Of a connection, if the client says so in the usual way."""
    whole = read_whole(b"HEAD / HTTP/1.1\r\nConnection: %b\r\n\r\n" % value)
    assert whole is not None
    assert whole.is_last == is_last


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ORDINARY[:-1],
        ORDINARY + b"x",
        ORDINARY + ORDINARY,
        b"\r\n" + ORDINARY,
        ORDINARY.replace(b"\r\n", b"\n"),
        ORDINARY.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ORDINARY.replace(b"HTTP/1.1", b"HTTP/1.2"),
        ORDINARY.replace(b"GET", b"POST"),
        ORDINARY.replace(b"GET", b"get"),
        ORDINARY.replace(b"/uptime", b"/up time"),
        ORDINARY.replace(b"/uptime", b"/\xc3\xa4"),
        ORDINARY.replace(b"Host:", b"Host :"),
        ORDINARY.replace(b"Host: ", b"Ho\0st: "),
        ORDINARY.replace(b"localhost", b"local\0host"),
        ORDINARY.replace(b"localhost", b"local\rhost"),
        ORDINARY.replace(b"Accept", b" Accept", 1),
        ORDINARY.replace(b"Accept", b"\tAccept", 1),
        ORDINARY.replace(b"Accept", b"Content-Length", 1),
        ORDINARY.replace(b"Accept: */*", b"Content-Length: 0"),
        ORDINARY.replace(b"Accept: */*", b"Transfer-Encoding: chunked"),
        ORDINARY.replace(b"Accept: */*", b"transfer-encoding: identity"),
        ORDINARY.replace(b"Accept: */*", b"Expect: 100-continue"),
        ORDINARY.replace(b"Accept: */*", b"Upgrade: websocket"),
        ORDINARY.replace(b"Accept: */*", b"TE: trailers"),
        ORDINARY.replace(b"Accept: */*", b"Connection: close, te"),
        ORDINARY.replace(b"Accept: */*", b"Connection: close\r\nConnection: close"),
        ORDINARY.replace(b"Accept: */*", b"Cookie: " + b"x" * 4096),
        ORDINARY.replace(b"Accept: */*\r\n", b"X: y\r\n" * 60),
    ],
)
def test_what_is_for_twisted(data: bytes) -> None:
    """Anything that is not quite ordinary, be it right or wrong."""
    assert read_whole(data) is None


_NAMES = st.sampled_from(
    [
        b"Host",
        b"host",
        b"X-Y_z",
        b"Cookie",
        b"Connection",
        b"content-length",
        b"Transfer-Encoding",
        b"a b",
        b"",
        b"\xe4",
    ]
)
_VALUES = st.one_of(
    st.sampled_from([b"close", b"keep-alive", b"0", b"chunked", b"a\r\nb: c", b" "]), st.binary(max_size=8)
)


@given(
    st.sampled_from([b"GET", b"HEAD", b"get", b"POST", b"G\xe4T"]),
    st.one_of(st.sampled_from([b"/", b"*", b"http://a/b"]), st.binary(max_size=6)),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2"]),
    st.lists(
        st.tuples(_NAMES, st.sampled_from([b":", b": ", b":\t ", b" :"]), _VALUES, st.sampled_from([b"\r\n", b"\n"]))
    ),
    st.sampled_from([b"\r\n", b"\n", b"", b"\r\nx"]),
)
def test_both_readings_are_one(
    method: bytes, target: bytes, version: bytes, lines: list[tuple[bytes, bytes, bytes, bytes]], end: bytes
) -> None:
    """What is read with one look is, to Twisted, the same one request; nothing is left over."""
    data = b"%b %b %b\r\n%b%b" % (method, target, version, b"".join(b"".join(line) for line in lines), end)
    whole = read_whole(data)
    if whole is not None:
        assert as_twisted_reads(data) == [
            (whole.method, whole.target, b"HTTP/1.1", dict(whole.fields), not whole.is_last)
        ]
