"""What the daemon does once, with the rights that it was started with: the state directory, and opening listeners.

Root does nothing here but where only root may write, or as the user whom the daemon becomes.
"""

import os
from contextlib import ExitStack
from pathlib import Path

from twisted.logger import Logger

from cmdserver.app.state_directory import prepare_directory, prepare_directory_for
from cmdserver.config.daemon_user import root_warning
from cmdserver.config.schema.settings import Settings
from cmdserver.core.errors import CannotListen
from cmdserver.files.run_as_owner import Rights
from cmdserver.files.safe_path import UnsafePath
from cmdserver.files.stale_files import remove_stale_socket
from cmdserver.net.listener import Listener
from cmdserver.net.listeners import Listeners

_log = Logger()


def warn_about_users(settings: Settings) -> None:
    """Warn of commands that run as root because they name no user."""
    if os.geteuid() != 0:
        return
    if (warning := root_warning(settings.commands)) is not None:
        _log.warn("{warning}", warning=warning)


def prepare_state(path: Path, settings: Settings, rights: Rights) -> int | None:
    """Make the state directory.

    Returns:
        The directory, opened, if it is another user's: its path may lead through directories that are root's alone, and
        be another directory's in a moment.

    Raises:
        CannotStart: It cannot be used.
    """
    if rights.target_user is None:
        prepare_directory(path)
        return None
    return prepare_directory_for(path, rights.target_user, Path(settings.audit.file).parts[:1])


def open_listener(listeners: Listeners, listener: Listener, rights: Rights) -> None:
    """Open a listener; a UNIX socket as root only where only root could have put something else in its place.

    Raises:
        CannotListen: It does not work.
    """
    path = listener.path
    try:
        with ExitStack() as stack:
            if path is not None:
                # A path that is not absolute is one in the state directory, which is the target user's.
                stack.enter_context(rights.to_work_at(path) if path.is_absolute() else rights.as_target_user())
                remove_stale_socket(path, rights.owners)
            listeners.open(listener)
    except UnsafePath as error:
        raise CannotListen(f"{listener.key.endpoint}: {error.strerror}") from error
