"""Whether a request is signed by who it says, for this host, now, and for the first time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from cmdserver.auth.authorized_keys import AuthorizedKey
from cmdserver.auth.checkers import fetch_keys, proof_by_key, usable
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.credentials import IRequestSignature, Proof, RequestSignature
from cmdserver.auth.signatures.keys import WrongSignature, verify
from cmdserver.auth.signatures.signed_request import SKEW_SECONDS, SignedRequest
from cmdserver.core.site import FleetHost
from cmdserver.files.last_uses import NoteUse, key_id
from cmdserver.limits.nonces import Nonces, Used


@implementer(ICredentialsChecker)
class SignatureChecker:
    """Checks signatures of requests by keys of the files ``authorized_keys/NAME``.

    Args:
        files: The keys.
        nonces: One store for all listeners, or what came by one would be good again at another.
        host: Who this is, now.
        time_of_day: Seconds since the epoch.
        note_use: Told of keys that were used.
    """

    credentialInterfaces = (IRequestSignature,)

    def __init__(
        self,
        files: CredentialStore,
        nonces: Nonces,
        host: Callable[[], FleetHost],
        time_of_day: Callable[[], float],
        note_use: NoteUse,
    ) -> None:
        self._files = files
        self._nonces = nonces
        self._host = host
        self._time_of_day = time_of_day
        self._note_use = note_use

    def requestAvatarId(self, credentials: RequestSignature) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: RequestSignature) -> Proof:
        request = credentials.request
        if request is None:
            raise UnauthorizedLogin(credentials.trouble)
        try:
            request.require_timely(self._nonces.latest(self._time_of_day()))
            key = await self._find(request, credentials.source)
            verify(key.kind, key.blob, request.signature, request.base)
            request.require_meant(self._host())
            # Nothing is waited for between the two, or the same one is good twice.
            self._spend(request)
        except WrongSignature as wrong:
            raise UnauthorizedLogin(str(wrong)) from wrong
        proof = proof_by_key(request.user, credentials.method, key)
        self._note_use(request.user, key_id(key.fingerprint), credentials.source)
        return proof

    async def _find(self, request: SignedRequest, source: str) -> AuthorizedKey:
        keys = await fetch_keys(self._files, request.user)
        lines = [key for key in keys if key.fingerprint == request.fingerprint]
        key = usable(lines, datetime.fromtimestamp(self._time_of_day(), UTC), source)
        if isinstance(key, str):
            raise WrongSignature(key)
        return key

    def _spend(self, request: SignedRequest) -> None:
        try:
            self._nonces.spend(
                request.fingerprint,
                request.nonce,
                created=request.created,
                until=request.expires + SKEW_SECONDS,
                now=self._time_of_day(),
            )
        except Used:
            raise WrongSignature("it was used before") from None
