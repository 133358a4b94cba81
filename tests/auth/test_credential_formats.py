"""The formats of ``passwd`` and ``tokens``."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.auth.credential_formats import (
    Complaint,
    Token,
    format_token,
    is_token,
    parse_passwd,
    parse_time,
    parse_tokens,
    password_owner,
    token_digest,
    token_owner,
    with_end,
    with_line,
    without_lines,
)
from cmdserver.auth.source_restrictions import parse_networks
from cmdserver.core.names import is_user_name

HASH = "$2y$05$" + "." * 21 + "O" + "a" * 31
OTHER_HASH = "$2b$12$" + "." * 21 + "O" + "b" * 31
DIGEST = "ab" * 32
NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", fullmatch=True)
#: Texts that come near to the formats.
NEAR = st.lists(
    st.one_of(
        st.text(max_size=10),
        st.sampled_from(
            ["ann", ":", HASH, DIGEST, " ", "\t", "\n", "\r\n", "#", "expires=", "from=", "commands=", ","]
        ),
        st.sampled_from(
            ["2027-01-31T00:00:00Z", "0001-01-01T00:00:00+23:59", "::1", "10.0.0.0/8", "df", "\udcff", "="]
        ),
    )
).map("".join)
TOKENS = st.builds(
    Token,
    name=NAMES,
    sha256=st.binary(min_size=32, max_size=32),
    expires=st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
    sources=st.none() | st.sampled_from(["::1", "10.0.0.0/8,2001:db8::/32"]).map(parse_networks),
    commands=st.none() | st.frozensets(st.from_regex(r"[a-z*?\[][a-z0-9_*?\[\]!-]{0,63}", fullmatch=True), min_size=1),
    label=st.none() | NAMES,
)


# passwd


def test_passwd() -> None:
    """As htpasswd writes it, with what people write between."""
    parsed = parse_passwd(f"# ours\n\nann:{HASH}\r\n  \t\nbob:{OTHER_HASH}  ")

    assert parsed.value == {"ann": HASH.encode(), "bob": OTHER_HASH.encode()}
    assert parsed.complaints == ()


def test_passwd_complaints() -> None:
    """Bad lines are left out, each with its number; a duplicate changes nothing; no value is quoted."""
    parsed = parse_passwd(f"ann:{HASH}\n.x:{HASH}\nbob:secret\nann:{OTHER_HASH}\nsecret\n:{HASH}\ncid:{HASH}:1\n")

    assert parsed.value == {"ann": HASH.encode()}
    assert [each.line for each in parsed.complaints] == [2, 3, 4, 5, 6, 7]
    assert "secret" not in str(parsed.complaints[1])
    assert str(parsed.complaints[0]) == "2: '.x' can be no user's name"


@pytest.mark.parametrize("hashed", [f"!{HASH}", f"!!{HASH}", "*", "x", "", "!"])
def test_a_user_who_is_locked_out(hashed: str) -> None:
    """As passwd -l does it, and others; a line behind it does not open the listener again."""
    parsed = parse_passwd(f"ann:{hashed}\nann:{HASH}\nbob:{HASH}\n")

    assert parsed.value == {"bob": HASH.encode()}
    assert [each.line for each in parsed.complaints] == [1, 2]


def test_a_word_is_no_line() -> None:
    """What has no colon says nothing of anybody."""
    parsed = parse_passwd(f"ann\nann:{HASH}\n")

    assert parsed.value == {"ann": HASH.encode()}
    assert [each.line for each in parsed.complaints] == [1]


@given(st.text() | NEAR)
@example("\udcff:" + HASH)
def test_any_text_is_a_passwd(text: str) -> None:
    """Values and complaints, never an exception."""
    parsed = parse_passwd(text)

    assert all(map(is_user_name, parsed.value))
    assert all(each.text.isascii() and each.text.isprintable() for each in parsed.complaints)


@given(st.text() | NEAR, NAMES)
def test_a_password_that_is_put_counts(text: str, name: str) -> None:
    """Whatever the file said before, and nothing is changed for others."""
    before = parse_passwd(text).value
    after = parse_passwd(with_line(text, name, password_owner, f"{name}:{OTHER_HASH}")).value
    removed = parse_passwd(without_lines(text, name, password_owner)).value

    assert after == {**before, name: OTHER_HASH.encode()}
    assert removed == {each: hashed for each, hashed in before.items() if each != name}


def test_a_line_stays_in_its_place() -> None:
    """What others wrote is kept, byte for byte; all but the first of several lines of one user go."""
    text = f"# head\nann:x\n?? \r\nbob:{HASH}\nann:{HASH}"

    assert with_line(text, "ann", password_owner, "ann:new") == f"# head\nann:new\n?? \r\nbob:{HASH}"
    assert with_line(text, "cid", password_owner, "cid:new") == f"{text}\ncid:new\n"
    assert with_line("", "cid", password_owner, "cid:new") == "cid:new\n"
    assert without_lines(text, "ann", password_owner) == f"# head\n?? \r\nbob:{HASH}"
    assert without_lines(text, "cid", password_owner) == text


# tokens


def test_tokens() -> None:
    """The contract's own line, and the shortest."""
    line = f"ann {DIGEST} name=ci expires=2027-01-31T00:00:00Z from=10.0.0.0/8,::1 commands=uptime,df-*"
    parsed = parse_tokens(f"# ours\n{line}\n\nbob\t{DIGEST.upper().replace('A', 'C')}\n")

    assert parsed.complaints == ()
    assert parsed.value == (
        Token(
            name="ann",
            sha256=bytes.fromhex(DIGEST),
            expires=datetime(2027, 1, 31, tzinfo=UTC),
            sources=parse_networks("10.0.0.0/8,::1"),
            commands=frozenset({"uptime", "df-*"}),
            label="ci",
        ),
        Token(name="bob", sha256=b"\xcb" * 32),
    )


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        f"{DIGEST}",
        f"../ann {DIGEST}",
        f"ann {DIGEST}0",
        f"ann {DIGEST} expires=tomorrow",
        f"ann {DIGEST} expires=2027-01-31T00:00:00",  # whose midnight?
        f"ann {DIGEST} expires=2027-01-31",
        f"ann {DIGEST} expires=2027-02-30T00:00:00Z",
        f"ann {DIGEST} expires=0001-01-01T00:00:00+23:59",
        f"ann {DIGEST} expires=2027-01-31T00:00:00Z expires=2028-01-31T00:00:00Z",
        f"ann {DIGEST} from=",
        f"ann {DIGEST} from=*",
        f"ann {DIGEST} commands=",
        f"ann {DIGEST} commands=Df",
        f"ann {DIGEST} commands=df,,uptime",
        f"ann {DIGEST} commands=df;*",
        f"ann {DIGEST} name=",
        f"ann {DIGEST} name=../ci",
        f"ann {DIGEST} name=a name=b",
        f"ann {DIGEST} command=df",
        f"ann {DIGEST} expires",
        f"ann {DIGEST} # a comment",
    ],
)
def test_lines_that_are_no_token(line: str) -> None:
    """A limit that is not understood makes no unlimited token."""
    parsed = parse_tokens(f"\n{line}\n")

    assert parsed.value == ()
    assert [each.line for each in parsed.complaints] == [2]


def test_a_token_twice() -> None:
    """The first line counts."""
    parsed = parse_tokens(f"ann {DIGEST} commands=df\nbob {DIGEST}\n")

    assert [token.name for token in parsed.value] == ["ann"]
    assert parsed.complaints == (Complaint(2, "bob: the same token as in a line before"),)


@given(st.text() | NEAR)
def test_any_text_is_tokens(text: str) -> None:
    """Values and complaints, never an exception; what was understood can be written and read again."""
    parsed = parse_tokens(text)

    assert all(each.text.isascii() and each.text.isprintable() for each in parsed.complaints)
    assert parse_tokens("\n".join(map(format_token, parsed.value))).value == parsed.value


@given(TOKENS)
def test_a_token_is_read_as_it_was_written(token: Token) -> None:
    """All of it."""
    line = format_token(token)

    assert parse_tokens(line).value == (token,)
    assert token_owner(line) == token.name
    assert is_token(line, token.name, token.handle)


def test_what_a_token_is_called() -> None:
    """By its label, and without one by what tells it from others; a line is that of a user's own token."""
    assert Token(name="ann", sha256=bytes.fromhex(DIGEST), label="ci").handle == "ci"
    assert Token(name="ann", sha256=bytes.fromhex(DIGEST)).handle == "abababababab"
    for name, handle, expected in (("ann", "ci", True), ("bob", "ci", False), ("ann", "abababababab", False)):
        assert is_token(f"ann {DIGEST} name=ci", name, handle) is expected
    assert not is_token(f"# ann {DIGEST} name=ci", "ann", "ci")
    assert not is_token(f"ann {DIGEST} name=ci nonsense", "ann", "ci")


@given(st.text() | NEAR, TOKENS)
def test_tokens_are_added_and_removed(text: str, token: Token) -> None:
    """An appended line is a line of its own, whatever stands before; a removed user has none."""
    before = parse_tokens(text).value
    after = parse_tokens(with_end(text) + format_token(token) + "\n").value
    removed = parse_tokens(without_lines(text, token.name, token_owner)).value

    assert after[: len(before)] == before
    assert token.sha256 in {each.sha256 for each in after}
    assert all(each.name != token.name for each in removed)


def test_why_a_token_is_refused() -> None:
    """Its time, then its places; an expired one is expired from the very second."""
    token = Token(name="ann", sha256=b"", expires=NOON, sources=parse_networks("10.0.0.0/8"))

    assert token.refusal(NOON - timedelta(microseconds=1), "10.0.0.1") is None
    assert token.refusal(NOON, "10.0.0.1") == "token expired at 2027-01-31T12:00:00Z"
    assert token.refusal(NOON - timedelta(1), "unix") == "token not allowed from unix"
    assert Token(name="ann", sha256=b"").refusal(NOON, "unix") is None


def test_what_is_kept_of_a_token() -> None:
    """What ``printf TOKEN | sha256sum`` says; any text has one."""
    assert token_digest("abc") == hashlib.sha256(b"abc").digest()
    assert len(token_digest("\ud800")) == 32


@pytest.mark.parametrize("text", ["2027-01-31T12:00Z", "2027-01-31T12:00:00Z", "2027-01-31T13:00:00+01:00"])
def test_times(text: str) -> None:
    """With their zone."""
    assert parse_time(text) == NOON
