"""Tests of known_hosts: who is in it, with which keys; and that whatever is not understood lets nobody in."""

import errno
import fcntl
import os
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.fleet.client.known_hosts import KnownHosts, add, is_host_key
from cmdserver.sshtransport.encoding import string
from tests.auth.signatures.doubles import blob_of
from tests.fleet.client.doubles import HAS_OPENSSH, ssh_keygen
from tests.signing import Signing


def key(number: int) -> bytes:
    """Make a key."""
    return string(b"ssh-ed25519") + string(bytes([number]) * 32)


def encoded(number: int) -> str:
    """Write a key as the file has it."""
    return b64encode(key(number)).decode()


A, B = encoded(1), encoded(2)
OTHER = b64encode(string(b"ssh-rsa") + string(b"\1\0\1") + string(b"x" * 256)).decode()
HASHED = "|1|mJ6VQ5eCg0OCMyjY3LmIYTjLSIE=|nE9Nz1Lw3WiI4bJbbSMKTjAXNBs="


def parsed(*lines: str) -> KnownHosts:
    """Read a file."""
    return KnownHosts.parse("\n".join(lines), "known_hosts")


def names(known: KnownHosts) -> dict[str, tuple[bytes, ...]]:
    """Return the hosts as they are written, and their keys."""
    return {host.name: host.keys for host in known.hosts.values()}


def test_hosts() -> None:
    """Several of a line, several keys of a host; comments, blank lines, and whatever blanks between words."""
    known = parsed(
        "# the web", "", f"web-1 ssh-ed25519 {A}", f"  web-2,10.0.0.2\tssh-ed25519  {A} a comment\r", "   # more",
        f"web-1 ssh-ed25519 {B}", f"web-1 ssh-ed25519 {A}", f"DB-1.example ssh-ed25519 {B}", "\t",
    )  # fmt: skip

    assert names(known) == {
        "web-1": (key(1), key(2)),
        "web-2": (key(1),),
        "10.0.0.2": (key(1),),
        "DB-1.example": (key(2),),
    }
    assert known.notes == ()
    assert parsed("") == KnownHosts()


def test_case_of_names() -> None:
    """It does not matter; a name is called as it was written first."""
    known = parsed(f"Web-1 ssh-ed25519 {A}", f"WEB-1 ssh-ed25519 {B}")

    assert names(known) == {"Web-1": (key(1), key(2))}
    assert known.keys_of("web-1") == known.keys_of("wEb-1") == (key(1), key(2))
    assert known.keys_of("web-2") == ()


def test_matching() -> None:
    """Sorted, whatever the case, each once; no signs but two."""
    known = parsed(*(f"{name} ssh-ed25519 {A}" for name in ("web-2", "DB-1", "web-10", "web-1", "a.b")))

    for globs, expected in (
        (["*"], ("a.b", "DB-1", "web-1", "web-10", "web-2")),
        (["WEB-?"], ("web-1", "web-2")),
        (["web-1", "db-*", "web-?"], ("DB-1", "web-1", "web-2")),
        (["web-[12]"], ()),
        (["web-[12]*"], ()),
        (["a?b"], ("a.b",)),
        (["a.*"], ("a.b",)),
        (["web"], ()),
        ([""], ()),
        ([], ()),
    ):
        assert known.matching(globs) == expected, globs


def test_keys_of_other_types() -> None:
    """Hosts do not sign with them; a host that has no others is not known, and that is said."""
    known = parsed(
        f"web-1 ssh-rsa {OTHER}", f"web-1 ssh-ed25519 {A}", f"web-2,[web-2]:22,*.x ecdsa-sha2-nistp256 {OTHER}",
        f"{HASHED} ssh-rsa {OTHER}", f"web-2 ssh-rsa {OTHER}",
    )  # fmt: skip

    assert names(known) == {"web-1": (key(1),)}
    assert known.notes == ("known_hosts:3: web-2 has no ssh-ed25519 key, and by another no host signs",)


def test_revoked_keys() -> None:
    """They are nobody's any more, whoever the line names, and wherever it stands; whoever has none left is unknown."""
    for who in ("web-1", "*", "other", HASHED, "!x"):
        for kind in ("ssh-ed25519", "whatever"):
            revoked = f"@revoked {who} {kind} {A} lost"
            hosts = [f"web-1 ssh-ed25519 {A}", f"web-1 ssh-ed25519 {B}", f"web-2 ssh-ed25519 {A}"]
            for lines, at in (([revoked, *hosts], 4), ([*hosts, revoked], 3)):
                known = parsed(*lines)
                assert names(known) == {"web-1": (key(2),)}
                assert known.notes == (f"known_hosts:{at}: web-2: its keys are revoked",)
    assert parsed("@revoked * ssh-ed25519 !").notes == ("known_hosts:1: the revoked key is damaged",)


def test_what_is_left_out() -> None:
    """Each with a note that says where and why; other lines, and other names of the line, count."""
    for line, note in (
        (f"@cert-authority * ssh-ed25519 {A}", "lines with '@cert-authority' are not read"),
        (f"@cert-authority web-1 ssh-ed25519 {A}", "lines with '@cert-authority' are not read"),
        (f"@Revoked web-1 ssh-ed25519 {A}", "lines with '@Revoked' are not read"),
        (f"@ web-1 ssh-ed25519 {A}", "lines with '@' are not read"),
        (f"*.example ssh-ed25519 {A}", "'*.example' is a pattern, and no host"),
        (f"web-? ssh-ed25519 {A}", "'web-?' is a pattern, and no host"),
        (f"[web-1]:2022 ssh-ed25519 {A}", "'[web-1]:2022' can be no host's name in a fleet"),
        (f"::1 ssh-ed25519 {A}", "'::1' can be no host's name in a fleet"),
        (f"-web ssh-ed25519 {A}", "'-web' can be no host's name in a fleet"),
        (f"w\u00e9b ssh-ed25519 {A}", "'w\\xe9b' can be no host's name in a fleet"),
        (f", ssh-ed25519 {A}", "'' can be no host's name in a fleet"),
        (f"web-1,!web-2 ssh-ed25519 {A}", "lines with negations (!) are not read"),
        ("web-1", "it is not like NAME ssh-ed25519 KEY"),
        ("web-1 ssh-ed25519", "it is not like NAME ssh-ed25519 KEY"),
        ("@revoked", "it is not like NAME ssh-ed25519 KEY"),
        ("@revoked web-1 ssh-ed25519", "it is not like NAME ssh-ed25519 KEY"),
        ("web-1 ssh-ed25519 !", "the ssh-ed25519 key is damaged"),
        (f"web-1 ssh-ed25519 {OTHER}", "the ssh-ed25519 key is damaged"),
        (f"web-1 ssh-ed25519 {A[:-4]}", "the ssh-ed25519 key is damaged"),
        (f"web-1 ssh-ed25519 {A}AAAA", "the ssh-ed25519 key is damaged"),
        (f"{HASHED} ssh-ed25519 {A}", "here the name is hashed, so that nobody can list it"),
    ):
        known = parsed("# x", line, f"db-1 ssh-ed25519 {B}")
        assert names(known) == {"db-1": (key(2),)}, line
        assert set(known.notes) == {f"known_hosts:2: {note}"}, line
    known = parsed(f"*.example,web-1,[web-1]:2022 ssh-ed25519 {A}")
    assert names(known) == {"web-1": (key(1),)}
    assert len(known.notes) == 2


def test_hashed_names() -> None:
    """A file full of them makes one note; notes are in the order of the lines."""
    known = parsed("web-1", *[f"{HASHED} ssh-ed25519 {A}"] * 3, "web-2")

    assert known.hosts == {}
    assert known.notes == (
        "known_hosts:1: it is not like NAME ssh-ed25519 KEY",
        "known_hosts:2: here and in 2 more lines the name is hashed, so that nobody can list it",
        "known_hosts:5: it is not like NAME ssh-ed25519 KEY",
    )


PIECES = ("@", "|1|", "web-1", " ", "\t", "\n", "\r", ",", "!", "*", "#", "\0", "\u2028", A, "ssh-ed25519")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text(text: str) -> None:
    """Hosts and notes, and never an exception; every host has keys, every note a line."""
    known = KnownHosts.parse(text, "known_hosts")

    assert all(host.keys for host in known.hosts.values())
    assert all(note.startswith("known_hosts:") and note.isprintable() for note in known.notes)


def test_what_is_a_hosts_key() -> None:
    """Of Ed25519, and of its length."""
    assert is_host_key(key(1))
    assert is_host_key(blob_of(Signing().line))
    wrong = (b"", key(1)[:-1], key(1) + b"\0", string(b"ssh-ed25519") + string(b"x" * 31) + b"y", string(b"ssh-ed448"))
    assert not any(is_host_key(each) for each in (*wrong, key(1).replace(b"ssh", b"xsh")))


def test_a_new_file(tmp_path: Path) -> None:
    """It and its directories are made, for us alone, whatever the umask."""
    path = tmp_path / "a" / "b" / "known_hosts"
    before = os.umask(0)
    try:
        add(path, {"web-1": key(1), "db-1": key(2)})
    finally:
        os.umask(before)

    assert path.read_text() == f"web-1 ssh-ed25519 {A}\ndb-1 ssh-ed25519 {B}\n"
    assert [oct(each.stat().st_mode & 0o777) for each in (path, path.parent, path.parent.parent)] == [
        "0o600", "0o700", "0o700",
    ]  # fmt: skip


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Byte for byte, and its mode; a last line without an end gets one. A link stays one."""
    path = tmp_path / "known_hosts"
    link = tmp_path / "link"
    link.symlink_to(path)
    for old, between in ((b"# \xff\r\nx", b"\n"), (b"x\n", b""), (b"", b"")):
        path.write_bytes(old)
        path.chmod(0o644)
        add(link, {"web-1": key(1)})
        assert path.read_bytes() == old + between + f"web-1 ssh-ed25519 {A}\n".encode()
        assert (path.stat().st_mode & 0o777, link.is_symlink()) == (0o644, True)
    path.write_bytes(b"x")
    add(path, {})
    assert path.read_bytes() == b"x"


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins where the caller is."""
    monkeypatch.chdir(tmp_path)
    add(Path("known_hosts"), {"web-1": key(1)})
    add(Path("x/known_hosts"), {"web-1": key(1)})

    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")) == [
        "known_hosts",
        "x",
        "x/known_hosts",
    ]


def test_what_is_not_added(tmp_path: Path) -> None:
    """A name that would say something else in the file, and what is no key; then nothing is."""
    path = tmp_path / "a" / "known_hosts"
    for name in ("web-1,*", "*", "a b", "web-1\n*", "", "#x", "@revoked", "w\u00e9b", "|1|x"):
        with pytest.raises(ValueError, match="is no name"):
            add(path, {"web-2": key(2), name: key(1)})
    for blob in (b"", key(1) + b"x", string(b"ssh-rsa")):
        with pytest.raises(ValueError, match="'web-1' has no ssh-ed25519 key"):
            add(path, {"web-2": key(2), "web-1": blob})
    assert not path.parent.exists()


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that becomes full meanwhile the file is what it was."""
    path = tmp_path / "known_hosts"
    path.write_bytes(b"x")
    write = os.write

    def full(descriptor: int, content: bytes) -> int:
        if os.fstat(descriptor).st_size > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:5])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        add(path, {"web-1": key(1)})
    assert path.read_bytes() == b"x"

    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:5]))
    add(path, {"web-1": key(1)})
    assert path.read_bytes() == f"x\nweb-1 ssh-ed25519 {A}\n".encode()


def test_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One writer at a time, who has it on the disk before it returns: the file, and then its name."""
    path = tmp_path / "known_hosts"
    done: list[str] = []
    flock, fsync = fcntl.flock, os.fsync

    def locking(descriptor: int, operation: int) -> None:
        done.append(f"lock {operation}")
        flock(descriptor, operation)

    def syncing(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        fsync(descriptor)

    monkeypatch.setattr(fcntl, "flock", locking)
    monkeypatch.setattr(os, "fsync", syncing)
    add(path, {"web-1": key(1)})

    assert done == [f"lock {fcntl.LOCK_EX}", "known_hosts", "."]


@pytest.mark.slow
@pytest.mark.skipif(not HAS_OPENSSH, reason="needs OpenSSH")
def test_openssh_reads_it(tmp_path: Path) -> None:
    """What is added is found by ssh-keygen; what ssh-keygen hashes is not listed here any more."""
    line = ssh_keygen(tmp_path / "key", "-t", "ed25519").with_suffix(".pub").read_text()
    path = tmp_path / "known_hosts"
    add(path, {"web-1": blob_of(line)})

    found = subprocess.run(["ssh-keygen", "-F", "web-1", "-f", path], capture_output=True, check=True, text=True).stdout
    assert found.splitlines()[1].split() == ["web-1", *line.split()[:2]]
    assert names(KnownHosts.parse(path.read_text(), "x")) == {"web-1": (blob_of(line),)}
    subprocess.run(["ssh-keygen", "-H", "-f", path], capture_output=True, check=True)
    known = KnownHosts.parse(path.read_text(), "x")
    assert (known.hosts, known.notes) == ({}, ("x:1: here the name is hashed, so that nobody can list it",))
