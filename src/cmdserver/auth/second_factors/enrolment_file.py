"""The file ``totp`` in the state directory, read at each login as it is then, and changed as other credentials are."""

from cmdserver.auth.cached_file import CachedFile
from cmdserver.auth.credential_formats import Complaint, token_owner, with_line, without_lines
from cmdserver.auth.credential_store import CredentialError, CredentialStore
from cmdserver.auth.second_factors.enrolments import Enrolment, Enrolments, format_enrolment, parse_totp
from cmdserver.core.errors import Unavailable


class EnrolmentFile:
    """Who has a second factor.

    Args:
        files: The credentials that it lies among.
    """

    def __init__(self, files: CredentialStore) -> None:
        self._files = files
        self._file = CachedFile(files.second_factors_path, parse_totp, files.open_file)

    def enrolments(self) -> Enrolments:
        """Everybody who has one, for people; a file that cannot be used has nobody."""
        return self._file.read().value

    def complaints(self) -> tuple[str, ...]:
        """All that is wrong in the file now, as ``FILE:LINE: what``."""
        return tuple(f"{self._file.path}:{each}" for each in self._file.read().complaints)

    async def fetch(self) -> Enrolments:
        """Everybody who has one, for logins.

        Raises:
            Unavailable: The file cannot be used, or not now. It may be about anybody, so nobody is to be let in.
        """
        parsed = await self._file.read_or_fetch(self._files.fetch)
        whole = next((each for each in parsed.complaints if each.line is None), None)
        if whole is not None:
            raise Unavailable(None, _unusable(whole))
        return parsed.value

    def add(self, enrolment: Enrolment, *, may_replace: bool = False) -> None:
        """Give a user a second factor.

        Raises:
            CredentialError: There is no such user, or they have one and it is not to be replaced.
        """
        with self._files.changing(enrolment.name):
            self._files.require_user(enrolment.name)
            self.require_none(enrolment.name, may_replace=may_replace)
            line = format_enrolment(enrolment)
            self._files.edit(self._file.path, lambda text: with_line(text, enrolment.name, token_owner, line))

    def require_none(self, name: str, *, may_replace: bool) -> None:
        """Raise `CredentialError` if a user has a second factor that is not to be replaced."""
        if not may_replace and name in self.enrolments():
            raise CredentialError(f"{name} has a second factor already; --replace makes a new one instead")

    def remove(self, name: str) -> None:
        """Take a user's second factor away.

        Raises:
            CredentialError: They have none.
        """
        with self._files.changing(name):
            if not self._files.edit(self._file.path, lambda text: without_lines(text, name, token_owner)):
                raise CredentialError(f"{name} has no second factor")


def _unusable(complaint: Complaint) -> str:
    return f"the file totp {complaint.text}; nobody logs in by a password until this is mended"
