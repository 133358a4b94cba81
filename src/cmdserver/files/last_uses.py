"""When and from where each key and token was last used: a small file in the state directory, for people.

It decides nothing. The daemon notes uses in memory and writes them down now and then, never at each login; whatever is
wrong with the file, or with the disk, is logged once and costs nobody an answer. No secret is in it: of a token the
beginning of its digest, of a key its fingerprint.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cmdserver.files.atomic_file import locked, replace
from cmdserver.files.safe_path import read_file

NAME: Final = "last-used.json"
#: Of the file; a bigger one is something else.
MOST_BYTES: Final = 1 << 22
#: That many are known at once: the file of so many has 2 MB at most.
MOST_USES: Final = 10_000
#: From the first use that is not written down yet: others may follow at once.
SOON_SECONDS: Final = 1.0
#: Between two times of writing.
BETWEEN_SECONDS: Final = 10.0
#: For another process that changes something in the directory, which takes milliseconds.
_LOCK_SECONDS: Final = 0.2
#: Half of a digest that is compared nowhere: enough to tell tokens apart.
_DIGEST_DIGITS: Final = 16

_log = Logger()


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last use of a key or token."""

    #: Whose it is.
    user: str
    #: Which of theirs; see `key_id` and `token_id`.
    credential: str
    #: Seconds since the epoch.
    time: float
    #: From where: an IP address, or ``unix``.
    source: str


def token_id(sha256: bytes) -> str:
    """Name a token by its digest, so that a new one with an old one's label has not been used yet."""
    return f"token:{sha256.hex()[:_DIGEST_DIGITS]}"


def key_id(fingerprint: str) -> str:
    """Name a key by its fingerprint."""
    return f"key:{fingerprint}"


#: Called when a key or token has let somebody in: whose it is, which, and from where.
NoteUse = Callable[[str, str, str], None]

Uses = Mapping[tuple[str, str], Use]


def read_uses(directory: Path) -> Uses:
    """Read the last uses, by user and credential.

    Raises:
        OSError: The file cannot be read, or makes no sense; one that is not there has no uses.
    """
    try:
        found = msgspec.json.decode(read_file(directory / NAME, MOST_BYTES), type=list[Use])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise OSError(None, f"no list of last uses: {error}", NAME) from error
    return {(each.user, each.credential): each for each in found}


class LastUses:
    """Notes the last uses, and writes them down.

    Args:
        directory: Where the file is; the state directory.
        clock: Says when it is time to write.
        time_of_day: Seconds since the epoch.
    """

    def __init__(self, directory: Path, clock: IReactorTime, time_of_day: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._time_of_day = time_of_day
        #: The latest last; None until it is read.
        self._uses: dict[tuple[str, str], Use] | None = None
        self._written_at = -BETWEEN_SECONDS
        self._timer: IDelayedCall | None = None
        #: What keeps us from writing, once it has been logged.
        self._trouble: str | None = None

    def note(self, user: str, credential: str, source: str) -> None:
        """Note a use; it is written down soon, or in some seconds if something was just now."""
        if self._uses is None:
            self._uses = self._read()
        key = (user, credential)
        self._uses.pop(key, None)
        if len(self._uses) >= MOST_USES:
            del self._uses[next(iter(self._uses))]
        self._uses[key] = Use(user=user, credential=credential, time=self._time_of_day(), source=source)
        if self._timer is None:
            wait = max(SOON_SECONDS, self._written_at + BETWEEN_SECONDS - self._clock.seconds())
            self._timer = self._clock.callLater(wait, self._write)

    def close(self) -> None:
        """Write down what is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._write()

    def _read(self) -> dict[tuple[str, str], Use]:
        try:
            return dict(list(read_uses(self._directory).items())[-MOST_USES:])
        except OSError as error:
            _log.warn("{name} is ignored: {error}", name=NAME, error=error.strerror)
            return {}

    def _write(self) -> None:
        self._timer, self._written_at = None, self._clock.seconds()
        uses = list((self._uses or {}).values())
        try:
            with locked(self._directory, _LOCK_SECONDS):
                replace(self._directory / NAME, msgspec.json.encode(uses) + b"\n", durably=False)
        except OSError as error:
            if self._trouble != error.strerror:
                self._trouble = error.strerror
                text = "{name} cannot be written, so it is not known when keys and tokens were last used: {error}"
                _log.warn(text, name=NAME, error=str(error))
        else:
            self._trouble = None
