"""Certificates for targets, good and bad."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.odd_certificates import Odd, by_key, pem


@cache
def authority() -> trustme.CA:
    """Give the one authority of the tests."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def server_context(*names: str, days: float = 365.5, by: trustme.CA | None = None) -> ssl.SSLContext:
    """Make a server's side, with a certificate for names and days."""
    ends = datetime.now(UTC) + timedelta(days=days)
    certificate = (by or authority()).issue_cert(
        *names, not_before=ends - timedelta(days=1000), not_after=ends, key_type=trustme.KeyType.ECDSA
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def odd_context(odd: Odd, directory: Path) -> ssl.SSLContext:
    """Make a server's side, with an odd certificate of the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority().cert_pem.bytes())
    issuer_key = serialization.load_pem_private_key(authority().private_key_pem.bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    whole = replace(odd, extensions=odd.extensions + by_key(issuer_id))
    made = pem("CERTIFICATE", whole.sign(key, issuer.subject.public_bytes(), issuer_key))
    made += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = directory / "odd.pem"
    path.write_bytes(made)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def write_authority(directory: Path) -> Path:
    """Write the authority's certificate to a file."""
    path = directory / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return path
