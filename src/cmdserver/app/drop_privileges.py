"""Drop root's privileges, once the listeners are open and the keys are read; there is no way back."""

import os
from collections.abc import Collection
from pathlib import Path

from twisted.logger import Logger

from cmdserver.app.preloading import is_out_of_reach, load_everything
from cmdserver.config.daemon_user import target_user_of_root
from cmdserver.config.schema.host import Runner
from cmdserver.core.errors import CannotStart
from cmdserver.core.model import TargetUser
from cmdserver.core.protocols import Protocol
from cmdserver.execution import posix
from cmdserver.privsep.linux import refuse_new_privileges
from cmdserver.privsep.seccomp import bar_programs

_log = Logger()


def find_target_user(settings: Runner, state_directory: Path) -> TargetUser | None:
    """Say whom the daemon becomes; nobody else where there is no runner process, as it becomes other users itself then.

    Raises:
        CannotStart: There is no such user.
    """
    try:
        return target_user_of_root(settings.daemon_user, state_directory) if settings.process else None
    except LookupError as error:
        raise CannotStart(f"cmdserver: [runner] daemon_user: {error}") from error


def load_ahead(target_user: TargetUser | None, protocols: Collection[Protocol]) -> None:
    """Import what may be needed and could not be imported any more, before root is given up even for a moment."""
    if target_user is not None and is_out_of_reach(target_user.uid, target_user.gid):
        load_everything(protocols)


def drop_privileges(target_user: TargetUser | None) -> None:
    """Be nobody in particular from here on, who can start nothing; without a target user we stay who we are.

    Raises:
        CannotStart: It does not work, and we are who we were, or worse.
    """
    try:
        if target_user is not None:
            _become(target_user)
        refuse_new_privileges()
    except OSError as error:
        raise CannotStart(f"cmdserver: privileges cannot be given up: {error}") from error
    try:
        bar_programs()
    except OSError as error:
        _log.warn("this process cannot be barred from starting programs: {error}", error=error)


def _become(target_user: TargetUser) -> None:
    posix.become(target_user.uid, target_user.gid)
    if 0 in {*os.getresuid(), *os.getresgid(), *os.getgroups()}:
        raise OSError(f"still root after becoming {target_user.name}")
