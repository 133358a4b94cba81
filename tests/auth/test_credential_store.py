"""The users' credentials in the state directory."""

import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cmdserver.auth.credential_formats import Token, token_digest
from cmdserver.auth.credential_store import INITIAL_PASSWORD_FILE, CredentialError, CredentialStore
from cmdserver.auth.source_restrictions import parse_networks
from cmdserver.core.names import PROMPT_HISTORY
from cmdserver.files.atomic_file import locked

HASH = b"$2b$12$" + b"." * 21 + b"O" + b"a" * 31
OTHER_HASH = b"$2b$12$" + b"." * 21 + b"O" + b"b" * 31


def public_key() -> str:
    """Make a key as ssh-keygen writes it into a ``.pub`` file."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} a comment\n"


@pytest.fixture
def files(tmp_path: Path) -> CredentialStore:
    """Those of an empty directory."""
    return CredentialStore(tmp_path)


def _again(tmp_path: Path) -> CredentialStore:
    """What another process sees."""
    return CredentialStore(tmp_path)


def test_an_empty_directory(files: CredentialStore, tmp_path: Path) -> None:
    """Nobody is known, and looking leaves nothing behind."""
    assert (files.passwords(), files.tokens(), files.users(), files.keys("ann")) == ({}, (), (), ())
    assert files.complaints() == ()
    assert list(tmp_path.iterdir()) == []


# Passwords


def test_users(files: CredentialStore, tmp_path: Path) -> None:
    """They come, change their password and go; each change counts at once, for every reader."""
    other = _again(tmp_path)
    files.add_user("ann", HASH)
    files.add_user("bob", HASH)
    assert dict(other.passwords()) == {"ann": HASH, "bob": HASH}

    files.set_password("ann", OTHER_HASH)
    assert dict(other.passwords()) == {"ann": OTHER_HASH, "bob": HASH}

    files.remove_user("bob")
    assert dict(other.passwords()) == {"ann": OTHER_HASH}
    assert stat.S_IMODE((tmp_path / "passwd").stat().st_mode) == 0o600


def test_what_cannot_be_done_to_users(files: CredentialStore, tmp_path: Path) -> None:
    """Adding who is there, changing and removing who is not; nothing is written then."""
    (tmp_path / "passwd").write_text(f"ann:{HASH.decode()}\nbob:$apr1$x\n")
    before = (tmp_path / "passwd").stat()
    for change in (
        lambda: files.add_user("ann", HASH),
        lambda: files.add_user("bob", HASH),  # his line is of no use, but his
        lambda: files.set_password("cid", HASH),
        lambda: files.remove_user("cid"),
        lambda: files.add_user("cid", b"secret"),
        lambda: files.add_user("cid", b"\xff"),
        lambda: files.add_user("cid", HASH + b"\nadmin:" + HASH),
    ):
        with pytest.raises(CredentialError):
            change()

    assert (tmp_path / "passwd").stat().st_ino == before.st_ino


@pytest.mark.parametrize("name", ["", ".", "..", "../ann", "a/b", ".ann", "ann\n", "a:b", "x" * 65])
def test_names_that_are_none(files: CredentialStore, tmp_path: Path, name: str) -> None:
    """They reach no file, neither for reading nor for writing."""
    (tmp_path / "authorized_keys").mkdir(mode=0o700)
    (tmp_path / "ann").write_text(public_key())
    token = Token(name=name, sha256=bytes(32))
    for change in (
        lambda: files.add_user(name, HASH),
        lambda: files.set_password(name, HASH),
        lambda: files.remove_user(name),
        lambda: files.add_keys(name, public_key()),
        lambda: files.add_token(token),
    ):
        with pytest.raises(CredentialError, match="no user's name"):
            change()

    assert files.keys(name) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ann", "authorized_keys"]


def test_a_bad_line_gets_a_password(files: CredentialStore, tmp_path: Path) -> None:
    """Whoever has an unusable line may be given a good one."""
    (tmp_path / "passwd").write_text("# head\nbob:$apr1$x\n")
    files.set_password("bob", HASH)

    assert (tmp_path / "passwd").read_text() == f"# head\nbob:{HASH.decode()}\n"


def test_what_others_wrote_is_kept(files: CredentialStore, tmp_path: Path) -> None:
    """Comments, lines that are not understood, bytes that are no text, a last line without an end."""
    theirs = b"# ours \xff\r\n\n??\nx:y"
    for name in ("passwd", "tokens"):
        (tmp_path / name).write_bytes(theirs)
    files.add_user("ann", HASH)
    files.add_token(Token(name="ann", sha256=bytes(32)))

    assert (tmp_path / "passwd").read_bytes() == theirs + b"\nann:" + HASH + b"\n"
    assert (tmp_path / "tokens").read_bytes() == theirs + b"\nann " + b"00" * 32 + b"\n"

    files.remove_user("ann")
    assert (tmp_path / "passwd").read_bytes() == (tmp_path / "tokens").read_bytes() == theirs + b"\n"


def test_what_was_typed_at_the_prompt_is_forgotten(files: CredentialStore, tmp_path: Path) -> None:
    """With the user who typed it: who is called so next is somebody else."""
    (tmp_path / PROMPT_HISTORY).mkdir()
    for name in ("ann", "bob"):
        files.add_user(name, HASH)
        (tmp_path / PROMPT_HISTORY / name).write_text("df\n")
    files.remove_user("ann")

    assert [path.name for path in (tmp_path / PROMPT_HISTORY).iterdir()] == ["bob"]


def test_the_initial_password_is_forgotten(files: CredentialStore, tmp_path: Path) -> None:
    """With the change of admin's password, and nobody else's."""
    initial = tmp_path / INITIAL_PASSWORD_FILE
    for name in ("admin", "ann"):
        files.add_user(name, HASH)
    initial.write_text("x")

    files.set_password("ann", OTHER_HASH)
    assert initial.exists()
    files.set_password("admin", OTHER_HASH)
    assert not initial.exists()

    initial.write_text("x")
    files.remove_user("admin")
    assert not initial.exists()


@pytest.mark.skipif(shutil.which("htpasswd") is None, reason="needs htpasswd")
def test_htpasswd(files: CredentialStore, tmp_path: Path) -> None:
    """Each reads, and changes, what the other wrote."""

    def htpasswd(*options: str) -> None:
        subprocess.run(["htpasswd", *options], check=True, capture_output=True, cwd=tmp_path)

    htpasswd("-cbB", "passwd", "ann", "first")
    assert bcrypt.checkpw(b"first", files.passwords()["ann"])

    # In place, to the same length, and maybe within the same tick of the file system's clock.
    htpasswd("-bB", "passwd", "ann", "second")
    assert bcrypt.checkpw(b"second", files.passwords()["ann"])

    files.add_user("bob", bcrypt.hashpw(b"third", bcrypt.gensalt(4)))
    htpasswd("-vb", "passwd", "bob", "third")
    htpasswd("-D", "passwd", "ann")
    assert list(files.passwords()) == ["bob"]
    assert files.complaints() == ()


# Keys


def test_keys(files: CredentialStore, tmp_path: Path) -> None:
    """They are added one after another, with their options, and make a user without a password."""
    first, second = public_key(), public_key()
    (added,) = files.add_keys("ann", first)
    files.add_keys("ann", f'# laptop\nfrom="10.0.0.0/8" {second}'.rstrip())

    keys = _again(tmp_path).keys("ann")
    assert keys[0] == added
    assert [key.sources is None for key in keys] == [True, False]
    assert files.users() == ("ann",)
    assert (tmp_path / "authorized_keys" / "ann").read_text() == f'{first}# laptop\nfrom="10.0.0.0/8" {second}'
    assert stat.S_IMODE((tmp_path / "authorized_keys").stat().st_mode) == 0o700

    files.set_password("ann", HASH)
    files.remove_user("ann")
    assert files.users() == ()
    assert list((tmp_path / "authorized_keys").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no key"),
        ("# nothing\n", "no key"),
        ("ssh-ed25519 x\n", "line 1: "),
        (public_key() + "cert-authority " + public_key(), "line 2: .*cert-authority"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "private"),
    ],
)
def test_what_is_no_key(files: CredentialStore, tmp_path: Path, text: str, complaint: str) -> None:
    """All of a text is added, or nothing."""
    with pytest.raises(CredentialError, match=complaint):
        files.add_keys("ann", text)

    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_there(files: CredentialStore) -> None:
    """Whoever adds it again may mean other options; both lines would count."""
    key = public_key()
    files.add_keys("ann", key)
    with pytest.raises(CredentialError, match=r"SHA256:\S+ already"):
        files.add_keys("ann", f"restrict {key}")
    files.add_keys("bob", key)

    assert len(files.keys("ann")) == 1


def test_strangers_cost_no_memory(files: CredentialStore, tmp_path: Path) -> None:
    """Of names without a file nothing is kept, nor of a file that is gone."""
    files.add_keys("ann", public_key())
    assert len(files.keys("ann")) == 1
    for number in range(100):
        files.keys(f"x{number}")
    assert list(files._keys) == ["ann"]

    (tmp_path / "authorized_keys" / "ann").unlink()
    assert files.keys("ann") == ()
    assert list(files._keys) == []


# Tokens


def test_tokens(files: CredentialStore, tmp_path: Path) -> None:
    """As many as one likes, each with limits of its own; removing the user ends them."""
    tokens = (
        Token(name="ann", sha256=token_digest("one")),
        Token(name="bob", sha256=token_digest("two")),
        Token(
            name="ann",
            sha256=token_digest("three"),
            expires=datetime(2027, 1, 31, tzinfo=UTC),
            sources=parse_networks("10.0.0.0/8,::1"),
            commands=frozenset({"df", "uptime"}),
        ),
    )
    for token in tokens:
        files.add_token(token)
    assert _again(tmp_path).tokens() == tokens
    assert files.users() == ("ann", "bob")

    files.remove_user("ann")
    assert files.tokens() == (tokens[1],)


# Trouble


def test_complaints(files: CredentialStore, tmp_path: Path) -> None:
    """From all files, with their places."""
    (tmp_path / "passwd").write_text("\nann:x\n")
    (tmp_path / "tokens").write_text("ann x\n")
    (tmp_path / "authorized_keys").mkdir(mode=0o700)
    (tmp_path / "authorized_keys" / "ann").write_text("x")
    (tmp_path / "authorized_keys" / ".ann.swp").write_text("x")

    places = [complaint.removeprefix(f"{tmp_path}/").split(": ")[0] for complaint in files.complaints()]
    assert places == ["passwd:2", "tokens:1", "authorized_keys/ann:1"]
    assert files.users() == ()


def test_links_are_not_replaced(files: CredentialStore, tmp_path: Path) -> None:
    """They are read, as administrators may keep files elsewhere; but a change would cut the link."""
    (tmp_path / "authorized_keys").mkdir(mode=0o700)
    (tmp_path / "target").write_text(f"bob:{HASH.decode()}\n")
    for name in ("passwd", "tokens", "authorized_keys/ann"):
        (tmp_path / name).symlink_to(tmp_path / "target")
    for change in (
        lambda: files.add_user("ann", HASH),
        lambda: files.add_token(Token(name="ann", sha256=bytes(32))),
        lambda: files.add_keys("ann", public_key()),
    ):
        with pytest.raises(CredentialError, match="symbolic link"):
            change()

    assert list(files.passwords()) == ["bob"]


def test_what_others_may_write_is_not_made_ours(files: CredentialStore, tmp_path: Path) -> None:
    """A file that does not count must not begin to count with our next line in it."""
    (tmp_path / "tokens").write_text(f"admin {'ab' * 32}\n")
    (tmp_path / "tokens").chmod(0o666)
    with pytest.raises(PermissionError, match="others may write"):
        files.add_token(Token(name="ann", sha256=bytes(32)))

    assert files.tokens() == ()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Nothing is changed under somebody else's lock, and reading does not wait for it."""
    files = CredentialStore(tmp_path, lock_seconds=0.05)
    files.add_user("ann", HASH)
    with locked(tmp_path, 0):
        assert files.users() == ("ann",)
        with pytest.raises(TimeoutError):
            files.remove_user("ann")

    assert files.users() == ("ann",)


# Several processes

ADD_USERS = f"""
import sys
from pathlib import Path
from cmdserver.auth.credential_store import CredentialStore
files = CredentialStore(Path(sys.argv[1]))
print(flush=True)
for number in range(40):
    files.add_user(f"{{sys.argv[2]}}-{{number}}", {HASH!r})
    files.add_keys("both", sys.stdin.readline())
"""

CHANGE_FOR_EVER = f"""
import sys
from pathlib import Path
from cmdserver.auth.credential_store import CredentialStore
files = CredentialStore(Path(sys.argv[1]))
print(flush=True)
while True:
    for hashed in ({HASH!r}, {OTHER_HASH!r}):
        files.set_password("ann", hashed)
"""


@pytest.mark.slow
def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    """Neither in a file of lines nor in one that both had to make."""
    command = [sys.executable, "-c", ADD_USERS, str(tmp_path)]
    with (
        subprocess.Popen([*command, "a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen([*command, "b"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second,
    ):
        for writer in (first, second):
            assert writer.stdout
            writer.stdout.readline()
        for writer in (first, second):  # they are ready: off they go, together
            assert writer.stdin
            writer.stdin.write("".join(public_key() for _ in range(40)))
            writer.stdin.close()

    files = CredentialStore(tmp_path)
    assert (first.returncode, second.returncode) == (0, 0)
    assert set(files.passwords()) == {f"{name}-{number}" for name in "ab" for number in range(40)}
    assert len(files.keys("both")) == 80
    assert files.complaints() == ()


#: Where exactly a writer may be killed, tests of `replace` say; here it is in the midst of all that writers do.
KILLS = 8


@pytest.mark.slow
def test_a_writer_that_is_killed(tmp_path: Path) -> None:
    """The file is one of its whole versions, and the next writer need not wait."""
    ballast = b"# " + b"x" * 200_000 + b"\n"
    whole = {ballast + b"ann:" + hashed + b"\n" for hashed in (HASH, OTHER_HASH)}
    path = tmp_path / "passwd"
    path.write_bytes(min(whole))
    files = CredentialStore(tmp_path)
    chance = random.Random(1)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", CHANGE_FOR_EVER, tmp_path], stdout=subprocess.PIPE)
        with writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))
            writer.kill()

        assert writer.returncode == -signal.SIGKILL
        assert path.read_bytes() in whole
        with locked(tmp_path, 0):
            pass
        files.set_password("ann", HASH)
        assert files.complaints() == ()

    files.set_password("ann", OTHER_HASH)  # what the last one left is overwritten at the latest now
    assert sorted(each.name for each in tmp_path.iterdir()) == [".lock", "passwd"]
