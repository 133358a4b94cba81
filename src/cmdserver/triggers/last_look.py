"""When schedules were looked at last, kept over a restart: a small file in the state directory.

What is in it decides nothing but which times are told to have been missed; whatever is wrong with it is said once, and
forgotten.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from twisted.logger import Logger

from cmdserver.files.atomic_file import locked, remove, replace
from cmdserver.files.safe_path import read_file

NAME: Final = "schedules.json"
_MOST_BYTES: Final = 1 << 20
#: For another process that changes something in the directory, which takes milliseconds.
_LOCK_SECONDS: Final = 0.2

_log = Logger()


class Seen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was looked at, and when."""

    #: Seconds since the epoch.
    looked_at: float
    #: The lines of each command's schedule.
    schedules: dict[str, list[str]]


class LastLook:
    """The file.

    Args:
        directory: Where it is; the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: What keeps us from writing, once it has been logged.
        self._trouble: str | None = None

    def read(self, now: float) -> Seen | None:
        """Read when schedules were looked at last; None if that is not known.

        Args:
            now: Seconds since the epoch: what claims to be later is not believed.
        """
        try:
            seen = msgspec.json.decode(read_file(self._directory / NAME, _MOST_BYTES), type=Seen)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            _log.warn("{name} is ignored: {error}", name=NAME, error=str(error))
            return None
        if not math.isfinite(seen.looked_at) or not 0 <= seen.looked_at <= now:
            _log.warn("{name} is ignored: it is from a time that has not been yet, or never was", name=NAME)
            return None
        return seen

    def write(self, now: float, schedules: Mapping[str, list[str]]) -> None:
        """Write down when schedules were looked at; without any the file is removed. What fails is logged once."""
        path = self._directory / NAME
        try:
            if not schedules and not path.exists():
                return
            with locked(self._directory, _LOCK_SECONDS):
                if schedules:
                    replace(path, msgspec.json.encode(Seen(looked_at=now, schedules=dict(schedules))) + b"\n")
                else:
                    remove(path)
        except OSError as error:
            if self._trouble != error.strerror:
                self._trouble = error.strerror
                text = "{name} cannot be written, so times may be told to be missed that were not: {error}"
                _log.warn(text, name=NAME, error=str(error))
        else:
            self._trouble = None
