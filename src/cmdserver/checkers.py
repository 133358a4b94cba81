"""twisted.cred checkers: what somebody shows, and whether it proves who they are.

A checker turns credentials into a `Proof` or fails with `UnauthorizedLogin`, whose text is for the audit file and never
for the client. What is wrong about credentials (no such user, wrong password, expired) is told apart there and nowhere
else; for passwords it costs the same time too.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from cmdserver.claims import BearerToken, Certificate, ICertificate, IPassword, IToken, Password, Proof
from cmdserver.credential_files import CredentialFiles
from cmdserver.credentials import token_digest
from cmdserver.hashing import PasswordVerifier, highest_cost


@implementer(ICredentialsChecker)
class PasswordChecker:
    """Checks passwords against the file ``passwd``, as it is at that moment.

    Args:
        files: Has the hashes.
        verifier: Computes them, elsewhere.
    """

    credentialInterfaces = (IPassword,)

    def __init__(self, files: CredentialFiles, verifier: PasswordVerifier) -> None:
        self._files = files
        self._verifier = verifier

    def requestAvatarId(self, credentials: Password) -> Deferred[Any]:
        """Prove a name by its password; an unknown name costs what a wrong password costs."""
        hashes = self._files.passwords()
        hashed = hashes.get(credentials.name)

        def proven(is_right: bool) -> Proof:  # noqa: FBT001 - it is the verifier's answer
            if not is_right:
                raise UnauthorizedLogin("wrong password" if hashed is not None else "no such user")
            return Proof(name=credentials.name, method=credentials.method)

        cost = highest_cost(hashes.values())
        checked = self._verifier.verify(credentials.password, hashed, source=credentials.source, cost=cost)
        return checked.addCallback(proven)


@implementer(ICredentialsChecker)
class TokenChecker:
    """Checks bearer tokens against the file ``tokens``.

    Args:
        files: Has their digests; the tokens themselves are nowhere.
        now: The time of day.
    """

    credentialInterfaces = (IToken,)

    def __init__(self, files: CredentialFiles, now: Callable[[], datetime]) -> None:
        self._files = files
        self._now = now

    def requestAvatarId(self, credentials: BearerToken) -> Deferred[Any]:
        """Prove whoever the token was made for."""
        digest = token_digest(credentials.secret)
        # Digests are compared, so that how much of one is right tells nothing of the token.
        token = next((each for each in self._files.tokens() if each.sha256 == digest), None)
        if token is None:
            return fail(UnauthorizedLogin("no such token"))
        refusal = token.refusal(self._now(), credentials.source)
        if refusal is not None:
            return fail(UnauthorizedLogin(f"{token.name}'s {refusal}"))
        return succeed(Proof(name=token.name, method=credentials.method, commands=token.commands))


@implementer(ICredentialsChecker)
class CertificateChecker:
    """Takes a verified certificate's word for who its holder is, if that is a name that a user can have."""

    credentialInterfaces = (ICertificate,)

    def requestAvatarId(self, credentials: Certificate) -> Deferred[Any]:
        """Prove the certificate's first name."""
        if credentials.name is None:
            return fail(UnauthorizedLogin(f"no user's name in the certificate: {', '.join(credentials.names)}"))
        return succeed(Proof(name=credentials.name, method=credentials.method))
