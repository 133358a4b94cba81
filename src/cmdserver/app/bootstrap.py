"""What the state directory gets when it is not there yet: a certificate, and a user who may log in.

Everything is written whole or not at all, for us alone, and nothing that is there is written over. The one exception is
our own self-signed certificate when it comes to its end: it is renewed with the key that it had, so that whoever trusts
the key goes on to. Whatever was made is logged, but for the password itself.

Imported only when one of the two may be missing, because ``cryptography`` costs every start that does without some
hundredths of a second.
"""

import ipaddress
import secrets
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

from cmdserver.auth.credential_store import INITIAL_PASSWORD_FILE, INITIAL_USER, CredentialStore
from cmdserver.auth.password_hash import hash_password
from cmdserver.core.errors import BadTLSFiles, CannotStart
from cmdserver.files.atomic_file import locked, replace
from cmdserver.files.safe_path import read_file
from cmdserver.net.certificates import read_key

#: By which we know a certificate of ours: only such a one is ever renewed.
ISSUER: Final = "cmdserver, made at its first start"
#: What Apple's clients accept at most, even from an issuer whom their user trusts.
VALID_DAYS: Final = 825
RENEW_DAYS: Final = 30

#: Without 0, 1, l and o, which people mistake for one another; 32 of them, so a character is worth 5 bits.
_ALPHABET: Final = "23456789abcdefghijkmnpqrstuvwxyz"
_GROUPS, _GROUP_LENGTH = 7, 4  # 140 bits

_LOCK_SECONDS = 10.0

_log = Logger()


def require_tls_pair(directory: Path, now: datetime, host_name: str | None = None) -> tuple[Path, Path]:
    """Make ``tls.key`` and ``tls.crt`` if they are missing, and renew a certificate of ours that is near its end.

    The certificate is for a host name; None is the host's own. The time has its zone.

    Raises:
        CannotStart: The key is missing and the certificate is not, or one of them cannot be read or written.
    """
    certificate, key = directory / "tls.crt", directory / "tls.key"
    try:
        with locked(directory, _LOCK_SECONDS):
            if certificate.exists() and not key.exists():
                raise CannotStart(f"cmdserver: {key} is missing; remove {certificate} too, and both are made anew")
            if not key.exists():
                replace(key, _new_key())
            if not certificate.exists():
                _write_certificate(certificate, key, now, host_name)
                _log.info("made a self-signed certificate: {path}", path=str(certificate.absolute()))
            elif _is_ours(certificate, ends_before=now + timedelta(days=RENEW_DAYS)):
                _write_certificate(certificate, key, now, host_name)
                _log.warn(
                    "our self-signed certificate was near its end and is renewed: {path}",
                    path=str(certificate.absolute()),
                )
    except OSError as error:
        raise CannotStart(f"cmdserver: {error.filename or certificate}: {error.strerror}") from error
    return certificate, key


def require_user(files: CredentialStore, directory: Path) -> None:
    """Make the user ``admin`` if there is no user at all, and leave the password where only we can read it.

    A file that says something which nobody understands is not the same as none: somebody is to mend it.

    Raises:
        CannotStart: It cannot be written.
    """
    if files.users() or files.complaints():
        return
    password = make_initial_password()
    path = directory / INITIAL_PASSWORD_FILE
    try:
        # In this order: killed in between, we make another one at the next start.
        with locked(directory, _LOCK_SECONDS):
            replace(path, f"{password}\n".encode())
        files.add_user(INITIAL_USER, hash_password(password))
    except OSError as error:
        raise CannotStart(f"cmdserver: the first user, in {directory}: {error.strerror}") from error
    _log.warn(
        "there was no user; made {user}, whose password is in {path}", user=INITIAL_USER, path=str(path.absolute())
    )


def make_initial_password() -> str:
    """Make up a password of 140 random bits that can be read out and typed: ``k3x9-...``, seven groups of four."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def _write_certificate(path: Path, key_path: Path, now: datetime, host_name: str | None) -> None:
    """Sign a certificate for whatever key there is."""
    try:
        key = read_key(key_path, read_file)
    except BadTLSFiles as error:
        raise CannotStart(f"cmdserver: no certificate can be made: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CannotStart(f"cmdserver: {key_path}: neither an ECDSA nor an RSA key; put its certificate at {path}")
    certificate = self_signed(key, now, host_name or socket.gethostname())
    replace(path, certificate.public_bytes(Encoding.PEM))


def self_signed(key: CertificateIssuerPrivateKeyTypes, now: datetime, host_name: str) -> x509.Certificate:
    """Make a certificate for this host that its own key signs.

    It is good for one server and cannot issue others: who trusts it trusts this key for these names and nothing else.
    """
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ISSUER),
            x509.NameAttribute(NameOID.COMMON_NAME, host_name[:64] or "localhost"),  # RFC 5280: ub-common-name
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # for clients whose clock is slow
        .not_valid_after(now + timedelta(days=VALID_DAYS - 1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(host_name)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_for_signatures(), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, SHA256())
    )


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _alternative_names(host_name: str) -> list[x509.GeneralName]:
    names = dict.fromkeys((host_name, "localhost"))
    # A host's name can be anything; a certificate's is ASCII.
    dns = [x509.DNSName(name) for name in names if name and name.isascii()]
    return [*dns, *(x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1"))]


def _for_signatures() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_ours(path: Path, *, ends_before: datetime) -> bool:
    """Whether a certificate is one that we made, and ends before a time; what it is otherwise, others find out."""
    content = read_file(path)
    try:
        certificate = x509.load_pem_x509_certificate(content)
        certificate.verify_directly_issued_by(certificate)
        issuers = [each.value for each in certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        ends = certificate.not_valid_after_utc
    except Exception:  # noqa: BLE001 - see `certificates`
        return False
    return issuers == [ISSUER] and ends < ends_before
