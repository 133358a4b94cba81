"""What a check can tell of the state directory before the daemon starts in it: who can log in, and what will fail.

Rule of this file: nothing is made or changed. Whoever checks may be somebody else than the daemon, so nothing here is a
mistake, and what we may not look at is not spoken of.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cmdserver.checks.others import Remark, State
from cmdserver.credential_files import INITIAL_USER, CredentialFiles
from cmdserver.errors import CannotStart
from cmdserver.executables import is_directory
from cmdserver.ownership import as_owner_of
from cmdserver.settings import Settings


def look(directory: Path, settings: Settings) -> State:
    """Look at a state directory, and at the audit file's."""
    remarks = tuple(_remarks(directory, settings))
    # The holder of a certificate may have any name.
    users = None if remarks or settings.tls.client_ca is not None else _users(directory)
    return State(users=users, remarks=remarks)


def _remarks(directory: Path, settings: Settings) -> Iterator[Remark]:
    try:
        status = directory.stat()
    except FileNotFoundError:
        parent = next(each for each in directory.parents if is_directory(str(each)))
        if not os.access(parent, os.W_OK | os.X_OK):
            yield ("state_dir",), f"the state directory {directory} cannot be made: {parent} cannot be written"
    except OSError:
        return
    else:
        if not stat.S_ISDIR(status.st_mode):
            yield ("state_dir",), f"the state directory {directory} is not a directory"
        elif stat.S_IMODE(status.st_mode) & 0o022:
            yield ("state_dir",), f"others may write to the state directory {directory}; chmod 700 it"
    audit = Path(settings.audit.file)
    if audit.is_absolute() and not is_directory(str(audit.parent)):
        yield ("audit", "file"), f"{audit.parent} is no directory, and nothing is run without an audit file"


def _users(directory: Path) -> frozenset[str] | None:
    if not is_directory(str(directory)):
        return frozenset({INITIAL_USER}) if os.access(directory.parent, os.X_OK) else None
    if not os.access(directory, os.R_OK | os.X_OK):
        return None
    try:
        with as_owner_of(directory) as path:
            files = CredentialFiles(path)
            users, complaints = files.users(), files.complaints()
    except (OSError, CannotStart):
        return None
    if complaints:  # of somebody who is there, perhaps
        return None
    return frozenset(users or {INITIAL_USER})
