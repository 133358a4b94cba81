"""OpenSSH's ``authorized_keys``."""

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.auth.authorized_keys import AuthorizedKey, parse_authorized_keys

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _public(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _of_security_key(kind: str, *parts: bytes) -> str:
    blob = b"".join(map(_string, (kind.encode(), *parts, b"ssh:")))
    return f"{kind} {base64.b64encode(blob).decode()}"


@cache
def _keys() -> dict[str, str]:
    """Make a key of every kind that is accepted."""
    curve_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = curve_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    ed25519 = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    lines = [
        _public(Ed25519PrivateKey.from_private_bytes(bytes(32))),
        *(_public(ec.generate_private_key(curve)) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())),
        _public(rsa.generate_private_key(65537, 2048)),
        _of_security_key("sk-ssh-ed25519@openssh.com", ed25519),
        _of_security_key("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", point),
    ]
    return {line.split()[0]: line for line in lines}


KEY = _public(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def _one(line: str) -> AuthorizedKey:
    parsed = parse_authorized_keys(line, UTC)
    assert parsed.complaints == ()
    (key,) = parsed.value
    return key


def test_every_kind() -> None:
    """With a comment, which may be anything, and without."""
    for kind, line in _keys().items():
        key = _one(f"{line} ann@host  #1 \r\n")

        assert (key.kind, key.comment) == (kind, "ann@host  #1")
        assert key.blob == base64.b64decode(line.split()[1])
        assert _one(line).comment == ""


def test_a_plain_key_has_no_limits() -> None:
    """Nothing is said, so everything is allowed."""
    key = _one(f"  \t{KEY}")

    assert (key.sources, key.expires, key.command) == (None, None, None)
    assert key.permits_pty
    assert key.refusal(NOON, "192.0.2.1") is None


def test_all_options() -> None:
    """With quotes, blanks and commas inside of quotes, in any case of letters."""
    key = _one(
        'FROM="10.0.0.0/8,!10.6.6.6",expiry-time="20270131120000Z",command="df \\"a, b\\" \\n",no-pty,'
        f'No-Port-Forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc,permitopen="h:1",permitopen="h:2" {KEY}'
    )

    assert key.command == 'df "a, b" \\n'
    assert not key.permits_pty
    assert key.refusal(NOON, "10.0.0.1") == "key expired at 2027-01-31T12:00:00Z"
    assert key.refusal(NOON - timedelta(seconds=1), "10.0.0.1") is None
    assert key.refusal(NOON - timedelta(seconds=1), "10.6.6.6") == "key not allowed from 10.6.6.6"


@pytest.mark.parametrize(
    ("options", "permits_pty"),
    [("restrict", False), ("restrict,pty", True), ("pty,restrict", False), ("no-pty", False), ("no-pty,pty", True)],
)
def test_the_last_word_on_terminals(options: str, permits_pty: bool) -> None:
    """As with sshd, options are taken in their order."""
    key = _one(f"{options} {KEY}")

    assert key.permits_pty is permits_pty


def test_two_types() -> None:
    """What the line says, and what the key says, must be the same."""
    encoded = KEY.split()[1]
    (complaint,) = parse_authorized_keys(f"ecdsa-sha2-nistp256 {encoded}").complaints

    assert complaint.text == "the key is damaged, or of another type than ecdsa-sha2-nistp256"


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("20270131", datetime(2027, 1, 31, tzinfo=UTC)),
        ("202701311200", NOON),
        ("20270131120001", NOON + timedelta(seconds=1)),
        ("20270131Z", datetime(2027, 1, 31, tzinfo=UTC)),
        ("202701311200z", NOON),
        ("20270131120000UTC", NOON),
    ],
)
def test_expiry_times(text: str, expires: datetime) -> None:
    """All forms of ssh-keygen(1)."""
    assert _one(f'expiry-time="{text}" {KEY}').expires == expires


def test_zones_of_expiry_times() -> None:
    """Without Z it is the host's time; the earliest of several counts."""
    line = f'expiry-time="202701311300",expiry-time="202701311230Z" {KEY}'
    (there,) = parse_authorized_keys(line, timezone(timedelta(hours=1))).value
    (here,) = parse_authorized_keys(f'expiry-time="202701311200" {KEY}').value

    assert there.expires == NOON
    assert here.expires == datetime(2027, 1, 31, 12).astimezone()


@pytest.mark.parametrize(
    "options",
    [
        "cert-authority",
        'principals="ann"',
        'environment="A=b"',
        'tunnel="0"',
        "verify-required",
        "no-such-option",
        "restrict,",
        ",restrict",
        "restrict,,pty",
        "restrict=",
        'restrict="yes"',
        "no-restrict",
        "restricted",
        "command=df",
        "command",
        'command=""',
        'command="df',
        'command="df\\"',
        'command="df"x',
        'command="df",command="df"',
        "from=10.0.0.1",
        'from=""',
        'from="10.0.0.1/8"',
        'from="!bad.example.com,*"',
        'from="10.0.0.1",from="10.0.0.2"',
        'expiry-time="2027"',
        'expiry-time="20270230"',
        'expiry-time="99991231235959Z "',
        'expiry-time="00000101"',
        "permitopen",
        "no_pty",
        "ssh-dss",
    ],
)
def test_options_that_make_a_line_unusable(options: str) -> None:
    """Unknown, not to be honoured here, or malformed: the key does not get in with less than was said."""
    parsed = parse_authorized_keys(f"{KEY}\n{options} {KEY}\n")

    assert len(parsed.value) == 1
    assert [each.line for each in parsed.complaints] == [2]


def test_damaged_keys() -> None:
    """What is no key, or not of its type."""
    kind, encoded = KEY.split()
    lines = [
        kind,
        f"{kind} ",
        f"{kind} {encoded[:-4]}",
        f"{kind} {encoded[:-1]}",
        f"{kind} {encoded[:-2]}=={encoded[-2:]}",
        f"{kind} {encoded}!",
        f"{kind} AAAA",
        f"ssh-rsa {encoded}",
        f"ecdsa-sha2-nistp256 {_keys()['ecdsa-sha2-nistp384'].split()[1]}",
        encoded,
        f"restrict {encoded}",
        f"restrict pty {KEY}",
        f"ssh-ed25519-cert-v01@openssh.com {encoded}",
    ]
    parsed = parse_authorized_keys("\n".join(lines))

    assert parsed.value == ()
    assert len(parsed.complaints) == len(lines)


def test_short_rsa_keys() -> None:
    """They are told by their size."""
    parsed = parse_authorized_keys(_public(rsa.generate_private_key(65537, 1024)))  # noqa: S505 - too short on purpose

    assert parsed.value == ()
    assert "1024 bits" in parsed.complaints[0].text


def test_comments_and_the_same_key_twice() -> None:
    """Each line lets its key in by itself, as with sshd."""
    parsed = parse_authorized_keys(f'# ours\n\nfrom="10.0.0.1" {KEY}\n \t\r\nfrom="10.0.0.2" {KEY}')

    assert [key.sources is not None and key.sources.text for key in parsed.value] == ["10.0.0.1", "10.0.0.2"]
    assert parsed.complaints == ()


def test_host_names() -> None:
    """The line counts, for its addresses; but somebody should know."""
    parsed = parse_authorized_keys(f'from="10.0.0.1,*.example.com" {KEY}')

    assert len(parsed.value) == 1
    assert "*.example.com" in parsed.complaints[0].text


@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from([KEY, *KEY.split(), " ", ",", '"', "\\", "\n", "\t", "#", "restrict", "no-pty"]),
            st.sampled_from(['from="', 'command="', 'expiry-time="', "20270131", "00010101", "99991231Z", "10.0.0.1"]),
        )
    ).map("".join)
)
@example('expiry-time="99991231235959" ' + KEY)
@example('expiry-time="00010101" ' + KEY)
@example("\udcff " + KEY)
def test_any_text(text: str) -> None:
    """Keys and complaints, never an exception; complaints are a line of ASCII each."""
    parsed = parse_authorized_keys(text)

    assert all(key.refusal(NOON, "10.0.0.1") is None or key.sources or key.expires for key in parsed.value)
    assert all(each.text.isascii() and each.text.isprintable() for each in parsed.complaints)


@given(st.binary(max_size=80))
def test_any_blob(blob: bytes) -> None:
    """Whatever is inside of the base64."""
    for kind in _keys():
        for content in (blob, _string(kind.encode()) + blob):
            parse_authorized_keys(f"{kind} {base64.b64encode(content).decode()}")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_what_ssh_keygen_makes(tmp_path: Path) -> None:
    """And the fingerprint is the one that it tells."""
    file = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", file], check=True)
    said = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout
    key = _one(file.with_suffix(".pub").read_text())

    assert key.comment == "a comment"
    assert said.split()[1] == key.fingerprint
