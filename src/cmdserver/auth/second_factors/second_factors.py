"""Who is asked for a second factor, and whether a code is right.

A password is not enough for who has a second factor. Keys and certificates are, unless a role of their user's says
``second_factor``; then they are asked where something can ask them, and elsewhere that role does not count, which is
the policy's business. A wrong, late or used code is a failed login; why is for the audit file.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from cmdserver.auth.credentials import CodeRequired, IOneTimeCode, OneTimeCode, Proof
from cmdserver.auth.second_factors.enrolment_file import EnrolmentFile
from cmdserver.auth.second_factors.enrolments import Enrolment, Enrolments, recovery_digest
from cmdserver.auth.second_factors.spent_codes import SpentCodes
from cmdserver.core.errors import Busy, Unavailable
from cmdserver.limits.wrong_codes import WrongCodes

#: Until whoever opens files for us may answer again, or somebody has mended one.
_AGAIN_SECONDS = 5
#: Recovery codes below which the log speaks of it.
_FEW = 3

_log = Logger()


@implementer(ICredentialsChecker)
class SecondFactors:
    """All second factors; as a checker of twisted.cred it checks one-time codes.

    Args:
        file: Who has one.
        spent: Which codes were used.
        time_of_day: Seconds since the epoch, by which codes go.
        clock: In seconds, by which waiting goes.
        is_wanted: Whether a role of a user's says ``second_factor``.
    """

    credentialInterfaces = (IOneTimeCode,)

    def __init__(
        self,
        file: EnrolmentFile,
        spent: SpentCodes,
        time_of_day: Callable[[], float],
        clock: Callable[[], float],
        is_wanted: Callable[[str], bool],
    ) -> None:
        self._file = file
        self._spent = spent
        self._time_of_day = time_of_day
        self._clock = clock
        self._is_wanted = is_wanted
        self._wrong = WrongCodes()

    async def has_one(self, name: str) -> bool:
        """Whether somebody has a second factor.

        Raises:
            Busy: That cannot be known now.
        """
        return name in await self._enrolments()

    async def require_where_wanted(self, proof: Proof, *, can_ask: bool) -> Proof:
        """Return a proof by a key or certificate, which is enough but for roles that want a second factor.

        Raises:
            CodeRequired: There is such a role, and who has sent it can be asked.
            Busy: That cannot be known now.
        """
        if can_ask and self._is_wanted(proof.name) and await self.has_one(proof.name):
            raise CodeRequired(proof)
        return proof

    def requestAvatarId(self, credentials: OneTimeCode) -> Deferred[Any]:
        """Prove with a code what was proved by half."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: OneTimeCode) -> Proof:
        proof, now = credentials.proof, self._clock()
        enrolments = await self._enrolments()
        enrolment = enrolments.get(proof.name)
        if enrolment is None:
            raise UnauthorizedLogin("the second factor was removed in between")
        try:
            kind = self._kind_of(enrolment, credentials.code, now)
        except Unavailable as error:
            raise _busy(error) from error
        return replace(proof, method=f"{proof.method}+{kind}", has_second_factor=True)

    def _kind_of(self, enrolment: Enrolment, code: str, now: float) -> str:
        """Use a code up; say what kind it is of.

        Recovery codes cannot be guessed, and so count also for who has to wait.

        Raises:
            UnauthorizedLogin: It is wrong, of another time, was used before, or comes after too many wrong ones.
            Unavailable: What was used cannot be written down.
        """
        if enrolment.secret is None:
            raise UnauthorizedLogin("the line of the file totp is not understood")
        digest = recovery_digest(code)
        if digest in enrolment.recovery:
            if not self._spent.spend_recovery(digest):
                raise UnauthorizedLogin("recovery code used before")
            self._tell_of_few(enrolment)
            return "recovery"
        # Of a secret, as one that is made anew has nothing to do with what was tried before.
        row = f"{enrolment.name} {enrolment.secret}"
        if self._wrong.seconds_to_wait(row, now):
            raise UnauthorizedLogin("too many wrong codes in a row: none counts for a while")
        step = _matching_step(enrolment.secret, code, self._time_of_day())
        if step is None:
            self._wrong.wrong(row, now)
            raise UnauthorizedLogin("wrong code")
        if not self._spent.spend_step(enrolment.secret, step):
            raise UnauthorizedLogin("code used before")
        self._wrong.right(row)
        return "totp"

    def _tell_of_few(self, enrolment: Enrolment) -> None:
        left = self._spent.recovery_left(enrolment.recovery)
        if left <= _FEW:
            _log.warn("{user} has {left} recovery codes left", user=enrolment.name, left=left)

    async def _enrolments(self) -> Enrolments:
        try:
            return await self._file.fetch()
        except Unavailable as error:
            raise _busy(error) from error


def _busy(error: Unavailable) -> Busy:
    _log.error("second factors: {error}", error=error.strerror)
    return Busy("second factors cannot be looked up at the moment", _AGAIN_SECONDS)


def _matching_step(secret: str, code: str, now: float) -> int | None:
    try:
        from cmdserver.auth.second_factors.codes import matching_step  # noqa: PLC0415 - see there
    except ImportError:
        _log.error("codes of second factors cannot be checked: pyotp is not installed; pip install 'cmdserver[totp]'")
        raise UnauthorizedLogin("pyotp is not installed") from None
    return matching_step(secret, code, now)
