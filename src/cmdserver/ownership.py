"""Doing what a directory's owner could do, when root does it.

Under systemd the state directory may belong to a user without a name (``DynamicUser``), and what root made in it the
daemon could not read. So root becomes the owner while it works there: files get the right owner by themselves, and a
link that the owner put there leads root nowhere that the owner could not go.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from cmdserver.state import hand_over


@contextlib.contextmanager
def as_owner_of(directory: Path) -> Iterator[Path]:
    """Be the owner of a directory, if we are root and somebody else is; else change nothing.

    Args:
        directory: It must be there.

    Yields:
        By which path to go there meanwhile: as its owner we may not be let through the directories above it, so it is
        made the current one. Other relative paths have another meaning until the end.
    """
    if os.geteuid() != 0 or directory.stat().st_uid == 0:
        yield directory
        return
    with contextlib.chdir(directory):
        owner = Path().stat()
        hand_over(Path(), owner.st_uid, owner.st_gid)  # what root has put there by other means
        user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        try:
            yield Path()
        finally:
            os.seteuid(user)
            os.setegid(group)
            os.setgroups(groups)
