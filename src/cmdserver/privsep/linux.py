"""System calls of Linux that Python has no function for: prctl(2), capset(2) and signalfd(2)."""

import ctypes
import os
import signal
from collections.abc import Collection
from enum import IntEnum

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36

#: _LINUX_CAPABILITY_VERSION_3 of capset(2): two words of 32 bits for each set.
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.prctl.restype = ctypes.c_int


class Capability(IntEnum):
    """Of capabilities(7), those that starting programs as other users takes."""

    DAC_READ_SEARCH = 2
    KILL = 5
    SETGID = 6
    SETUID = 7
    SYS_NICE = 23
    SYS_RESOURCE = 24


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def blocked_signals(number: signal.Signals) -> int:
    """Block a signal, and make a descriptor that is readable when it has come, and non-blocking (signalfd(2)).

    To whoever reads it tells of the signals of that process; a read takes them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    mask = (ctypes.c_uint64 * 16)(1 << (number - 1))
    descriptor = int(_libc.signalfd(-1, ctypes.byref(mask), os.O_CLOEXEC | os.O_NONBLOCK))
    if descriptor < 0:
        _fail("signalfd")
    return descriptor


def refuse_new_privileges() -> None:
    """Let nothing that is executed from here on gain privileges, by a set-user-ID bit, say; for good, and inherited."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (child subreaper)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Be sent a signal when the parent dies; at once if it has died already.

    Forgotten by a fork, and when the process changes its user: to be called last of all. ``parent`` is whom we take for
    ours.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def hide_memory() -> None:
    """Let nobody but root trace us or read our memory, processes of our own user included (no core dumps, either)."""
    _prctl(_PR_SET_DUMPABLE, 0)


def keep_capabilities(kept: Collection[Capability]) -> None:
    """Give up all capabilities but these, for good; a program that is executed later gets no others, as root either.

    Who has none has none to give up.

    Raises:
        OSError: The kernel refuses.
    """
    for number in range(_LAST_CAPABILITY + 1):
        if number not in kept:
            try:
                _prctl(_PR_CAPBSET_DROP, number)
            except OSError:  # the kernel knows fewer, or we have none
                break
    words = (_Words * 2)()
    for capability in kept:
        words[capability // 32].effective |= 1 << (capability % 32)
        words[capability // 32].permitted |= 1 << (capability % 32)
    if _libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION, 0)), words):
        _fail("capset")


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0):
        _fail("prctl")


def _fail(call: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{call}: {os.strerror(number)}")
