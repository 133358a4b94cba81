"""What a check can tell of the state directory before the daemon starts in it: who can log in, and what will fail.

Nothing is made or changed. Whoever checks may be another user than the daemon's, so nothing here is a mistake, and what
may not be looked at is left out.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cmdserver.auth.credential_store import INITIAL_USER, CredentialStore
from cmdserver.config.executables import is_directory
from cmdserver.config.schema.settings import Settings
from cmdserver.config.validation.others import Remark, State
from cmdserver.core.errors import CannotStart
from cmdserver.core.protocols import Protocol
from cmdserver.files.run_as_owner import as_owner_of


def look(directory: Path, settings: Settings) -> State:
    """Look at a state directory, and at the audit file's."""
    refusals = tuple(_refusals(directory))
    remarks = (*refusals, *_files(directory, settings))
    if refusals:
        return State(remarks=remarks)
    # The holder of a certificate may have any name.
    knows_users = settings.tls.client_ca is None and settings.web.user_header is None  # else others know some
    try:
        directory.stat()
    except FileNotFoundError:
        return State(users=frozenset({INITIAL_USER}) if knows_users else None, remarks=remarks)
    except OSError:
        return State(remarks=remarks)
    if not os.access(directory, os.R_OK | os.X_OK):
        return State(remarks=remarks)
    try:
        with as_owner_of(directory) as path:
            users = _users(path) if knows_users else None
            has_ssh = any(each is not None and each.protocol is Protocol.SSH for each in settings.listen)
            return State(users=users, remarks=(*remarks, *(_host_keys(path) if has_ssh else ())))
    except (OSError, CannotStart):
        return State(remarks=remarks)


def _refusals(directory: Path) -> Iterator[Remark]:
    """Say why the daemon will not start in a directory."""
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


def _files(directory: Path, settings: Settings) -> Iterator[Remark]:
    """Look whether files can be made where they are meant to be."""
    for key, file, so in (
        ("audit", settings.audit.file, "nothing is run without an audit file"),
        ("history", settings.history.file, "no run is kept without a history"),
    ):
        parent = (directory / file).parent
        if parent != directory and not is_directory(str(parent)):
            yield (key, "file"), f"{parent} is no directory, and {so}"


def _users(directory: Path) -> frozenset[str] | None:
    files = CredentialStore(directory)
    users = files.users()
    if files.complaints():  # of somebody who is there, perhaps
        return None
    return frozenset(users or {INITIAL_USER})


def _host_keys(directory: Path) -> Iterator[Remark]:
    """Read the keys that are there as the SSH listener will, which does not start with one that is no good."""
    from cmdserver.net.ssh_host_keys import read_host_keys  # noqa: PLC0415 - a tenth of a second, for SSH alone

    for path in sorted(directory.glob("ssh_host_*_key")):
        try:
            if path.is_file():  # nothing that could keep us waiting
                read_host_keys([path])
        except CannotStart as error:
            yield ("listen",), str(error).removeprefix("cmdserver: ")
