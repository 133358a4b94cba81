"""What begins TLS with a receiver, and whose certificates are believed. Imported for receivers of TLS alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

from cmdserver.audit.receivers import Receiver
from cmdserver.files.opening import ReadFile
from cmdserver.net.certificates import read_certificates


def load(receivers: Iterable[Receiver], read: ReadFile) -> dict[Receiver, IOpenSSLClientConnectionCreator]:
    """Read the authorities of receivers.

    Raises:
        BadTLSFiles: They are no good; the text says which file and why.
    """
    return {each: optionsForClientTLS(each.server_name, _trust(each, read)) for each in receivers}


def _trust(receiver: Receiver, read: ReadFile) -> Any:
    if receiver.ca is None:
        return platformTrust()
    found = read_certificates(Path(receiver.ca), read)
    return trustRootFromCertificates([Certificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in found])
