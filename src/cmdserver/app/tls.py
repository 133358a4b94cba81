"""The daemon's certificate and key, and what clients' certificates say of them.

Imported when the first listener speaks TLS: OpenSSL costs a tenth of a second.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from cmdserver.app import bootstrap
from cmdserver.auth.credentials import Certificate
from cmdserver.config.schema import TLS
from cmdserver.files.opening import ReadFile
from cmdserver.net import tls_context
from cmdserver.net.tls_context import Loaded, ServerCredentials

_log = Logger()


def load(wanted: TLS, state_directory: Path, read: ReadFile) -> Loaded:
    """Read certificate and key; without any in the configuration, our own, which are made if they are missing.

    Raises:
        BadTLSFiles: They are no good.
        CannotStart: Our own cannot be made.
    """
    now = datetime.now(UTC)
    pair: tuple[Path | str, Path | str]
    if wanted.certificate is None or wanted.key is None:
        pair = bootstrap.require_tls_pair(state_directory, now)
    else:
        pair = wanted.certificate, wanted.key
    return tls_context.load(tls_context.files_of(wanted, *pair), now, read)


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
