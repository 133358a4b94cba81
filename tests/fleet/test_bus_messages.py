"""Tests of requests and answers as messages: whatever a bus brings becomes one request of known fields, or none."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.signatures.audience import Audience
from cmdserver.fleet.bus_messages import (
    PART_BYTES,
    REQUEST_FIELDS,
    BadRequest,
    BusRequest,
    answer_headers,
    part_count,
    read_part,
)
from tests.doubles import LAW

GOOD = {
    "Cmdserver-Method": "POST",
    "Cmdserver-Target": "/uptime",
    "Cmdserver-Audience": 'prod;hosts=("web-1")',
    "Signature-Input": "cmdserver=()",
    "Signature": "cmdserver=:AAAA:",
}


def without(name: str) -> Mapping[str, str]:
    """Return the good headers but for one."""
    return {key: value for key, value in GOOD.items() if key != name}


def refusal(headers: Mapping[str, str] | None) -> str:
    """Say why something is no request."""
    with pytest.raises(BadRequest) as refused:
        BusRequest.read(headers, b"")
    return str(refused.value)


def test_a_request() -> None:
    """What is known is taken, whatever the case of its name and in one order; the rest is left behind."""
    headers = {"Content-Type": "text/x", "X-Other": "y", "Host": "evil", **GOOD, "content-digest": "d", "Cookie": "c"}
    shouted = {name.upper(): value for name, value in headers.items()}
    for each in (headers, shouted):
        request = BusRequest.read(each, b"body")
        assert (request.method, request.target, request.body) == ("POST", "/uptime", b"body")
        assert request.audience == Audience("prod", ("web-1",))
        assert request.http() == (
            b"POST /uptime HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n"
            b'Content-Length: 4\r\nCmdserver-Audience: prod;hosts=("web-1")\r\nSignature-Input: cmdserver=()\r\n'
            b"Signature: cmdserver=:AAAA:\r\nContent-Type: text/x\r\nContent-Digest: d\r\n\r\nbody"
        )
    assert BusRequest.read({**GOOD, "Cmdserver-Method": "GET"}, b"").method == "GET"


def test_methods_and_targets() -> None:
    """Two methods; a path of printable ASCII, of a length that a daemon takes."""
    for headers in (
        None, {}, without("Cmdserver-Method"), without("Cmdserver-Target"),
        *({**GOOD, "Cmdserver-Method": each} for each in ("", "get", "PUT", "HEAD", "GET ", "GET /x", "CONNECT")),
        *(
            {**GOOD, "Cmdserver-Target": each}
            for each in (
                "", "uptime", "*", "http://x/", " /uptime", "/up time", "/x HTTP/1.1\r\nA: b", "/\n", "/\u00e9",
                "/\x7f", "/" + "a" * 8192,
            )
        ),
    ):  # fmt: skip
        assert refusal(headers) == "it has no method and no target", headers
    for target in ("/", "/-/fleet", "/x?a=b#~!", "//", "/../%0d%0a", "/" + "a" * 8191):
        assert BusRequest.read({**GOOD, "Cmdserver-Target": target}, b"").target == target


def test_fields() -> None:
    """All three of a signature; each of printable ASCII, and not too long together."""
    for name in ("Cmdserver-Audience", "Signature-Input", "Signature"):
        assert refusal(without(name)) == "it is not signed"
    for name in REQUEST_FIELDS:
        for value in ("", "a\r\nb: c", "a\n", "a\tb", "\x00", "\u00e9", "\x7f", "\x85"):
            assert refusal({**GOOD, name: value}) == f"{name} is not printable ASCII"
    assert refusal({**GOOD, "Cmdserver-Audience": "prod"}).startswith("the audience is not like")
    left = 14_000 - sum(len(GOOD[name]) for name in ("Cmdserver-Audience", "Signature-Input", "Signature"))
    assert BusRequest.read({**GOOD, "Content-Type": "a" * left}, b"").fields[-1] == ("Content-Type", "a" * left)
    assert refusal({**GOOD, "Content-Type": "a" * (left + 1)}) == "its fields are too long"


PIECES = st.one_of(
    st.sampled_from(
        ["\r\n", "\n", "\r", "\0", " ", "/", ":", "\u00e9", "\u2028", "GET", "Transfer-Encoding: chunked", ""]
    ),
    st.text(max_size=3),
)
VALUES = st.lists(PIECES, max_size=4).map("".join)
NAMES = st.sampled_from([*GOOD, *(each.lower() for each in GOOD), "Content-Type", "Content-Digest", "Host", "A\r\nB"])
LINE = re.compile(rb"([A-Za-z-]+): ([ -~]+)")


@LAW
@given(st.dictionaries(NAMES, VALUES, max_size=3), st.booleans(), st.binary(max_size=40))
def test_one_request(others: Mapping[str, str], is_good: bool, body: bytes) -> None:
    """Whatever comes: none, or exactly one request with the known fields, each once, and this body."""
    try:
        written = BusRequest.read({**(GOOD if is_good else {}), **others}, body).http()
    except BadRequest:
        return
    head, end, rest = written.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (end, rest) == (b"\r\n\r\n", body)
    assert re.fullmatch(rb"(GET|POST) /[!-~]* HTTP/1\.1", first)
    fields = [(match[1], match[2]) for line in lines if (match := LINE.fullmatch(line))]
    names = [name.decode() for name, _ in fields]
    assert len(fields) == len(lines)
    assert len({each.lower() for each in names}) == len(names)
    assert set(names) <= {"Host", "Accept", "Connection", "Content-Length", *REQUEST_FIELDS}
    assert dict(fields)[b"Content-Length"] == str(len(body)).encode()


def test_parts() -> None:
    """As many as are needed, one at least; each says which it is, but the only one."""
    sizes = (0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 1)
    assert [part_count(size) for size in sizes] == [1, 1, 1, 1, 2, 2, 3]
    assert answer_headers(200, [("A", "b")]) == {"Cmdserver-Status": "200", "A": "b"}
    assert answer_headers(404, [("A", "b")], 2, 3) == {"Cmdserver-Status": "404", "A": "b", "Cmdserver-Part": "2/3"}


def test_what_is_a_part() -> None:
    """A number of a number that is no smaller; without any it is the only one."""
    for text, part in (("1/1", (1, 1)), ("2/3", (2, 3)), ("999999/999999", (999999, 999999))):
        assert read_part({"Cmdserver-Part": text}) == part
    assert read_part({}) == (1, 1)
    for text in (
        "", "1", "/", "0/1", "1/0", "4/3", "01/2", "1/02", "+1/2", "1/2/3", "1/2 ", " 1/2", "-1/2", "1/1000000",
        "\u0661/\u0662", "1/2\n", "x" * 100,
    ):  # fmt: skip
        with pytest.raises(ValueError, match="is no part") as refused:
            read_part({"Cmdserver-Part": text})
        assert len(str(refused.value)) < 100
