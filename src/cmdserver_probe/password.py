"""The password of a login: from a file, and to nobody who could be another."""

import os
import stat
from contextlib import suppress

from cmdserver_probe.errors import CannotTell, ProbeFailed, describe
from cmdserver_probe.run import Run

#: How much of a file is looked at, in octets.
READ_OCTETS = 4096
_OTHERS = stat.S_IRWXO


def read_password(run: Run) -> None:
    """Read the password file, if there is one.

    Raises:
        CannotTell: It cannot be read, or there is no password in it.
    """
    path = run.options.password_file
    if path is None:
        return
    try:
        mode, octets = _read(path)
        text = octets.decode()
    except OSError as error:
        raise CannotTell(f"--password-file {path}: {describe(error)}") from None
    except UnicodeDecodeError:
        raise CannotTell(f"--password-file {path}: it is not UTF-8") from None
    run.password = text.split("\n", 1)[0].removesuffix("\r")
    if not run.password or not run.password.isprintable() or len(octets) == READ_OCTETS:
        what = "its first line is empty" if not run.password else "its first line is no password"
        raise CannotTell(f"--password-file {path}: {what}")
    if mode & _OTHERS:
        run.notes.append(f"warning: every user of this host may read {path} (mode {stat.S_IMODE(mode):o}); chmod o= it")


def may_be_sent(run: Run) -> None:
    """See that nobody on the way, and nobody who only says to be the target, is told the password.

    Raises:
        ProbeFailed: There is no TLS, it is not for this host itself, and nobody says that it does not matter.
    """
    if not (run.is_encrypted or run.is_loopback or run.options.insecure):
        how = "https" if run.options.kind == "http" else "--tls, --starttls"
        raise ProbeFailed(f"the password is not sent: there is no TLS ({how}, or --insecure to send it all the same)")


def _read(path: str) -> tuple[int, bytes]:
    # Not to wait for a writer of a FIFO; what has nothing to read is empty.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        octets = b""
        with suppress(BlockingIOError):
            octets = os.read(descriptor, READ_OCTETS)
        return os.fstat(descriptor).st_mode, octets
    finally:
        os.close(descriptor)
