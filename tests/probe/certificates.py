"""Certificates for targets, good and bad."""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import trustme


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


def write_authority(directory: Path) -> Path:
    """Write the authority's certificate to a file."""
    path = directory / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return path
