"""The pid file. Not twistd's, which takes any process for a daemon, and writes as root wherever it is told to.

It is made, read and removed as root where only root may write, and elsewhere as the daemon's user.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cmdserver.core.errors import CannotStart
from cmdserver.files.run_as_owner import Rights
from cmdserver.files.safe_path import opened, read_file, safe_place
from cmdserver.files.stale_files import NUMBER_BYTES, is_daemon

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: For everybody to read, as those of other daemons are.
_MODE = 0o644


class PidFile:
    """A file, named by its absolute path, with the number of the daemon's process in it."""

    def __init__(self, path: Path, rights: Rights) -> None:
        self.path = path
        self._rights = rights

    def require_free(self) -> None:
        """Make sure that no daemon runs that has this file, and remove what a dead one has left.

        Raises:
            CannotStart: One does, or it is no pid file, or lies where we must not write.
        """
        with self._telling(), self._place() as (directory, name):
            try:
                text = read_file(self.path, NUMBER_BYTES).strip()
            except FileNotFoundError:
                return
            # A full disk, or a crash at the wrong moment, leaves an empty one.
            if text and not text.isdigit():
                raise CannotStart(f"cmdserver: {self.path} is no pid file; name another one with --pidfile")
            if text and is_daemon(int(text)):
                raise CannotStart(
                    f"cmdserver: a daemon runs already, as process {int(text)} says {self.path}; stop that one, or name"
                    " another file with --pidfile"
                )
            os.unlink(name, dir_fd=directory)

    def write(self) -> None:
        """Write it; raises `CannotStart`."""
        with self._telling(), self._place() as (directory, name):
            descriptor = os.open(name, _MAKE, _MODE, dir_fd=directory)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, _MODE)
                file.write(b"%d\n" % os.getpid())

    def remove(self) -> None:
        """Remove it if it is ours and we may; what only root may remove is for the runner."""
        with suppress(OSError, ValueError), self._place() as (directory, name):
            if int(read_file(self.path, NUMBER_BYTES)) == os.getpid():
                os.unlink(name, dir_fd=directory)

    @contextmanager
    def _place(self) -> Iterator[tuple[int, str]]:
        """Open its directory, as the user who may work there; yield that and its name there."""
        with self._rights.to_work_at(self.path):
            if os.geteuid() == 0:
                with safe_place(self.path) as place:
                    yield place.directory, place.name
            else:
                with opened(self.path.parent, os.O_PATH | os.O_CLOEXEC) as directory:
                    yield directory, self.path.name

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"{error.strerror}; name another place with --pidfile, or none with --pidfile="
            raise CannotStart(f"cmdserver: the pid file {self.path}: {text}") from error
