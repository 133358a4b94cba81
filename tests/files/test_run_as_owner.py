"""Doing what a directory's owner could do, while the owner does its worst."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cmdserver.app.state_directory import prepare_directory_for
from cmdserver.cli.main import main
from cmdserver.core.model import TargetUser
from cmdserver.files.run_as_owner import Rights, acting_as, acting_as_root, as_owner_of, open_credential_as_root
from cmdserver.files.safe_path import UnsafePath

OWNER = 61301
DAEMON = TargetUser(str(OWNER), OWNER, OWNER)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a directory that everybody may enter; pytest's own are below one that is for us alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_our_own_directory(tmp_path: Path) -> None:
    """Nothing changes."""
    before = (Path.cwd(), os.geteuid())
    with as_owner_of(tmp_path) as path:
        assert path == tmp_path
        assert (Path.cwd(), os.geteuid()) == before


@needs_root
def test_somebody_elses(tmp_path: Path) -> None:
    """Even below a directory that they may not enter; afterwards all is as it was, whatever has happened."""
    directory = tmp_path / "private" / "state"
    directory.mkdir(parents=True)
    os.chown(directory, OWNER, OWNER)
    directory.parent.chmod(0o700)
    roots = directory / "roots"
    roots.touch(0o600)
    before = (Path.cwd(), os.geteuid(), os.getegid(), os.getgroups())

    with suppress(ZeroDivisionError), as_owner_of(directory) as path:
        (path / "x").touch()
        (path / "link").symlink_to("/etc/shadow")
        with pytest.raises(PermissionError):
            (path / "link").read_bytes()
        raise ZeroDivisionError

    assert (Path.cwd(), os.geteuid(), os.getegid(), os.getgroups()) == before
    assert ((directory / "x").stat().st_uid, (directory / "x").stat().st_gid) == (OWNER, OWNER)
    assert roots.stat().st_uid == 0, "nothing is handed over"


@needs_root
def test_rights_come_and_go() -> None:
    """Within a user's rights root can be had again, and only within: groups are nobody's meanwhile."""
    groups = os.getgroups()
    os.setgroups([4, 7])
    before = (os.geteuid(), os.getegid(), os.getgroups())
    with acting_as(OWNER, OWNER):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (OWNER, OWNER, [])
        with acting_as_root():
            assert (os.geteuid(), os.getegid()) == (0, 0)
        assert (os.geteuid(), os.getegid()) == (OWNER, OWNER)
    with acting_as_root():
        assert os.geteuid() == 0
    after = (os.geteuid(), os.getegid(), os.getgroups())
    os.setgroups(groups)
    assert after == before


@needs_root
def test_who_works_where(folder: Path) -> None:
    """Root in root's directories, the daemon's user everywhere else; a daemon that stays root nowhere else."""
    theirs, roots = folder / "theirs", folder / "roots"
    for each in (theirs, roots):
        each.mkdir()
    os.chown(theirs, OWNER, OWNER)
    rights = Rights(DAEMON)

    for path, who in ((roots / "x", 0), (theirs / "x", OWNER), (folder / "no" / "x", 0)):
        with rights.to_work_at(path):
            assert os.geteuid() == who
    with rights.as_target_user(), rights.to_work_at(theirs / "x"):
        assert os.geteuid() == OWNER
    with Rights(None).to_work_at(roots / "x"), Rights(None).as_target_user():
        assert os.geteuid() == 0
    with pytest.raises(UnsafePath):
        Rights(None).to_work_at(theirs / "x")
    assert sorted(rights.owners) == [0, OWNER]
    assert sorted(Rights(None).owners) == [0]


#: Be the owner of a state directory, and as soon as somebody works in a directory of ours make it another one.
_OWNER = """
import ctypes, os, signal, sys
state, elsewhere, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
os.setgroups([])
os.setresgid(*[61301] * 3)
os.setresuid(*[61301] * 3)
os.chdir(state)
os.mkdir("authorized_keys")
os.mkdir("authorized_keys/victim")
for number in range(200):  # so that whoever walks through it takes a moment
    os.close(os.open(f"authorized_keys/z{number}", os.O_CREAT))
descriptor = libc.inotify_init1(0)
IN_OPEN, IN_ISDIR = 0x20, 0x40000000
libc.inotify_add_watch(descriptor, b"authorized_keys", IN_OPEN)
os.write(1, b"r")
while times > 0:
    events, at = os.read(descriptor, 65536), 0
    while at < len(events):
        mask, length = (int.from_bytes(events[at + each:at + each + 4], "little") for each in (4, 12))
        times -= bool(mask & IN_ISDIR and not length)
        at += 16 + length
os.rename("authorized_keys", "old")
os.symlink(elsewhere, "authorized_keys")
signal.pause()
"""


def _companion(*words: str, text: str = "") -> Result:
    return CliRunner(env={"CMDSERVER_CONFIG": ""}).invoke(main, words, input=text)


def _user_list(state: Path) -> None:
    _companion("user", "list", "--state-dir", str(state))


def _user_add(state: Path) -> None:
    words = ["user", "add", "bob", "--password-stdin", "--state-dir", str(state)]
    _companion(*words, text="correct horse battery\n")


def _start(state: Path) -> None:
    os.close(prepare_directory_for(state, DAEMON))


@needs_root
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("work", [_user_list, _user_add, _start])
def test_the_owner_does_its_worst(folder: Path, work: Callable[[Path], None], times: int) -> None:
    """It swaps a directory for a link while root works in there: no file of root's elsewhere becomes the owner's."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    victim = elsewhere / "victim"
    victim.write_text("root's own", "ascii")
    state = folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, OWNER, OWNER)
    words = [sys.executable, "-c", _OWNER, str(state), str(elsewhere), str(times)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.read(1) == b"r"
        try:
            work(state)
        finally:
            owner.kill()

    assert (victim.read_text("ascii"), victim.stat().st_uid, elsewhere.stat().st_uid) == ("root's own", 0, 0)


@needs_root
def test_files_that_root_has_put_there(folder: Path) -> None:
    """Credential files of root's are read and changed, and are the owner's then; links lead nowhere."""
    state = folder / "state"
    (state / "authorized_keys").mkdir(parents=True)
    for each in (state, state / "authorized_keys"):
        os.chown(each, OWNER, OWNER)
    (state / "passwd").write_text("ann:x\n", "ascii")
    (state / "passwd").chmod(0o600)
    secret = folder / "secret"
    secret.write_text(f"bob {'0' * 64}\n", "ascii")
    secret.chmod(0o600)
    (state / "tokens").symlink_to(secret)

    _user_add(state)

    text = (state / "passwd").read_text("ascii")
    assert text.startswith("ann:x\nbob:$2b$")
    assert ((state / "passwd").stat().st_uid, secret.stat().st_uid) == (OWNER, 0)
    listed = _companion("user", "list", "--state-dir", str(state)).output
    assert "bob  password;" in listed
    assert "1 token" not in listed


@needs_root
def test_what_the_owner_cannot_change(folder: Path) -> None:
    """It says whose it is, and what to do."""
    state, key = folder / "state", folder / "key.pub"
    keys = state / "authorized_keys"
    keys.mkdir(mode=0o700, parents=True)
    os.chown(state, OWNER, OWNER)
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvOT2MVSDcPLY5uc0MUeMyn3iC8GuDBUfsVTsmYgGqx\n", "ascii")

    done = _companion("key", "add", "ann", str(key), "--state-dir", str(state))

    assert done.exit_code == 1
    assert f"chown -h {OWNER}:{OWNER} '{keys}'" in done.output
    assert list(keys.iterdir()) == []


@needs_root
def test_credentials_behind_a_link(folder: Path) -> None:
    """Root opens a file of the state directory itself: none behind a link in it, and none with another name."""
    state, elsewhere = folder / "state", folder / "elsewhere"
    for each in (state, elsewhere):
        each.mkdir()
    for name in ("ann", "other"):
        (elsewhere / name).write_text("secret", "ascii")
    (state / "authorized_keys").symlink_to(elsewhere)
    (state / "passwd").hardlink_to(elsewhere / "other")
    (state / "tls.key").touch()

    for name in ("authorized_keys/ann", "passwd", "tls.key", "../elsewhere/ann"):
        with pytest.raises(OSError):  # noqa: PT011 - which one depends
            open_credential_as_root(state / name, state)


def test_who_has_given_root_up_asks_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to be had, nor an error: the runner process may be asked instead."""
    monkeypatch.setattr(os, "getuid", lambda: OWNER)
    assert open_credential_as_root(tmp_path / "passwd", tmp_path) is None
