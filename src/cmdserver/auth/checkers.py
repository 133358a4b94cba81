"""twisted.cred checkers: what somebody shows, and whether it proves who they are.

A checker turns credentials into a `Proof` or fails with `UnauthorizedLogin`, whose text is for the audit file and never
for the client. What is wrong about credentials (no such user, wrong password, expired) is told apart there and nowhere
else; for passwords it costs the same time too.
"""

import shlex
import struct
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from cmdserver.auth.authorized_keys import AuthorizedKey
from cmdserver.auth.credential_formats import token_digest
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.credentials import (
    BearerToken,
    Certificate,
    CodeRequired,
    ICertificate,
    IPassword,
    IProxiedUser,
    IPublicKey,
    IToken,
    Password,
    Proof,
    ProxiedUser,
    PublicKey,
)
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import PasswordVerifier, highest_cost
from cmdserver.auth.second_factors.second_factors import SecondFactors
from cmdserver.core.errors import Busy, Unavailable
from cmdserver.files.last_uses import NoteUse, key_id, token_id

#: Until whoever opens files for us may answer again, or has been replaced.
_AGAIN_SECONDS = 5
#: Of the names that are no user's, those that the audit file is told: there may be thousands.
_MOST_NAMES = 10

Found = TypeVar("Found")


def _note_nothing(_user: str, _credential: str, _source: str) -> None:
    """Nobody wants to know."""


@implementer(ICredentialsChecker)
class PasswordChecker:
    """Checks passwords against the file ``passwd``, as it is at that moment.

    Args:
        verifier: Computes hashes, elsewhere.
        remembered: Knows those that need not be computed again, of clients that send theirs with every request.
        clock: In seconds.
        second_factors: Says for whom a password is not enough.
    """

    credentialInterfaces = (IPassword,)

    def __init__(
        self,
        files: CredentialStore,
        verifier: PasswordVerifier,
        remembered: PasswordCache,
        clock: Callable[[], float],
        second_factors: SecondFactors,
    ) -> None:
        self._files = files
        self._verifier = verifier
        self._remembered = remembered
        self._clock = clock
        self._second_factors = second_factors

    def requestAvatarId(self, credentials: Password) -> Deferred[Any]:
        """Prove a name by its password; an unknown name costs what a wrong password costs."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Password) -> Proof:
        hashes = await _now(self._files.fetch_passwords())
        hashed = hashes.get(credentials.name)
        proof = Proof(name=credentials.name, method=credentials.method)
        # Before anything is compared: what takes less time for a right password would tell of it.
        has_second_factor = await self._second_factors.has_one(credentials.name)
        repeated = hashed if credentials.is_repeated and not has_second_factor else None
        if repeated is not None and self._remembered.knows(credentials.password, repeated, self._clock()):
            return proof
        cost = highest_cost(hashes.values())
        if not await self._verifier.verify(credentials.password, hashed, source=credentials.source, cost=cost):
            raise UnauthorizedLogin("wrong password" if hashed is not None else "no such user")
        if has_second_factor:
            if not credentials.can_ask:
                raise UnauthorizedLogin("has a second factor, for which this way of logging in cannot ask")
            raise CodeRequired(proof)
        if repeated is not None:
            self._remembered.remember(credentials.password, repeated, self._clock())
        return proof


@implementer(ICredentialsChecker)
class TokenChecker:
    """Checks bearer tokens against the file ``tokens``, which has their digests; the tokens themselves are nowhere."""

    credentialInterfaces = (IToken,)

    def __init__(self, files: CredentialStore, now: Callable[[], datetime], note_use: NoteUse = _note_nothing) -> None:
        self._files = files
        self._now = now
        self._note_use = note_use

    def requestAvatarId(self, credentials: BearerToken) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: BearerToken) -> Proof:
        digest = token_digest(credentials.secret)
        # Digests are compared, so that how much of one is right tells nothing of the token.
        token = next((each for each in await _now(self._files.fetch_tokens()) if each.sha256 == digest), None)
        if token is None:
            raise UnauthorizedLogin("no such token")
        refusal = token.refusal(self._now(), credentials.source)
        if refusal is not None:
            raise UnauthorizedLogin(f"{token.name}'s {refusal}")
        self._note_use(token.name, token_id(token.sha256), credentials.source)
        return Proof(name=token.name, method=credentials.method, commands=token.commands)


@implementer(ICredentialsChecker)
class PublicKeyChecker:
    """Checks SSH keys against the files ``authorized_keys/NAME``."""

    credentialInterfaces = (IPublicKey,)

    def __init__(
        self,
        files: CredentialStore,
        now: Callable[[], datetime],
        second_factors: SecondFactors,
        note_use: NoteUse = _note_nothing,
    ) -> None:
        self._files = files
        self._now = now
        self._second_factors = second_factors
        self._note_use = note_use

    def is_acceptable(self, name: str, blob: bytes, source: str) -> Deferred[bool]:
        """Whether a signature by a key would let somebody in: only if it is listed, and may be used now from there."""
        finding = Deferred.fromCoroutine(self._find(name, blob, source))
        return finding.addCallback(lambda found: isinstance(found, AuthorizedKey))

    def requestAvatarId(self, credentials: PublicKey) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: PublicKey) -> Proof:
        key = await self._find(credentials.name, credentials.blob, credentials.source)
        if isinstance(key, str):
            raise UnauthorizedLogin(key)
        if not _is_signed(credentials):
            raise UnauthorizedLogin("wrong signature")
        proof = proof_by_key(credentials.name, credentials.method, key)
        self._note_use(credentials.name, key_id(key.fingerprint), credentials.source)
        return await self._second_factors.require_where_wanted(proof, can_ask=True)

    async def _find(self, name: str, blob: bytes, source: str) -> AuthorizedKey | str:
        keys = await fetch_keys(self._files, name)
        return usable([key for key in keys if key.blob == blob], self._now(), source)


async def fetch_keys(files: CredentialStore, name: str) -> tuple[AuthorizedKey, ...]:
    """Fetch a user's keys; raises `Busy` if they cannot be looked up now."""
    return await _now(files.fetch_keys(name))


def usable(lines: Iterable[AuthorizedKey], now: datetime, source: str) -> AuthorizedKey | str:
    """Return a line that lets a key in now from there; or say why none does. A key may have several."""
    refusal = "no such key"
    for key in lines:
        reason = key.refusal(now, source)
        if reason is None:
            return key
        refusal = reason
    return refusal


def proof_by_key(name: str, method: str, key: AuthorizedKey) -> Proof:
    """Make a proof of who has signed with a key.

    Raises:
        UnauthorizedLogin: The key's ``command=`` is no command line.
    """
    try:
        forced = tuple(shlex.split(key.command)) if key.command is not None else None
    except ValueError as error:
        raise UnauthorizedLogin(f"the key's command= cannot be split into words: {error}") from error
    return Proof(name=name, method=method, forced_words=forced, permits_pty=key.permits_pty)


async def _now(looking: Awaitable[Found]) -> Found:
    """Turn `Unavailable` into `Busy`: what cannot be looked up now is no failed login."""
    try:
        return await looking
    except Unavailable as error:
        raise Busy("credentials cannot be looked up at the moment", _AGAIN_SECONDS) from error


def _is_signed(credentials: PublicKey) -> bool:
    from twisted.conch.ssh.keys import BadKeyError, Key  # noqa: PLC0415 - for those who show keys only

    from cmdserver.sshtransport import sk_keys  # noqa: PLC0415 - as above

    if credentials.kind in sk_keys.TYPES:
        return sk_keys.verify(credentials.blob, credentials.signature, credentials.signed)
    try:
        return bool(Key.fromString(credentials.blob).verify(credentials.signature, credentials.signed))
    except (BadKeyError, ValueError, TypeError, IndexError, struct.error):
        return False  # any bytes may come


@implementer(ICredentialsChecker)
class CertificateChecker:
    """Takes a verified certificate's word for who its holder is, if that is a name that a user can have."""

    credentialInterfaces = (ICertificate,)

    def __init__(self, second_factors: SecondFactors) -> None:
        self._second_factors = second_factors

    def requestAvatarId(self, credentials: Certificate) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Certificate) -> Proof:
        if credentials.name is None:
            raise UnauthorizedLogin(_nobody_in(credentials))
        proof = Proof(name=credentials.name, method=credentials.method)
        return await self._second_factors.require_where_wanted(proof, can_ask=credentials.can_ask)


def _nobody_in(certificate: Certificate) -> str:
    """Say why a certificate names no user: what could not be read, and the names that are none."""
    names = _shown(certificate.names)
    trouble = f"{certificate.trouble}; " if certificate.trouble else ""
    return f"no user's name in the certificate: {trouble}its names are: {names}"


@implementer(ICredentialsChecker)
class ProxyChecker:
    """Takes a trusted proxy's word for who somebody is; the user need not be known here.

    Whoever wants more than that word from a user (a second factor) asks here.
    """

    credentialInterfaces = (IProxiedUser,)

    def requestAvatarId(self, credentials: ProxiedUser) -> Deferred[Any]:
        if credentials.name is None:
            text = "no user's name" if len(credentials.names) == 1 else "not one name"
            return fail(UnauthorizedLogin(f"{text} from the proxy, but: {_shown(credentials.names)}"))
        return succeed(Proof(name=credentials.name, method=credentials.method))


def _shown(names: tuple[str, ...]) -> str:
    """List names that somebody else has chosen, for the audit file."""
    shown = [ascii(name[:64])[1:-1] for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more else shown) or "none at all"
