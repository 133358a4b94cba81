"""TLS contexts from PEM files, and the names in clients' certificates.

TLS 1.2 with forward secrecy and authenticated encryption, or 1.3; nothing older, no renegotiation, no compression.
Sessions are resumed from tickets, which the client keeps: a flood of handshakes leaves nothing here. Keys of tickets
belong to one context, so a reload ends what was resumed on the strength of the old files.

Imported only where a listener uses TLS, because OpenSSL costs every start that does without a tenth of a second.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

from cryptography import x509
from msgspec import Struct
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolNegotiationFactory
from zope.interface import implementer

from cmdserver.core.errors import BadTLSFiles
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.files.opening import ReadFile
from cmdserver.files.safe_path import read_file
from cmdserver.net.certificates import (
    holder_of,
    is_authority,
    is_self_issued,
    names_of,
    public_key_of,
    read_certificates,
    read_key,
    validity_of,
    without_warnings,
)

#: For TLS 1.2: no suite with CBC (LUCKY13) or without forward secrecy. Those of 1.3 are OpenSSL's.
CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
#: How long a ticket is good. It stands for the client's certificate too, which is not looked at again meanwhile.
SESSION_SECONDS: Final = 3600

_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
#: SSL_MODE_NO_AUTO_CHAIN, which pyOpenSSL does not name: the authorities of clients are not sent as if they were ours.
_NO_AUTO_CHAIN: Final = 0x8
_OF_NO_USE: Final = "its key is of a kind that is of no use for TLS here"
#: Reasons of OpenSSL's to refuse a certificate, as people can act on them.
_REASONS: Final = {
    "ee key too small": "its key is too short; RSA takes 2048 bits at least",
    "ca key too small": "the key of a certificate behind it is too short; RSA takes 2048 bits at least",
    "ca md too weak": "it, or one behind it, is signed with MD5 or SHA-1; SHA-256 takes their place",
    "unknown certificate type": _OF_NO_USE,
}
#: A connection that waits holds no buffers: with them it costs 16 KB more, with TLS 1.3 24.
_MODE: Final = SSL.MODE_RELEASE_BUFFERS | _NO_AUTO_CHAIN


class TLSFiles(Struct, frozen=True, kw_only=True):
    """``[tls]``: where our certificate is, and whose clients we know."""

    #: PEM: ours first, then those between it and the root, if any.
    certificate: Path
    key: Path
    #: PEM: the authorities whose certificates log their holders in. None: no client is asked for one.
    client_ca: Path | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"


class Loaded(Struct, frozen=True, kw_only=True):
    """Files that were read and found to be good."""

    context: SSL.Context
    #: What an administrator should know and nothing is refused for: sentences, without an end.
    warnings: tuple[str, ...]


class PeerCertificate(Struct, frozen=True, kw_only=True):
    """A client's certificate, signed by an authority of ours and still good."""

    #: See `certificates.Names`.
    names: tuple[str, ...]
    #: What of it could not be read, for people; None: everything could.
    trouble: str | None
    #: See `fingerprint_of`.
    fingerprint: str


@implementer(IOpenSSLServerConnectionCreator)
class ServerCredentials:
    """What new connections are opened with; open ones keep what they began with."""

    def __init__(self, loaded: Loaded) -> None:
        self.reconfigure(loaded)

    def reconfigure(self, loaded: Loaded) -> None:
        """Open new connections with other files from now on."""
        self._context = loaded.context

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: ARG002 - the interface's
        return _Connection(self._context)


def load(files: TLSFiles, now: datetime, read: ReadFile = read_file) -> Loaded:
    """Read certificate, key and authorities.

    Args:
        files: Where they are.
        now: With a time zone; certificates that are out of date are used, with a warning.
        read: Reads a file; raises an OSError.

    Raises:
        BadTLSFiles: One cannot be read, is not what it should be, or does not belong to another; the text says which.
    """
    chain = read_certificates(files.certificate, read)
    key = read_key(files.key, read)
    _require_pair(files, chain, key.public_key())
    authorities = read_certificates(files.client_ca, read) if files.client_ca is not None else []
    context = _context(files)
    try:
        context.use_certificate(chain[0])
        for certificate in chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(key)  # type: ignore[arg-type] # of the certificate's kind, as they belong together
    except (SSL.Error, crypto.Error, TypeError) as error:
        raise BadTLSFiles(f"{files.certificate}: OpenSSL refuses it: {_openssl_text(error)}") from error
    warnings = [*_age_warnings(files.certificate, chain, now)]
    if files.client_ca is not None:
        believed = [each for each in authorities if is_authority(each) or is_self_issued(each)]
        _ask_for_certificates(context, files.client_ca, believed)
        warnings += _authority_warnings(files.client_ca, authorities, believed)
        warnings += _age_warnings(files.client_ca, believed, now)
    if _is_for_everybody(files.key):
        warnings.append(f"every user of this host can reach the key {files.key}; chmod it to 600")
    return Loaded(context=context, warnings=tuple(warnings))


def check_authorities(path: Path, read: ReadFile = read_file) -> None:
    """See that a file has certificates of authorities in it, as `load` does.

    Raises:
        BadTLSFiles: The file cannot be read, or has none in it.
    """
    authorities = read_certificates(path, read)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _ask_for_certificates(context, path, [each for each in authorities if is_authority(each) or is_self_issued(each)])


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
    shown = handle.get_peer_certificate()
    if shown is None:
        return None
    encoded = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)
    fingerprint = fingerprint_of(encoded)
    with without_warnings():
        try:
            certificate = x509.load_der_x509_certificate(encoded)
        except Exception:  # noqa: BLE001 - see `certificates`
            return PeerCertificate(names=(), trouble="it cannot be read", fingerprint=fingerprint)
    validity = validity_of(certificate)
    if validity is None:
        return PeerCertificate(names=(), trouble="its dates cannot be read", fingerprint=fingerprint)
    if validity[1] < now:
        return None
    names = names_of(certificate)
    return PeerCertificate(names=names.names, trouble=names.trouble, fingerprint=fingerprint)


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


def _require_pair(files: TLSFiles, chain: list[x509.Certificate], public_key: object) -> None:
    """Require that the key belongs to the first certificate, before those between it and the root."""
    if public_key_of(chain[0], files.certificate) == public_key:
        return
    text = f"the key {files.key} does not belong to the certificate {files.certificate}"
    for number, each in enumerate(chain[1:], start=2):
        if public_key_of(each, files.certificate) == public_key:
            text = (
                f"the key {files.key} does not belong to the first certificate in {files.certificate}, but to number"
                f" {number}; that one has to come first, and then those between it and the root"
            )
    raise BadTLSFiles(text)


def _ask_for_certificates(context: SSL.Context, path: Path, authorities: list[x509.Certificate]) -> None:
    """Ask every client for a certificate: none is fine, one that cannot be verified is the end of the handshake.

    An authority need not be a root: who names the one that issues, and not its issuer, believes that one alone. So none
    may be given that is no authority, as it would be believed too. One that is its own issuer was always its own root.
    """
    if not authorities:
        raise BadTLSFiles(f"{path}: none of the certificates in it is an authority's (CA:TRUE)")
    store = cast("crypto.X509Store", context.get_cert_store())
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for authority in authorities:
        try:
            store.add_cert(crypto.X509.from_cryptography(authority))
            context.add_client_ca(authority)
        except (SSL.Error, crypto.Error) as error:
            text = f"{path}: OpenSSL refuses the certificate of {holder_of(authority)}: {_openssl_text(error)}"
            raise BadTLSFiles(text) from error
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


def _authority_warnings(path: Path, given: list[x509.Certificate], believed: list[x509.Certificate]) -> list[str]:
    return [
        f"{path}: the certificate of {holder_of(each)} is no authority's (CA:TRUE is missing), and is left out"
        for each in given
        if each not in believed
    ]


def _age_warnings(path: Path, certificates: list[x509.Certificate], now: datetime) -> list[str]:
    warnings = []
    for certificate in certificates:
        name = f"{path}: the certificate of {holder_of(certificate)}"
        validity = validity_of(certificate)
        if validity is None:
            warnings.append(f"{name} has dates that cannot be read")
            continue
        begin, end = validity
        if end < now:
            warnings.append(f"{name} expired on {end:%Y-%m-%d %H:%M} UTC")
        if begin > now:
            warnings.append(f"{name} is not valid before {begin:%Y-%m-%d %H:%M} UTC")
    return warnings


def _openssl_text(error: Exception) -> str:
    """Return OpenSSL's last reason, in plain words where there are some."""
    match error.args:
        case ([*_, (_, _, str(reason))],):
            return _REASONS.get(reason, reason)
        case _:
            return _OF_NO_USE
