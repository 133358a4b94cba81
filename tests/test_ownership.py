"""Doing what a directory's owner could do."""

import os
from pathlib import Path

import pytest

from cmdserver.ownership import as_owner_of

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


def test_our_own_directory(tmp_path: Path) -> None:
    """Nothing changes."""
    before = (Path.cwd(), os.geteuid())
    with as_owner_of(tmp_path) as path:
        assert path == tmp_path
        assert (Path.cwd(), os.geteuid()) == before


@needs_root
def test_somebody_elses(tmp_path: Path) -> None:
    """Even below a directory that they may not enter; afterwards all is as it was."""
    directory = tmp_path / "private" / "state"
    directory.mkdir(parents=True)
    os.chown(directory, NOBODY, NOBODY)
    directory.parent.chmod(0o700)
    before = (Path.cwd(), os.geteuid(), os.getegid(), os.getgroups())

    with as_owner_of(directory) as path:
        (path / "x").touch()
        (path / "link").symlink_to("/etc/shadow")
        with pytest.raises(PermissionError):
            (path / "link").read_bytes()

    assert (Path.cwd(), os.geteuid(), os.getegid(), os.getgroups()) == before
    assert ((directory / "x").stat().st_uid, (directory / "x").stat().st_gid) == (NOBODY, NOBODY)
