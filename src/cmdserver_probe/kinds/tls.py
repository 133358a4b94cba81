"""A certificate: how long it is still valid, for whom it is, and who vouches for it."""

from cmdserver_probe import tls
from cmdserver_probe.connection import connect
from cmdserver_probe.report import Finding
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = ()


def probe(run: Run) -> Finding:
    """Connect; shake hands."""
    options = run.options
    if options.warning_days is None:
        options.warning_days = max(tls.WARNING_DAYS, options.critical_days or 0)
    if options.critical_days is None:
        options.critical_days = min(tls.CRITICAL_DAYS, options.warning_days)
    with connect(run) as sock, tls.handshake(run, sock):
        pass
    details = run.tls
    assert details is not None  # noqa: S101  (the handshake leaves it)
    # A certificate that was verified is for somebody, also if it cannot be read for whom.
    names = ", ".join(details.names) or (None if details.is_verified else "nobody")
    whose = f", for {names}" if names is not None else ""
    checked = "" if details.is_verified else ", not verified"
    return Finding(
        f"valid for {details.days:.1f} more days (until {details.ends}){whose}, {details.version}{checked}",
        lines=[f"certificate {number}: {subject}" for number, subject in enumerate(details.chain)],
    )
