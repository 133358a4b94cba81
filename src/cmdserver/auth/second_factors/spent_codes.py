"""Which codes have been used: a code counts once, over all listeners and across restarts.

A small file in the state directory, written durably before a login counts. It has numbers of time steps and digests of
recovery codes, and no secret. What cannot be read or written makes the login fail, as else a code could count twice.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from cmdserver.auth.second_factors.enrolments import Enrolments
from cmdserver.core.errors import Unavailable
from cmdserver.files.atomic_file import locked, replace
from cmdserver.files.safe_path import read_file

NAME: Final = "totp-used.json"
#: Of the file; a bigger one is something else.
_MOST_BYTES: Final = 1 << 22
#: For another process that changes something in the directory, which takes milliseconds.
_LOCK_SECONDS: Final = 0.2


class _Spent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    #: Of each secret, by the SHA-256 of it, the latest time step of which a code was used; no earlier one counts.
    steps: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: SHA-256 of recovery codes, in hexadecimal digits.
    recovery: frozenset[str] = frozenset()


class SpentCodes:
    """The codes that were used.

    Args:
        directory: Where the file is; the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        #: As it was last read or written by us; a clock that is set back, or a file that is, brings nothing back.
        self._known = _Spent()

    def spend_step(self, secret: str, step: int, enrolments: Enrolments) -> bool:
        """Use up a time step of a secret, and all before it; say whether it could be used.

        Raises:
            Unavailable: That cannot be written down, or it cannot be known.
        """
        spent, key = self._read(), _key_of(secret)
        if step <= spent.steps.get(key, -1):
            return False
        self._write(_Spent(steps={**spent.steps, key: step}, recovery=spent.recovery), enrolments)
        return True

    def spend_recovery(self, digest: bytes, enrolments: Enrolments) -> bool:
        """Use up a recovery code; say whether it could be used.

        Raises:
            Unavailable: As for `spend_step`.
        """
        spent = self._read()
        if digest.hex() in spent.recovery:
            return False
        self._write(_Spent(steps=spent.steps, recovery=spent.recovery | {digest.hex()}), enrolments)
        return True

    def recovery_left(self, recovery: frozenset[bytes]) -> int:
        """Count those of these recovery codes that were not used."""
        return sum(digest.hex() not in self._known.recovery for digest in recovery)

    def _read(self) -> _Spent:
        try:
            found = msgspec.json.decode(read_file(self._path, _MOST_BYTES), type=_Spent)
        except FileNotFoundError:
            return self._known
        except (msgspec.MsgspecError, RecursionError, UnicodeError, OSError) as error:
            text = "cannot be used, so no code counts; a file that was damaged can be removed"
            raise Unavailable(None, f"{NAME} {text}: {error}") from error
        steps = {**found.steps, **{key: max(at, found.steps.get(key, -1)) for key, at in self._known.steps.items()}}
        return _Spent(steps=steps, recovery=found.recovery | self._known.recovery)

    def _write(self, spent: _Spent, enrolments: Enrolments) -> None:
        """Write down what was used; what nobody has any more is left out."""
        present = {digest.hex() for each in enrolments.values() for digest in each.recovery}
        secrets = {_key_of(each.secret) for each in enrolments.values() if each.secret is not None}
        kept = _Spent(
            steps={key: step for key, step in spent.steps.items() if key in secrets},
            recovery=spent.recovery & present,
        )
        try:
            with locked(self._path.parent, _LOCK_SECONDS):
                replace(self._path, msgspec.json.encode(kept, order="sorted") + b"\n")
        except OSError as error:
            raise Unavailable(None, f"{NAME} cannot be written, so no code counts: {error}") from error
        self._known = kept


def _key_of(secret: str) -> str:
    """Name a secret, of 160 random bits: a new one of the same user's is another."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
