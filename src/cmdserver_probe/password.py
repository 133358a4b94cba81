"""The password of a login: from a file, and to nobody who could be another."""

import os
import stat
from binascii import b2a_base64
from contextlib import suppress

from cmdserver_probe.errors import CannotTell, ProbeFailed, describe
from cmdserver_probe.printable import shown
from cmdserver_probe.run import Run

#: How much of a file is looked at, in octets.
READ_OCTETS = 4096
_OTHERS = stat.S_IRWXO
#: A password of fewer letters is in every other word.
_WORTH_HIDING = 4


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


def hidden(run: Run, said: str) -> str:
    """Take a password out of what is printed: somebody who is told one may repeat it.

    What is looked for is in ``docs/probe.md``. Whatever else a target makes of it, or a piece of it, stays.
    """
    if len(run.password) < _WORTH_HIDING:
        return said
    # The longest first: they have others in them.
    for form in sorted(_forms(run.options.user or "", run.password), key=len, reverse=True):
        said = said.replace(form, "***")
    return said


def _forms(user: str, password: str) -> set[str]:
    """List how a password is sent and shown; none is so short that it is in every other word."""
    quoted = password.replace("\\", r"\\").replace('"', r"\"")  # IMAP (RFC 9051, section 4.3)
    # The standard library's clients show octets that they do not understand as Python writes them.
    plain = {form for each in (password, quoted) for form in (each, repr(each.encode())[2:-1])}
    # HTTP Basic (RFC 7617), AUTH LOGIN, and AUTH PLAIN (RFC 4616). Who repeats it may leave the padding out.
    encoded = {
        b2a_base64(each.encode(), newline=False).decode().rstrip("=")
        for each in (f"{user}:{password}", password, f"\0{user}\0{password}")
    }
    every = plain | {shown(each, len(each)) for each in plain} | encoded
    return {each for each in every if len(each) >= _WORTH_HIDING}


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
