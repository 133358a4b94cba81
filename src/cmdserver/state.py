"""The state directory: where the daemon keeps what it makes itself."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cmdserver.errors import CannotStart


def choose_directory(option: str | None, configured: str | None, environment: Mapping[str, str]) -> Path:
    """Say where state is kept.

    Args:
        option: ``--state-dir``.
        configured: ``state_dir`` in the file.
        environment: Of the daemon; systemd sets ``STATE_DIRECTORY``.
    """
    if chosen := option or configured or environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/cmdserver")
    home = environment.get("XDG_STATE_HOME", "")
    if not home.startswith("/"):  # "All paths must be absolute", says the XDG base directory specification
        home = f"{environment.get('HOME') or Path.home()}/.local/state"
    return Path(home, "cmdserver")


def prepare_directory(path: Path, owner: int | None = None) -> None:
    """Make the directory if it is not there, for us alone.

    Args:
        path: The directory.
        owner: Whose it may be, besides root's and ours: the user that we are about to become.

    Raises:
        CannotStart: It cannot be made, or others could put files of theirs into it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise CannotStart(f"cmdserver: state directory {path}: {error.strerror}") from error
    if status.st_uid not in {0, os.geteuid(), owner}:
        raise CannotStart(f"cmdserver: state directory {path} belongs to somebody else (uid {status.st_uid})")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise CannotStart(f"cmdserver: others may write to the state directory {path}; chmod 700 it")
    if not os.access(path, os.W_OK | os.X_OK):
        raise CannotStart(f"cmdserver: state directory {path} cannot be written")
    if os.geteuid() == 0:
        _require_plain(path)


def hand_over(path: Path, uid: int, gid: int) -> None:
    """Give the directory, and what we have made in it, to the user that we are about to become.

    Raises:
        OSError: The kernel refuses.
    """
    for directory, _, files, descriptor in os.fwalk(path, follow_symlinks=False):
        os.chown(directory, uid, gid, follow_symlinks=False)
        for name in files:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)


def _require_plain(path: Path) -> None:
    """Make sure that nothing in the directory leads elsewhere: it may be another user's, and root works in it."""
    for directory, directories, files, descriptor in os.fwalk(path, follow_symlinks=False):
        for name in (*directories, *files):
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            is_file = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if not is_file and not stat.S_ISDIR(status.st_mode):
                text = "is a link, or no file, and has no business in the state directory; remove it"
                raise CannotStart(f"cmdserver: {Path(directory, name)} {text}")
