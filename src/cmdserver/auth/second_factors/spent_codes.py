"""Which codes have been used: a code counts once, over all listeners and across restarts.

A small file in the state directory, written durably before a login counts. It has numbers of time steps and digests of
recovery codes, and no secret. What cannot be read or written makes the login fail, as else a code could count twice.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from cmdserver.core.errors import Unavailable
from cmdserver.files.atomic_file import locked, replace
from cmdserver.files.safe_path import read_file

NAME: Final = "totp-used.json"
#: Of the file, which has room for 50,000 codes; in a bigger one nothing is looked up, and no code counts.
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

    def spend_step(self, secret: str, step: int) -> bool:
        """Use up a time step of a secret, and all before it; say whether it could be used.

        Raises:
            Unavailable: That cannot be written down, or it cannot be known.
        """
        key = _key_of(secret)
        with self._changing():
            spent = self._read()
            if step <= spent.steps.get(key, -1):
                return False
            self._write(_Spent(steps={**spent.steps, key: step}, recovery=spent.recovery))
        return True

    def spend_recovery(self, digest: bytes) -> bool:
        """Use up a recovery code; say whether it could be used.

        Raises:
            Unavailable: As for `spend_step`.
        """
        with self._changing():
            spent = self._read()
            if digest.hex() in spent.recovery:
                return False
            self._write(_Spent(steps=spent.steps, recovery=spent.recovery | {digest.hex()}))
        return True

    def recovery_left(self, recovery: frozenset[bytes]) -> int:
        """Count those of these recovery codes that were not used."""
        return sum(digest.hex() not in self._known.recovery for digest in recovery)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let nobody else look or write meanwhile."""
        try:
            with locked(self._path.parent, _LOCK_SECONDS):
                yield
        except Unavailable:
            raise
        except OSError as error:
            raise Unavailable(None, f"{NAME} cannot be written, so no code counts: {error}") from error

    def _read(self) -> _Spent:
        try:
            found = msgspec.json.decode(read_file(self._path, _MOST_BYTES), type=_Spent)
        except FileNotFoundError:
            return self._known
        except (msgspec.MsgspecError, RecursionError, UnicodeError, OSError) as error:
            text = (
                "cannot be used, so no code counts; remove it if it was damaged, and give everybody new recovery codes"
            )
            raise Unavailable(None, f"{NAME} {text}: {error}") from error
        steps = {**found.steps, **{key: max(at, found.steps.get(key, -1)) for key, at in self._known.steps.items()}}
        self._known = _Spent(steps=steps, recovery=found.recovery | self._known.recovery)
        return self._known

    def _write(self, spent: _Spent) -> None:
        """Write down what was used, of whomever: who has no line now may have one again."""
        replace(self._path, msgspec.json.encode(spent, order="sorted") + b"\n")
        self._known = spent


def _key_of(secret: str) -> str:
    """Name a secret, of 160 random bits: a new one of the same user's is another."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
