"""TLS: contexts that verify, the handshake as a step, and what a certificate says. Imported only where there is TLS."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from cmdserver_probe.connection import MeteredSocket, meter
from cmdserver_probe.errors import CannotTell, ProbeFailed, describe
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, State, TLSDetails, Value, plain
from cmdserver_probe.run import Run

#: Many renew 30 days before the end, or when a third of the life is left: who has 14 left has failed to for a while.
WARNING_DAYS, CRITICAL_DAYS = 14.0, 7.0
_DAY_SECONDS = 86400
_NAMES = 10

_From = TypeVar("_From")
_Read = TypeVar("_Read")


class MeteredTLSSocket(ssl.SSLSocket):
    """As `connection.MeteredSocket`, with TLS."""

    received = 0

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read, as every socket does."""
        data = super().recv(buflen, flags)
        self.received = meter(self.received, len(data))
        return data

    def recv_into(self, buffer: bytearray, nbytes: int | None = None, flags: int = 0) -> int:  # type: ignore[override]
        """Read, as every socket does."""
        count = super().recv_into(buffer, nbytes, flags)
        self.received = meter(self.received, count)
        return count


def context(run: Run) -> ssl.SSLContext:
    """Make a context that accepts what the options say.

    Raises:
        CannotTell: There is no such file of authorities, or it has none.
    """
    path = run.options.ca_file
    try:
        made = ssl.create_default_context(cafile=path)
    except OSError as error:
        raise CannotTell(f"--ca-file {path}: {describe(error)}") from None
    made.sslsocket_class = MeteredTLSSocket
    if run.options.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def handshake(run: Run, sock: MeteredSocket) -> ssl.SSLSocket:
    """Start TLS on a connection; as a step."""
    made = context(run)
    with run.steps.step("tls"):
        wrapped = made.wrap_socket(sock, server_hostname=run.server_name)
        examine(run, wrapped)
    return wrapped


def examine(run: Run, sock: ssl.SSLSocket) -> None:
    """Note what TLS has shown of the target.

    OpenSSL reads more certificates than cryptography does. What it has verified is good, whatever words are in it.

    Raises:
        ProbeFailed: A certificate cannot be read; of a chain that was verified, more than its names.
    """
    now = datetime.now(UTC)
    run.sockets.append(sock)
    is_verified = not run.options.insecure
    certificates = [_read(x509.load_der_x509_certificate, each) for each in chain(sock)]
    first_to_end = min(certificates, key=lambda each: each.not_valid_after_utc)
    ends = first_to_end.not_valid_after_utc
    run.tls = TLSDetails(
        version=sock.version() or "",
        cipher=(sock.cipher() or ("",))[0],
        is_verified=is_verified,
        names=_read(names_of, certificates[0], instead=[] if is_verified else None),
        ends=ends.isoformat(),
        days=(ends - now).total_seconds() / _DAY_SECONDS,
        chain=[_read(_subject_of, each, instead="[cannot be read]" if is_verified else None) for each in certificates],
    )
    run.is_encrypted = True


def _read(read: Callable[[_From], _Read], source: _From, *, instead: _Read | None = None) -> _Read:
    """Read something of a certificate; say ``instead`` if it cannot be read."""
    try:
        return read(source)
    except Exception as error:  # noqa: BLE001  (cryptography's have no class in common, and none of them is promised)
        if instead is not None:
            return instead
        raise ProbeFailed(f"its certificate cannot be read ({shown(str(error))})") from None


def _subject_of(certificate: x509.Certificate) -> str:
    return shown(certificate.subject.rfc4514_string())


def chain(sock: ssl.SSLSocket) -> list[bytes]:
    """List the certificates that were verified, or without that, those that the target sent; the target's own first.

    Before Python 3.13 it is the object within the socket that knows them.
    """
    name = "get_verified_chain" if sock.context.verify_mode == ssl.CERT_REQUIRED else "get_unverified_chain"
    known = getattr(sock, name, None) or getattr(getattr(sock, "_sslobj", None), name, None)
    found = known() if known is not None else None
    octets = [
        each if isinstance(each, bytes) else ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found or ()
    ]
    own = sock.getpeercert(binary_form=True)
    return octets or ([own] if own else [])


def names_of(certificate: x509.Certificate) -> list[str]:
    """Name whom a certificate is for."""
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [shown(str(each.value)) for each in common[:_NAMES]]
    names = [shown(str(each.value)) for each in alternative]
    more = len(names) - _NAMES
    return [*names[:_NAMES], f"[{more} more]"] if more > 0 else names


def add_days(run: Run, finding: Finding) -> Finding:
    """Add what the certificate has to say to what was found otherwise, if that is asked for."""
    details, options = run.tls, run.options
    if details is None:
        return finding
    warning, critical = options.warning_days, options.critical_days
    state = finding.state
    if critical is not None and details.days < critical:
        state = max(state, State.CRITICAL)
    elif warning is not None and details.days < warning:
        state = max(state, State.WARNING)
    value = Value(
        round(details.days, 2),
        warning="" if warning is None else f"{plain(warning)}:",
        critical="" if critical is None else f"{plain(critical)}:",
        minimum="",
    )
    text = finding.text
    if state is not finding.state:
        text = f"{text}, the certificate ends in {details.days:.1f} days"
    return Finding(text, state, values={**finding.values, "certificate_days": value}, lines=finding.lines)
