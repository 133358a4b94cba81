"""Credentials that clients present, and what they prove: values, which do not import what checks them.

All have a ``source``, the ``name`` of a user, if they say one, and for the audit file a ``method``, and a
``fingerprint`` if there is a key or a certificate.
"""

from msgspec import Struct
from msgspec.structs import replace
from twisted.cred.credentials import ICredentials
from zope.interface import implementer

from cmdserver.auth.signatures.signed_request import SignedRequest
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.core.names import ANONYMOUS, AUTHENTICATED, is_user_name


class Proof(Struct, frozen=True, kw_only=True):
    """Who somebody has proved to be; the realm makes a Caller of it."""

    name: str
    method: str
    #: The only commands that the credentials are good for, names or globs; None: all that the user's roles include.
    commands: frozenset[str] | None = None
    #: What is run whatever they ask for; None: what they ask for.
    forced_words: tuple[str, ...] | None = None
    #: Whether the holder may have a terminal.
    permits_pty: bool = True
    #: Whether a one-time code, or a recovery code, was shown as well.
    has_second_factor: bool = False


class CodeRequired(Exception):  # noqa: N818 - a statement
    """What somebody has shown is right and not enough: a one-time code is to follow.

    Attributes:
        proof: Of what they have shown; good for nothing but an `OneTimeCode`.
    """

    def __init__(self, proof: Proof) -> None:
        super().__init__("a one-time code is required")
        self.proof = proof


class IPassword(ICredentials):
    """A name and a password."""


class IToken(ICredentials):
    """A bearer token."""


class IPublicKey(ICredentials):
    """An SSH public key, and something that its holder has signed."""


class IRequestSignature(ICredentials):
    """A request that its caller has signed."""


class IOneTimeCode(ICredentials):
    """A one-time code, after something else."""


class ICertificate(ICredentials):
    """A TLS client certificate that was verified in the handshake."""


class IProxiedUser(ICredentials):
    """The word of a proxy that the administrator trusts."""


@implementer(IPassword)
class Password(Struct, frozen=True, kw_only=True):
    """A name and a password, as they came.

    The password is bytes: what is hashed is what was sent, in whatever encoding.
    """

    name: str
    password: bytes
    source: str
    method: str = "password"
    fingerprint: str | None = None
    #: Whether its client sends it again with every request, as HTTP Basic does.
    is_repeated: bool = False
    #: Whether its client can be asked for a one-time code afterwards.
    can_ask: bool = True


@implementer(IOneTimeCode)
class OneTimeCode(Struct, frozen=True, kw_only=True):
    """A one-time code or a recovery code, as it came, after what proved who somebody is."""

    proof: Proof
    code: str
    source: str
    fingerprint: str | None = None

    @property
    def name(self) -> str:
        """Whose it is."""
        return self.proof.name

    @property
    def method(self) -> str:
        """For the audit file, while it is not known to be right."""
        return f"{self.proof.method}+totp"


@implementer(IToken)
class BearerToken(Struct, frozen=True, kw_only=True):
    """A bearer token, as it came; it implies the user."""

    secret: str
    source: str
    method: str = "token"
    name: str | None = None
    fingerprint: str | None = None


@implementer(ICertificate)
class Certificate(Struct, frozen=True, kw_only=True):
    """What a verified certificate says of its holder: names, the best first, and its fingerprint."""

    names: tuple[str, ...]
    fingerprint: str
    source: str
    #: What of it could not be read, for the audit file; None: everything could.
    trouble: str | None = None
    method: str = "certificate"
    #: Whether its holder can be asked for a one-time code.
    can_ask: bool = False

    @property
    def name(self) -> str | None:
        """The first name in it that a user can have."""
        return next((name for name in self.names if is_user_name(name)), None)

    def before_code(self) -> "Certificate":
        """Return the same of a holder who can be asked for a one-time code."""
        return replace(self, can_ask=True)


@implementer(IProxiedUser)
class ProxiedUser(Struct, frozen=True, kw_only=True):
    """Whom a trusted proxy names (``[web] user_header``): one name, as the header field is there once."""

    names: tuple[str, ...]
    source: str
    method: str = "proxy"
    fingerprint: str | None = None

    @property
    def name(self) -> str | None:
        """The name, if it is one that a user can have; a role's name by which nobody logs in is none."""
        name = self.names[0] if len(self.names) == 1 else ""
        return name if is_user_name(name) and name not in {ANONYMOUS, AUTHENTICATED} else None


@implementer(IPublicKey)
class PublicKey(Struct, frozen=True, kw_only=True):
    """A name, a public key (RFC 4253, section 6.6), and a signature by it (RFC 4252, section 7)."""

    name: str
    blob: bytes
    signed: bytes
    signature: bytes
    source: str
    method: str = "publickey"

    @property
    def kind(self) -> bytes:
        """The key's type, as it says itself; any bytes may come."""
        length = int.from_bytes(self.blob[:4], "big")
        return self.blob[4 : 4 + length]

    @property
    def fingerprint(self) -> str:
        """The key's, as ``ssh-keygen -l`` says it."""
        return fingerprint_of(self.blob)


@implementer(IRequestSignature)
class RequestSignature(Struct, frozen=True, kw_only=True):
    """What the signature of a request says (RFC 9421), or why it could not be right."""

    source: str
    #: None if ``trouble`` says why.
    request: SignedRequest | None
    #: For the audit file.
    trouble: str = ""
    method: str = "signature"

    @property
    def name(self) -> str | None:
        """Whose it says that it is, if that is a name that a user can have."""
        return self.request.user if self.request is not None and is_user_name(self.request.user) else None

    @property
    def fingerprint(self) -> str | None:
        """Of the key by which it says that it is."""
        return self.request.fingerprint if self.request is not None else None


Credentials = Password | BearerToken | Certificate | PublicKey | ProxiedUser | OneTimeCode | RequestSignature
