"""Certificates and private keys from PEM files, and whom a certificate names, whatever is in it.

A certificate that was loaded is not one that can be read: names, extensions and keys are parsed when they are asked
for, and what is raised then is a ValueError, a TypeError, a LookupError or an exception of the library's own. So
whatever it raises is caught here, at each place where it is asked, and becomes a sentence or no name; its words, which
are for programmers, are passed on to nobody.

It fails closed: of a certificate with an extension that cannot be read no name counts, as the one that was meant may be
in there.
"""

import re
import warnings
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from msgspec import Struct

from cmdserver.core.errors import BadTLSFiles
from cmdserver.files.opening import ReadFile
from cmdserver.files.safe_path import read_file

_BEGIN: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_CERTIFICATE: Final = re.compile(rb"-----BEGIN (X509 )?CERTIFICATE-----.*?-----END (X509 )?CERTIFICATE-----", re.DOTALL)
_CERTIFICATES: Final = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
_KEYS: Final = frozenset({"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "DSA PRIVATE KEY"})
#: RFC 1421, section 4.6.1.1: how keys say that they are encrypted which are not PKCS #8.
_ENCRYPTED: Final = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:[^\n]*ENCRYPTED", re.MULTILINE)
#: What is found in place of something else, and what to do about it; FILE is put in.
_INSTEAD: Final = {
    "CERTIFICATE REQUEST": "a certificate request; what belongs here is what the authority makes of it",
    "NEW CERTIFICATE REQUEST": "a certificate request; what belongs here is what the authority makes of it",
    "TRUSTED CERTIFICATE": "a certificate in OpenSSL's own form; openssl x509 -in FILE writes a plain one",
    "PKCS7": "a PKCS #7 bundle; openssl pkcs7 -print_certs -in FILE writes what is in it",
    "X509 CRL": "a revocation list",
    "PUBLIC KEY": "a public key; the private one belongs here",
    "OPENSSH PRIVATE KEY": "a key in OpenSSH's form; ssh-keygen -p -m PEM -f FILE changes that",
    "EC PARAMETERS": "parameters of a curve, and no key behind them",
    "DH PARAMETERS": "Diffie-Hellman parameters",
    **dict.fromkeys(_CERTIFICATES, "a certificate"),
    **dict.fromkeys(_KEYS, "a private key"),
}


class Names(Struct, frozen=True, kw_only=True):
    """The names in a certificate."""

    #: Those of the alternative names first (mail addresses, then host names), then the common names; perhaps none.
    names: tuple[str, ...]
    #: What could not be read, for people; None: everything could.
    trouble: str | None = None


#: Suppresses the library's warnings about certificates that it reads all the same.
without_warnings = partial(warnings.catch_warnings, action="ignore")


# Files


def read_certificates(path: Path, read: ReadFile = read_file) -> list[x509.Certificate]:
    """Read all certificates of a file.

    Raises:
        BadTLSFiles: It cannot be read, has none in it, or one that is damaged; the text says which.
    """
    pem = _content(path, read)
    found = [match[0] for match in _CERTIFICATE.finditer(pem)]
    if not found:
        raise BadTLSFiles(f"{path}: no certificate in PEM format: {_what_else(path, pem)}")
    certificates = []
    for number, each in enumerate(found, start=1):
        with without_warnings():
            try:
                certificates.append(x509.load_pem_x509_certificate(each))
            except Exception:  # noqa: BLE001 - see the head of this file
                which = "it is" if len(found) == 1 else f"number {number} of {len(found)} is"
                text = f"{path}: no certificate in PEM format: {which} damaged, or not as RFC 5280 has it"
                raise BadTLSFiles(text) from None
    return certificates


def read_key(path: Path, read: ReadFile = read_file) -> PrivateKeyTypes:
    """Read a private key.

    Raises:
        BadTLSFiles: It cannot be read, is encrypted, damaged, or none; the text says which.
    """
    pem = _content(path, read)
    if _ENCRYPTED.search(pem):
        text = "the key is encrypted, and there is nobody to ask for its passphrase"
        raise BadTLSFiles(f"{path}: {text}; openssl pkey -in {path} decrypts it")
    if not _KEYS.intersection(_labels(pem)):
        raise BadTLSFiles(f"{path}: no private key in PEM format: {_what_else(path, pem)}")
    for load in (partial(load_pem_private_key, password=None), _load_key_leniently):
        try:
            return load(pem)
        except Exception:  # noqa: BLE001, S112 - see the head of this file; what is to be said is said below
            continue
    text = f"it is damaged, or of a kind that is not known; openssl pkey -in {path} -noout -check says more"
    raise BadTLSFiles(f"{path}: no private key in PEM format: {text}")


def _load_key_leniently(pem: bytes) -> PrivateKeyTypes:
    """Read what OpenSSL reads: an EC key, say, whose number has lost its leading zero octets (RFC 5915 wants them)."""
    from OpenSSL import crypto  # noqa: PLC0415 - TLS has loaded it; it takes a tenth of a second

    loaded = crypto.load_privatekey(crypto.FILETYPE_PEM, pem, passphrase=b"")
    return cast("PrivateKeyTypes", loaded.to_cryptography_key())


def _content(path: Path, read: ReadFile) -> bytes:
    try:
        return read(path)
    except OSError as error:
        raise BadTLSFiles(f"{path}: {error.strerror}") from error


def _labels(pem: bytes) -> list[str]:
    return [match[1].decode("ascii") for match in _BEGIN.finditer(pem)]


def _what_else(path: Path, content: bytes) -> str:
    """Describe a file that does not hold what it should."""
    if not content.strip():
        return "the file is empty"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is UTF-16; save it as ASCII or UTF-8"
    found = [_INSTEAD.get(label, f'something called "{label}"') for label in _labels(content)]
    if found:
        return f"the file has {found[0]}".replace("FILE", str(path))
    if content[:1] == b"\x30":  # a SEQUENCE of ASN.1, as all of them are
        return "the file is binary (DER, or PKCS #12); convert it with openssl x509, pkey or pkcs12"
    return "it begins with -----BEGIN and ends with -----END"


# What certificates say


def holder_of(certificate: x509.Certificate) -> str:
    """Name a certificate to people: by its subject as RFC 4514 writes it, or else by its serial number."""
    with without_warnings():
        try:
            subject = certificate.subject.rfc4514_string()
        except Exception:  # noqa: BLE001 - see the head of this file
            return f"somebody whose name cannot be read (serial number {certificate.serial_number:x})"
    return subject or "nobody"


def validity_of(certificate: x509.Certificate) -> tuple[datetime, datetime] | None:
    """Say from when until when a certificate is good, with time zones; None if that cannot be read."""
    try:
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except Exception:  # noqa: BLE001 - see the head of this file
        return None


def public_key_of(certificate: x509.Certificate, path: Path) -> CertificatePublicKeyTypes:
    """Read the key of a certificate that is in a file.

    Raises:
        BadTLSFiles: It is damaged, or of a kind that is not known.
    """
    try:
        return certificate.public_key()
    except Exception:  # noqa: BLE001 - see the head of this file
        raise BadTLSFiles(f"{path}: the key in the certificate is damaged, or of a kind that is not known") from None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate says that it may issue others (RFC 5280, section 4.2.1.9)."""
    with without_warnings():
        try:
            return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except Exception:  # noqa: BLE001 - see the head of this file
            return False


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as a root does."""
    with without_warnings():
        with suppress(Exception):  # see the head of this file
            return certificate.issuer == certificate.subject
        try:  # names that cannot be read can be compared all the same
            certificate.verify_directly_issued_by(certificate)
        except Exception:  # noqa: BLE001 - as above
            return False
    return True


def names_of(certificate: x509.Certificate) -> Names:
    """Say whom a certificate names."""
    with without_warnings():
        try:
            names = _alternative_names(certificate)
        except Exception:  # noqa: BLE001 - see the head of this file
            return Names(names=(), trouble="its extensions cannot be read")
        try:
            common_names = _common_names(certificate)
        except Exception:  # noqa: BLE001 - see the head of this file
            return Names(names=tuple(dict.fromkeys(names)), trouble="its subject cannot be read")
    return Names(names=tuple(dict.fromkeys([*names, *common_names])))


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return alternative.get_values_for_type(x509.RFC822Name) + alternative.get_values_for_type(x509.DNSName)


def _common_names(certificate: x509.Certificate) -> list[str]:
    values = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return [value if isinstance(value, str) else value.decode(errors="replace") for value in values]
