"""``cmdserver key``."""

from pathlib import Path

import pytest

from cmdserver.auth.credential_store import CredentialStore
from cmdserver.files.last_uses import NAME
from tests.auth.test_credential_store import public_key
from tests.cli.doubles import Run, done


def test_keys(run: Run, files: CredentialStore, tmp_path: Path) -> None:
    """From a file or standard input, named or not; what was understood is told."""
    (tmp_path / "id.pub").write_text(public_key())
    said = [
        done(run("key", "add", "ann", tmp_path / "id.pub")),
        done(run("key", "add", "ann", "-", stdin=f'from="10.0.0.0/8" {public_key()}')),
        done(run("key", "add", "ann", stdin=public_key().encode().replace(b"a comment", b"\x1b[31m\xff"))),
    ]

    keys = files.keys("ann")
    assert [line.rsplit(" ", 1)[0] for line in said[:2]] == [
        f"ann: ssh-ed25519 {key.fingerprint} a" for key in keys[:2]
    ]
    assert said[2] == f"ann: ssh-ed25519 {keys[2].fingerprint} ^[[31m\\udcff\n"


def test_keys_from_windows(run: Run, files: CredentialStore, tmp_path: Path) -> None:
    """A byte order mark and CR LF mean nothing; another encoding is named, with what to do."""
    (tmp_path / "id.pub").write_bytes(b"\xef\xbb\xbf" + public_key().encode().replace(b"\n", b"\r\n"))
    done(run("key", "add", "ann", tmp_path / "id.pub"))
    assert len(files.keys("ann")) == 1

    (tmp_path / "id.pub").write_bytes(public_key().encode("utf-16"))
    result = run("key", "add", "ann", tmp_path / "id.pub")
    assert result.exit_code == 1
    assert result.stderr == "cmdserver: the key is UTF-16, not UTF-8; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8\n"
    assert len(files.keys("ann")) == 1


def test_the_list(run: Run, files: CredentialStore, state: Path) -> None:
    """Until when, from where, for what, and when and from where each was last used; nothing where there is none."""
    assert done(run("key", "list")) == ""
    limited = f'from="10.0.0.0/8",expiry-time="20010131Z",command="df -h" {public_key()}'
    done(run("key", "add", "bob", stdin=public_key()))
    done(run("key", "add", "ann", stdin=limited))
    ((first,), (second,)) = files.keys("ann"), files.keys("bob")
    (state / NAME).write_text(
        f'[{{"user":"bob","credential":"key:{second.fingerprint}","time":978307200,"source":"192.0.2.1"}}]'
    )

    result = run("key", "list")
    head, *lines = done(result).splitlines()
    assert head.split() == ["NAME", "FINGERPRINT", "TYPE", "EXPIRES", "FROM", "LAST-USED", "LAST-FROM", "COMMENT"]
    assert [[*line.split(None, 5)[:5], " ".join(line.split()[5:])] for line in lines] == [
        ["ann", first.fingerprint, "ssh-ed25519", "2001-01-31T00:00:00Z", "10.0.0.0/8", "never - [df -h] a comment"],
        ["bob", second.fingerprint, "ssh-ed25519", "never", "anywhere", "2001-01-01T00:00:00Z 192.0.2.1 a comment"],
    ]
    assert [line.index("ssh-ed25519") for line in lines] == [head.index("TYPE")] * 2
    assert result.stderr == f"cmdserver: note: the key {first.fingerprint} of ann has expired\n"
    assert done(run("key", "list", "bob")).splitlines()[1].split() == lines[1].split()


@pytest.mark.parametrize("with_prefix", [True, False])
def test_removal(run: Run, files: CredentialStore, state: Path, *, with_prefix: bool) -> None:
    """All lines of one key go, and nothing else; what there is is told to who names something else."""
    for name in ("ann", "ann", "bob"):
        done(run("key", "add", name, stdin=public_key()))
    first, second = files.keys("ann")
    file = state / "authorized_keys" / "ann"
    one, two = file.read_text().splitlines()
    file.write_text(f"# ours\n{one}\n\nrestrict {two}\nnonsense {one}\n{two}\n")
    fingerprint = second.fingerprint if with_prefix else second.fingerprint.removeprefix("SHA256:")

    assert done(run("key", "remove", "ann", fingerprint)) == ""
    assert file.read_text() == f"# ours\n{one}\n\nnonsense {one}\n"
    result = run("key", "remove", "ann", fingerprint)
    assert result.exit_code == 1
    assert result.stderr == f"cmdserver: ann has no key {fingerprint}; there are: {first.fingerprint}\n"
    assert run("key", "remove", "eve", "x").stderr == "cmdserver: eve has no key x; there is no key\n"
    assert len(files.keys("bob")) == 1
