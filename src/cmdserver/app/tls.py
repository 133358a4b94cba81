"""The daemon's certificate and key, and what clients' certificates say of them.

Imported when the first listener speaks TLS: OpenSSL costs a tenth of a second.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from cmdserver.app import bootstrap
from cmdserver.auth.credentials import Certificate
from cmdserver.config.schema.host import TLS
from cmdserver.core.errors import BadTLSFiles
from cmdserver.files.opening import ReadFile
from cmdserver.net import tls_context
from cmdserver.net.tls_context import Loaded, ServerCredentials, TLSFiles

_log = Logger()


def load(wanted: TLS, state_directory: Path, read: ReadFile) -> Loaded:
    """Read certificate and key; without any in the configuration, our own, which are made if they are missing.

    Raises:
        BadTLSFiles: They are no good.
        CannotStart: Our own cannot be made.
    """
    now = datetime.now(UTC)
    files = _files(wanted, *bootstrap.require_tls_pair(state_directory, now)) if _is_ours(wanted) else _files(wanted)
    return tls_context.load(files, now, read)


def check(wanted: TLS, read: ReadFile) -> None:
    """Look whether what the configuration names is good; our own pair is made at the first start, and not looked at.

    Raises:
        ValueError: It is not.
    """
    try:
        if not _is_ours(wanted):
            tls_context.load(_files(wanted), datetime.now(UTC), read)
        elif wanted.client_ca is not None:
            tls_context.check_authorities(Path(wanted.client_ca), read)
    except BadTLSFiles as error:
        raise ValueError(str(error)) from error


def check_authorities(file: str, read: ReadFile) -> None:
    """Look whether a file has certificates of authorities in it.

    Raises:
        ValueError: It has not.
    """
    try:
        tls_context.check_authorities(Path(file), read)
    except BadTLSFiles as error:
        raise ValueError(str(error)) from error


def use(loaded: Loaded, credentials: ServerCredentials | None) -> ServerCredentials:
    """Open new connections with what was loaded, and log what is wrong with it; return the credentials that do."""
    for warning in loaded.warnings:
        _log.warn("{warning}", warning=warning)
    if credentials is None:
        return ServerCredentials(loaded)
    credentials.reconfigure(loaded)
    return credentials


def certificate_of(transport: Any, source: str) -> Certificate | None:
    """Return what a client's verified certificate says; None if it has shown none, or it has expired."""
    peer = tls_context.peer_name(transport, datetime.now(UTC))
    if peer is None:
        return None
    return Certificate(names=peer.names, trouble=peer.trouble, fingerprint=peer.fingerprint, source=source)


def _is_ours(wanted: TLS) -> bool:
    return wanted.certificate is None or wanted.key is None


def _files(wanted: TLS, certificate: Path | None = None, key: Path | None = None) -> TLSFiles:
    return TLSFiles(
        certificate=certificate or Path(wanted.certificate or ""),
        key=key or Path(wanted.key or ""),
        client_ca=Path(wanted.client_ca) if wanted.client_ca else None,
        minimum_version=wanted.minimum_version,
    )
