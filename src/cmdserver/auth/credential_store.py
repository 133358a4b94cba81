"""The users' credentials in the state directory: ``passwd``, ``tokens`` and ``authorized_keys/NAME``.

The daemon reads the files at every login, as they are then; what is wrong in them is logged and lets nobody in. The
command ``cmdserver`` and the first start write whole files, under a lock, and leave every line that is not the subject
of a change as it is. A name becomes part of a path only after `is_user_name`; no password comes here, only hashes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cmdserver.auth.authorized_keys import AuthorizedKey, has_fingerprint, parse_authorized_keys
from cmdserver.auth.cached_file import CachedFile, Fetch, open_to_read, read_trusted
from cmdserver.auth.credential_formats import (
    Token,
    format_token,
    is_token,
    none_such,
    parse_passwd,
    parse_tokens,
    password_owner,
    token_owner,
    with_end,
    with_line,
    without,
    without_lines,
)
from cmdserver.auth.password_hash import trouble_with_hash
from cmdserver.core.names import PROMPT_HISTORY, is_user_name
from cmdserver.files.atomic_file import locked, make_directory, remove, replace

#: The user that a first start makes, and the file in which it leaves the password until that is changed.
INITIAL_USER = "admin"
INITIAL_PASSWORD_FILE = "initial-password"  # noqa: S105 - a file's name
#: Who has a second factor.
_SECOND_FACTORS = "totp"

#: That many are remembered at once; more users with keys than this cost a second look at each.
_MOST_KEY_FILES = 10_000

_Keys = CachedFile[tuple[AuthorizedKey, ...]]


class CredentialError(Exception):
    """A change that cannot be made; the text says why, for people."""


class CredentialStore:
    """The credentials that lie in a state directory.

    Args:
        directory: Also the attribute ``directory``; likewise ``open_file`` and ``fetch``.
        lock_seconds: How long a change waits for another one; then it is a TimeoutError.
        fetch: Has a file opened that we may not open; None: nobody does.
    """

    def __init__(
        self,
        directory: Path,
        lock_seconds: float = 10.0,
        open_file: Callable[[Path], int] = open_to_read,
        fetch: Fetch | None = None,
    ) -> None:
        self.directory = directory
        self.open_file = open_file
        self.fetch = fetch
        self.second_factors_path = directory / _SECOND_FACTORS
        self._lock_seconds = lock_seconds
        self._passwords = CachedFile(directory / "passwd", parse_passwd, open_file)
        self._tokens = CachedFile(directory / "tokens", parse_tokens, open_file)
        self._keys_directory = directory / "authorized_keys"
        #: Of files that are there, or in trouble: callers may try any number of names.
        self._keys: dict[str, _Keys] = {}

    # Reading: nothing here raises for what is, or is not, in the files

    def passwords(self) -> Mapping[str, bytes]:
        """The bcrypt hashes by user."""
        return self._passwords.read().value

    def tokens(self) -> tuple[Token, ...]:
        """All tokens, the expired ones too."""
        return self._tokens.read().value

    def keys(self, name: str) -> tuple[AuthorizedKey, ...]:
        """A user's keys, the expired ones too; none for whatever is no user's name."""
        file = self._keys_file(name)
        return file.read().value if file else ()

    # The same for logins, which let others go on meanwhile; they raise `Unavailable` if it cannot be done now

    async def fetch_passwords(self) -> Mapping[str, bytes]:
        """The bcrypt hashes by user."""
        return (await self._passwords.read_or_fetch(self.fetch)).value

    async def fetch_tokens(self) -> tuple[Token, ...]:
        """All tokens, the expired ones too."""
        return (await self._tokens.read_or_fetch(self.fetch)).value

    async def fetch_keys(self, name: str) -> tuple[AuthorizedKey, ...]:
        """A user's keys, the expired ones too; none for whatever is no user's name."""
        if not is_user_name(name):
            return ()
        file = self._keys.get(name) or self._new_keys_file(name)
        keys = (await file.read_or_fetch(self.fetch)).value
        self._remember(name, file)
        return keys

    def users(self) -> tuple[str, ...]:
        """Everybody who has a password, a key or a token."""
        names = {*self.passwords(), *(token.name for token in self.tokens())}
        return tuple(sorted(names | {name for name in self._names_of_keys() if self.keys(name)}))

    def complaints(self) -> tuple[str, ...]:
        """All that is wrong in the files now, as ``FILE:LINE: what``."""
        files = [self._passwords, self._tokens, *map(self._keys_file, self._names_of_keys())]
        return tuple(f"{file.path}:{each}" for file in files if file for each in file.read().complaints)

    def _keys_file(self, name: str) -> _Keys | None:
        """Return a user's file of keys, cached; None if there is none."""
        if not is_user_name(name):
            return None
        file = self._keys.get(name) or self._new_keys_file(name)
        file.read()
        self._remember(name, file)
        return file if file.is_there else None

    def _new_keys_file(self, name: str) -> _Keys:
        return CachedFile(self._keys_directory / name, parse_authorized_keys, self.open_file)

    def _remember(self, name: str, file: _Keys) -> None:
        self._keys.pop(name, None)
        if file.is_there:
            if len(self._keys) >= _MOST_KEY_FILES:
                self._keys.clear()
            self._keys[name] = file

    def _names_of_keys(self) -> list[str]:
        try:
            return sorted(path.name for path in self._keys_directory.iterdir() if is_user_name(path.name))
        except OSError:
            return []

    # Writing: an OSError is the disk's or the directory's, and the files are as they were

    def add_user(self, name: str, hashed: bytes) -> None:
        """Give a new user a password.

        Raises:
            CredentialError: They have one.
        """
        with self.changing(name):
            if self._has_password_line(name):
                raise CredentialError(f"there is a user {name} already")
            self._put_password(name, hashed)

    def set_password(self, name: str, hashed: bytes) -> None:
        """Change a password, or give one to a user who had only keys or tokens.

        Raises:
            CredentialError: There is no such user.
        """
        with self.changing(name):
            self.require_user(name)
            self._put_password(name, hashed)
            self._forget_initial_password(name)

    def require_user(self, name: str) -> None:
        """Make sure that there is somebody whose password could be changed.

        Raises:
            CredentialError: There is no such user.
        """
        if not self._has_password_line(name) and name not in self.users():
            raise CredentialError(f"there is no user {name}")

    def remove_user(self, name: str) -> None:
        """Take away a user's password, keys, tokens and second factor.

        Raises:
            CredentialError: They have none of them.
        """
        with self.changing(name):
            # The password last: a user who was removed by halves can be seen, and be removed again.
            found = [
                remove(self._keys_directory / name),
                self.edit(self._tokens.path, lambda text: without_lines(text, name, token_owner)),
                self.edit(self._passwords.path, lambda text: without_lines(text, name, password_owner)),
            ]
            # After all that it stands behind.
            self.edit(self.second_factors_path, lambda text: without_lines(text, name, token_owner))
            if not any(found):
                raise CredentialError(f"there is no user {name}")
            self._forget_initial_password(name)
            # Who is called so next is somebody else.
            remove(self.directory / PROMPT_HISTORY / name)

    def add_keys(self, name: str, text: str) -> tuple[AuthorizedKey, ...]:
        """Let the holders of keys in as a user, whether or not the user has a password; return the keys.

        The text is lines as in ``authorized_keys``; most often one, the content of a ``.pub`` file.

        Raises:
            CredentialError: A line is no key, or a key is there already; no key was added.
        """
        if "PRIVATE KEY-----" in text:
            raise CredentialError("this is a private key; give the public one, whose file ends in .pub")
        parsed = parse_authorized_keys(text)
        if parsed.complaints:
            raise CredentialError("; ".join(f"line {each}" for each in parsed.complaints))
        if not parsed.value:
            raise CredentialError("there is no key in it")
        with self.changing(name):
            make_directory(self._keys_directory)
            path = self._keys_directory / name
            present = {key.blob for key in parse_authorized_keys(self._text(path)).value}
            for key in parsed.value:
                if key.blob in present:
                    raise CredentialError(f"{name} has the key {key.fingerprint} already")
            self.edit(path, lambda old: with_end(old) + with_end(text))
        return parsed.value

    def remove_key(self, name: str, fingerprint: str) -> None:
        """Let the holder of a key in no more, whatever the number of its lines; the others stay as they are.

        Raises:
            CredentialError: The user has no such key; the text says which there are.
        """
        with self.changing(name):
            path = self._keys_directory / name
            if not self.edit(path, lambda text: without(text, lambda line: has_fingerprint(line, fingerprint))):
                raise CredentialError(none_such(name, "key", fingerprint, (key.fingerprint for key in self.keys(name))))

    def add_token(self, token: Token) -> None:
        """Let the holder of a token in as its user, whether or not the user has a password.

        Raises:
            CredentialError: The user has a token of that label.
        """
        with self.changing(token.name):
            if token.label is not None and token.handle in self._handles(token.name):
                raise CredentialError(f"{token.name} has a token {token.label} already")
            self.edit(self._tokens.path, lambda text: with_end(text) + format_token(token) + "\n")

    def remove_token(self, name: str, handle: str) -> None:
        """Let the holder of a token in no more; of several of one label, of none of them.

        Args:
            name: Whose it is.
            handle: As in `Token.handle`.

        Raises:
            CredentialError: The user has no such token; the text says which there are.
        """
        with self.changing(name):
            if not self.edit(self._tokens.path, lambda text: without(text, lambda line: is_token(line, name, handle))):
                raise CredentialError(none_such(name, "token", handle, self._handles(name)))

    def _handles(self, name: str) -> list[str]:
        return [token.handle for token in parse_tokens(self._text(self._tokens.path)).value if token.name == name]

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Hold the lock while something of a user's is changed."""
        if not is_user_name(name):
            raise CredentialError(f"{name!a} can be no user's name")
        with locked(self.directory, self._lock_seconds):
            yield

    def _has_password_line(self, name: str) -> bool:
        """Whether there is a line of theirs, understood or not."""
        return any(password_owner(line) == name for line in self._text(self._passwords.path).split("\n"))

    def _put_password(self, name: str, hashed: bytes) -> None:
        if trouble := trouble_with_hash(hashed.decode("latin-1")):
            raise CredentialError(trouble)
        line = f"{name}:{hashed.decode('ascii')}"
        self.edit(self._passwords.path, lambda text: with_line(text, name, password_owner, line))

    def _forget_initial_password(self, name: str) -> None:
        if name == INITIAL_USER:
            remove(self.directory / INITIAL_PASSWORD_FILE)

    def edit(self, path: Path, change: Callable[[str], str]) -> bool:
        """Change a file's text; say whether that made a difference."""
        if path.is_symlink():
            raise CredentialError(f"{path} is a symbolic link; change the file that it points to")
        old = self._text(path)
        new = change(old)
        if new != old:
            replace(path, new.encode(errors="surrogateescape"))
        return new != old

    def _text(self, path: Path) -> str:
        """Read a file for changing it; one that is not there is empty.

        Only if it can be trusted: a change by us must not make ours what somebody else wrote into it.
        """
        try:
            return read_trusted(self.open_file(path), path)[0]
        except FileNotFoundError:
            return ""
