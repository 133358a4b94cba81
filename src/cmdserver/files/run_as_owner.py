"""Acts for a while as another user, where root would be at that user's mercy.

What root does in a directory that a user may write, that user can turn against root: by a link in a file's place, by a
directory that is another one a moment later. As that user, root is led nowhere that the user could not go; what is made
there has the right owner by itself. Under systemd that may be a user without a name (``DynamicUser``), so nothing here
asks for names.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from cmdserver.core.model import TargetUser
from cmdserver.files.credential_files import open_credential
from cmdserver.files.safe_path import UnsafePath, opened, safe_place

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """Have a user's effective rights, with this group and no other; for root alone.

    Raises:
        OSError: The kernel refuses.
    """
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    try:
        os.setgroups([])
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


@contextlib.contextmanager
def acting_as_root() -> Iterator[None]:
    """Be root again, within `acting_as`; change nothing if we are, or never were."""
    user, group = os.geteuid(), os.getegid()
    if os.getuid() != 0 or user == 0:
        yield
        return
    try:
        os.seteuid(0)
        os.setegid(0)
        yield
    finally:
        os.setegid(group)
        os.seteuid(user)


@contextlib.contextmanager
def as_owner_of(directory: Path) -> Iterator[Path]:
    """Act as the owner of a directory that is there, if we are root and somebody else owns it; else change nothing.

    Yields:
        By which path to go there meanwhile: as its owner we may not be let through the directories above it, so it is
        made the current one. Other relative paths have another meaning until the end.
    """
    with opened(directory, _DIRECTORY) as descriptor:
        owner = os.fstat(descriptor)
        if os.geteuid() != 0 or owner.st_uid == 0:
            yield directory
            return
        with opened(".", _DIRECTORY) as before:
            try:
                os.fchdir(descriptor)
                with acting_as(owner.st_uid, owner.st_gid):
                    yield Path()
            finally:
                os.fchdir(before)


def open_credential_as_root(path: Path, directory: Path) -> int | None:
    """Open a credential file that root has put into its owner's directory, where the owner may not read it.

    As the runner process does it for the daemon: what has the name of a credential file, is a file of one name, and
    lies in the directory itself.

    Args:
        path: The file's.
        directory: The state directory; it must be the one that is meant.

    Returns:
        None if we have given root up.

    Raises:
        OSError: There is none, or it is no credential file.
    """
    if os.getuid() != 0:
        return None
    with acting_as_root():
        return open_credential(str(path.relative_to(directory)), directory)


class Rights:
    """What a daemon may do until it has become another user: as root only where nobody else may write.

    Args:
        target_user: Whom it becomes; None if it stays who it is.
    """

    def __init__(self, target_user: TargetUser | None) -> None:
        self.target_user = target_user

    @property
    def owners(self) -> frozenset[int]:
        """The users who may own the daemon's files."""
        uids = {os.getuid(), os.geteuid()}
        return frozenset(uids | {self.target_user.uid} if self.target_user is not None else uids)

    def as_target_user(self) -> AbstractContextManager[None]:
        """Act as the target user."""
        if self.target_user is None or os.getuid() != 0:
            return contextlib.nullcontext()
        return acting_as(self.target_user.uid, self.target_user.gid)

    def to_work_at(self, path: Path) -> AbstractContextManager[None]:
        """Act as who may change files there: root in a place that is root's alone, elsewhere the target user.

        Raises:
            UnsafePath: Nobody may, because we stay root.
        """
        if os.geteuid() == 0:
            try:
                with safe_place(path):
                    return contextlib.nullcontext()
            except UnsafePath:
                if self.target_user is None:
                    raise
                return self.as_target_user()
            except OSError:
                pass  # whoever works there finds out
        return contextlib.nullcontext()
