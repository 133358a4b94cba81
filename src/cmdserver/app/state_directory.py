"""The state directory: where the daemon keeps what it makes itself.

Where root starts the daemon, the directory is the daemon's user's, and root hands it over once: when it has made it, or
found it as its own. From then on root does nothing in it but as that user (see `cmdserver.files.run_as_owner`), and
never hands it over again: what lies there may have been put there by whoever has taken the daemon over.
"""

import errno
import os
import stat
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from cmdserver.config.daemon_user import Numbers, is_dynamic
from cmdserver.core.errors import CannotStart
from cmdserver.core.model import TargetUser
from cmdserver.files.run_as_owner import acting_as
from cmdserver.files.safe_path import UnsafePath, safe_place

#: What the daemon keeps there, or is put there for it.
_OURS = frozenset(
    {
        "audit-chain",
        "authorized_keys",
        "initial-password",
        "last-used.json",
        "passwd",
        "schedules.json",
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
        "ssh_host_rsa_key",
        "ssh_host_rsa_key.pub",
        "tls.crt",
        "tls.key",
        "tokens",
        "totp",
        "totp-used.json",
    }
)
#: These begin with a name of ours, with a suffix of a rotation's, say: and no other program has them.
_OURS_ALONE = ("audit.jsonl", "history.sqlite3", "fleet.sock")
#: Of locks and of files that are being written, and what every file system's top has.
_BESIDE = frozenset({".lock", "lost+found"})

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_DIRECTORY = _OPEN | os.O_DIRECTORY


def choose_directory(option: str | None, configured: str | None, environment: Mapping[str, str]) -> Path:
    """Say where state is kept.

    Args:
        option: ``--state-dir``.
        configured: ``state_dir`` in the file.
        environment: Of the daemon; systemd sets ``STATE_DIRECTORY``.

    Raises:
        CannotStart: Nobody says, and we have no home.
    """
    if chosen := option or configured or environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/cmdserver")
    home = environment.get("XDG_STATE_HOME", "")
    if not home.startswith("/"):  # "All paths must be absolute", says the XDG base directory specification
        home = f"{environment.get('HOME') or _home()}/.local/state"
    return Path(home, "cmdserver")


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a number that no user has, as container platforms start their processes under
        text = f"the user {os.geteuid()} has no home directory to keep state in; say where with --state-dir DIR"
        raise CannotStart(f"cmdserver: {text}") from None


def prepare_directory(path: Path) -> None:
    """Make the directory if it is not there, for us alone, who stay who we are.

    Raises:
        CannotStart: It cannot be made, or others could put files of theirs into it.
    """
    try:
        if os.geteuid() == 0:
            os.close(_open_as_root(path))
        else:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise _cannot(path, error) from error
    if status.st_uid not in {0, os.geteuid()}:
        raise CannotStart(f"cmdserver: state directory {path} belongs to somebody else (uid {status.st_uid})")
    _require_private(path, status)
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        raise CannotStart(f"cmdserver: state directory {path} cannot be written")


def prepare_directory_for(
    path: Path, target_user: TargetUser, more: Collection[str] = (), numbers: Numbers | None = None
) -> int:
    """Make the directory if it is not there, and see to it that it is the daemon's user's; for root alone.

    Only a directory of root's own is handed over, or one of a number that nobody has: nobody else could have put
    anything in it meanwhile. What is handed over in it is what has a name of ours, or one of ``more``.

    Returns:
        The directory, opened.

    Raises:
        CannotStart: It cannot be made, or is somebody else's; the text says what to do.
    """
    try:
        descriptor = _open_as_root(path)
    except UnsafePath as error:
        descriptor = _open_as(target_user, path, error)
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        with ExitStack() as unless_it_is_kept:
            unless_it_is_kept.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            _require_private(path, status)
            if status.st_uid != target_user.uid:
                _require_takeable(path, status.st_uid, target_user, numbers or Numbers())
                names = os.listdir(descriptor)  # noqa: PTH208 - of a descriptor
                _require_ours(path, names, more)
                _hand_over(descriptor, target_user, [each for each in names if _is_ours(each, more)], status.st_uid)
            unless_it_is_kept.pop_all()
    except OSError as error:
        text = f"state directory {path} cannot be given to {target_user.name}: {error.strerror}"
        raise CannotStart(f"cmdserver: {text}") from error
    return descriptor


def _cannot(path: Path, error: OSError) -> CannotStart:
    return CannotStart(f"cmdserver: state directory {path}: {error.strerror}")


def _require_private(path: Path, status: os.stat_result) -> None:
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise CannotStart(f"cmdserver: others may write to the state directory {path}; chmod 700 it")


def _require_takeable(path: Path, owner: int, target_user: TargetUser, numbers: Numbers) -> None:
    """Refuse to hand over a directory in which another user could be at work."""
    if owner == 0 or (is_dynamic(owner) and numbers.taken(owner, but_ours=True) is None):
        return
    whose = numbers.user_of(owner)
    text = f"state directory {path} belongs to somebody else ({whose or 'uid'} {owner}), and the daemon becomes"
    mend = f"if all in it is as it should be (passwd, tokens, authorized_keys), say: chown -Rh root: '{path}'"
    or_else = f'; or say [runner] daemon_user = "{whose or owner}"'
    raise CannotStart(f"cmdserver: {text} {target_user.name}; {mend}, and it is handed over{or_else}")


def _require_ours(path: Path, names: Collection[str], more: Collection[str]) -> None:
    """Refuse to hand over a directory that is no state directory, such as /etc, which has a ``passwd`` too."""
    foreign = sorted(each for each in names if not _is_ours(each, more) and each not in _BESIDE)
    if foreign and not any(each.startswith(_OURS_ALONE) for each in names):
        raise CannotStart(
            f"cmdserver: {path} is not empty and no state directory (there is {foreign[0]!a}), so it is not given to"
            " the daemon's user; name a directory of its own with --state-dir"
        )


def _is_ours(name: str, more: Collection[str]) -> bool:
    is_new = name.startswith(".") and name.endswith(".new")
    return name in _OURS or name in more or name == ".lock" or is_new or name.startswith(_OURS_ALONE)


def _hand_over(directory: int, target_user: TargetUser, names: Collection[str], former: int) -> None:
    """Chown a directory and files in it; the directory last, so that nobody else can enter it before."""
    for name in names:
        descriptor = os.open(name, _OPEN, dir_fd=directory) if _is_plain(name, directory) else -1
        if descriptor == -1:
            continue
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                below = os.listdir(descriptor)  # noqa: PTH208 - of a descriptor
                _hand_over(descriptor, target_user, below, former)
            elif stat.S_ISREG(status.st_mode) and status.st_uid == former and status.st_nlink == 1:
                _give(descriptor, status, target_user, former)
        finally:
            os.close(descriptor)
    _give(directory, os.fstat(directory), target_user, former)


def _is_plain(name: str, directory: int) -> bool:
    """Whether something is a regular file or a directory, without opening it."""
    mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _give(descriptor: int, status: os.stat_result, target_user: TargetUser, former: int) -> None:
    # A group that the administrator has chosen, of who collects logs, say, is left.
    is_chosen = status.st_gid not in {0, former}
    os.fchown(descriptor, target_user.uid, -1 if is_chosen else target_user.gid)


def _open_as_root(path: Path) -> int:
    """Open a directory where only root could have put it; make it, and those above it, if they are not there."""
    if os.path.lexists(path) and not path.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    try:
        with safe_place(path) as place:
            return _open_or_make(place.name, place.directory)
    except FileNotFoundError:
        if path.parent == path:
            raise
    _make_above(path.parent)
    with safe_place(path) as place:
        return _open_or_make(place.name, place.directory)


def _open_as(target_user: TargetUser, path: Path, unsafe: UnsafePath) -> int:
    """Open or make a directory with the rights of the user to be: it leads nowhere that they could not go."""
    with acting_as(target_user.uid, target_user.gid):
        try:
            descriptor = _open_or_make(str(path), None)
        except OSError:
            raise _cannot(path, unsafe) from unsafe
    if os.fstat(descriptor).st_uid != target_user.uid:
        os.close(descriptor)
        raise _cannot(path, unsafe) from unsafe
    return descriptor


def _make_above(path: Path) -> None:
    try:
        with safe_place(path) as place:
            os.mkdir(place.name, 0o755, dir_fd=place.directory)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_above(path.parent)
        _make_above(path)


def _open_or_make(name: str, directory: int | None) -> int:
    try:
        return os.open(name, _OPEN_DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=directory)
        return os.open(name, _OPEN_DIRECTORY, dir_fd=directory)
