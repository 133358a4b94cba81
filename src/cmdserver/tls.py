"""Who we are under TLS, and who the client is: PEM files to contexts, client certificates to names.

TLS 1.2 with forward secrecy and authenticated encryption, or 1.3; nothing older, no renegotiation, no compression.
Sessions are resumed from tickets, which the client keeps: a flood of handshakes leaves nothing here. Keys of tickets
belong to one context, so a reload ends what was resumed on the strength of the old files.

Rule of this file: it is imported only where a door uses TLS, because OpenSSL costs every start that does without a
tenth of a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolNegotiationFactory
from zope.interface import implementer

from cmdserver.errors import BadTLSFiles
from cmdserver.files.safe_path import read_file
from cmdserver.settings import TLS

#: For TLS 1.2: no suite with CBC (LUCKY13) or without forward secrecy. Those of 1.3 are OpenSSL's.
CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
#: How long a ticket is good. It stands for the client's certificate too, which is not looked at again meanwhile.
SESSION_SECONDS: Final = 3600

_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
#: SSL_MODE_NO_AUTO_CHAIN, which pyOpenSSL does not name: the authorities of clients are not sent as if they were ours.
_NO_AUTO_CHAIN: Final = 0x8
#: A connection that waits holds no buffers: with them it costs 16 KB more, with TLS 1.3 24.
_MODE: Final = SSL.MODE_RELEASE_BUFFERS | _NO_AUTO_CHAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFiles:
    """``[tls]``: where our certificate is, and whose clients we know."""

    #: PEM: ours first, then those between it and the root, if any.
    certificate: Path
    key: Path
    #: PEM: the authorities whose certificates log their holders in. None: no client is asked for one.
    client_ca: Path | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"


def files_of(wanted: TLS, certificate: Path | str, key: Path | str) -> TLSFiles:
    """Put together what the configuration says, and where certificate and key turned out to be."""
    return TLSFiles(
        certificate=Path(certificate),
        key=Path(key),
        client_ca=Path(wanted.client_ca) if wanted.client_ca else None,
        minimum_version=wanted.minimum_version,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Files that were read and found to be good."""

    context: SSL.Context
    #: What an administrator should know and nothing is refused for: sentences, without an end.
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """A client's certificate, signed by an authority of ours and still good."""

    #: Those of the alternative names first (mail addresses, then host names), then the common names; perhaps none.
    names: tuple[str, ...]
    #: As RFC 4514 writes it, for people: ``CN=alice,O=ops``.
    subject: str
    #: SHA-256 of the whole, in hexadecimal, as ``openssl x509 -fingerprint -sha256`` says it but for colons and case.
    fingerprint: str


@implementer(IOpenSSLServerConnectionCreator)
class ServerCredentials:
    """What new connections are opened with; open ones keep what they began with.

    Args:
        loaded: To begin with.
    """

    def __init__(self, loaded: Loaded) -> None:
        #: May be replaced at any time.
        self.loaded = loaded

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: ARG002 - the interface's
        """Begin a connection, as Twisted asks for it."""
        return _Connection(self.loaded.context)


def load(files: TLSFiles, now: datetime, read: Callable[[Path], bytes] = read_file) -> Loaded:
    """Read certificate, key and authorities.

    Args:
        files: Where they are.
        now: With a time zone; certificates that are out of date are used, with a warning.
        read: Reads a file; raises an OSError.

    Raises:
        BadTLSFiles: One cannot be read, is not what it should be, or does not belong to another; the text says which.
    """
    chain = _certificates(files.certificate, read)
    key = _private_key(files.key, read)
    if chain[0].public_key() != key.public_key():
        raise BadTLSFiles(f"the key {files.key} does not belong to the certificate {files.certificate}")
    authorities = _certificates(files.client_ca, read) if files.client_ca is not None else []
    context = _context(files)
    try:
        context.use_certificate(chain[0])
        for certificate in chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(key)  # type: ignore[arg-type] # of the certificate's kind, as they belong together
    except (SSL.Error, crypto.Error, TypeError) as error:
        raise BadTLSFiles(f"{files.certificate}: OpenSSL refuses it: {_openssl_text(error)}") from error
    if authorities:
        _ask_for_certificates(context, authorities)
    warnings = [*_age_warnings(files.certificate, chain, now)]
    if files.client_ca is not None:
        warnings += _age_warnings(files.client_ca, authorities, now)
    if _is_for_everybody(files.key):
        warnings.append(f"every user of this host can reach the key {files.key}; chmod it to 600")
    return Loaded(context=context, warnings=tuple(warnings))


def read_authorities(path: Path, read: Callable[[Path], bytes] = read_file) -> list[x509.Certificate]:
    """Read the certificates of authorities.

    Raises:
        BadTLSFiles: The file cannot be read, or has none in it.
    """
    return _certificates(path, read)


def peer_name(transport: Any, now: datetime) -> PeerCertificate | None:
    """Say whom a client's certificate names.

    Args:
        transport: Of a connection whose handshake is complete; one without TLS is fine.
        now: With a time zone. A resumed session stands for a certificate that may have expired since.

    Returns:
        None if the client has shown none, or was not asked to, or it has expired.
    """
    handle = transport.getHandle()
    if not isinstance(handle, SSL.Connection) or not handle.get_verify_mode() & SSL.VERIFY_PEER:
        return None
    certificate = handle.get_peer_certificate(as_cryptography=True)
    if certificate is None or certificate.not_valid_after_utc < now:
        return None
    return PeerCertificate(
        names=_names(certificate),
        subject=certificate.subject.rfc4514_string(),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


class _Connection(SSL.Connection):
    """OpenSSL's end of a connection, which knows the descriptor that the bytes come from."""

    def fileno(self) -> int:
        descriptor: int = self.get_app_data().transport.getHandle().fileno()
        return descriptor


def _context(files: TLSFiles) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[files.minimum_version])
    context.set_cipher_list(CIPHERS)
    context.set_options(_OPTIONS)
    context.set_mode(_MODE)
    # Off is the store on our side; tickets need none.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_timeout(SESSION_SECONDS)
    # Without one, OpenSSL ends the connection of a client that resumes a session and might have a certificate.
    context.set_session_id(b"cmdserver")
    context.set_alpn_select_callback(_select_protocol)
    return context


def _ask_for_certificates(context: SSL.Context, authorities: list[x509.Certificate]) -> None:
    """Ask every client for a certificate: none is fine, one that cannot be verified is the end of the handshake."""
    store = cast("crypto.X509Store", context.get_cert_store())
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(authority)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE)


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """Answer a client's list of application protocols (ALPN) with ours; where there is none of ours, with nothing.

    A client that offers something else is served all the same: many offer what their library is used for most.
    """
    factory = connection.get_app_data().factory.wrappedFactory
    if IProtocolNegotiationFactory.providedBy(factory):
        for protocol in factory.acceptableProtocols():
            if protocol in offered:
                return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _is_for_everybody(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o007)
    except OSError:  # it is not even for us, who are no longer root
        return False


def _content(path: Path, read: Callable[[Path], bytes]) -> bytes:
    try:
        return read(path)
    except OSError as error:
        raise BadTLSFiles(f"{path}: {error.strerror}") from error


def _certificates(path: Path, read: Callable[[Path], bytes]) -> list[x509.Certificate]:
    """Read all certificates of a file, at least one."""
    pem = _content(path, read)
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadTLSFiles(f"{path}: no certificate in PEM format: {error}") from error


def _private_key(path: Path, read: Callable[[Path], bytes]) -> PrivateKeyTypes:
    pem = _content(path, read)
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise BadTLSFiles(f"{path}: the key is encrypted, and there is nobody to ask for its passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadTLSFiles(f"{path}: no private key in PEM format: {error}") from error


def _age_warnings(path: Path, certificates: list[x509.Certificate], now: datetime) -> list[str]:
    warnings = []
    for certificate in certificates:
        name = f"{path}: the certificate of {certificate.subject.rfc4514_string() or 'nobody'}"
        if certificate.not_valid_after_utc < now:
            warnings.append(f"{name} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        if certificate.not_valid_before_utc > now:
            warnings.append(f"{name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    return warnings


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names: list[str] = []
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += alternative.get_values_for_type(x509.RFC822Name)
        names += alternative.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):  # ValueError: an extension that cannot be read names nobody
        pass
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        value = attribute.value
        names.append(value if isinstance(value, str) else value.decode(errors="replace"))
    return tuple(dict.fromkeys(names))


def _openssl_text(error: Exception) -> str:
    """Say what OpenSSL says, of which the last is the cause."""
    match error.args:
        case ([*_, (_, _, str(reason))],):
            return reason
        case _:
            return str(error)
