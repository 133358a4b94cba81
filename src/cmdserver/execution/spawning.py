"""posix_spawn(3), with what is the same for many starts prepared once.

`os.posix_spawn` makes its file actions anew for each start, and glibc looks at RLIMIT_NOFILE twice for each descriptor
of them: six system calls beside the twenty that it takes to start a program and to hear of its end.

Rule: never a fork, and no Twisted; see `cmdserver.execution.posix`.
"""

import ctypes
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

#: Flags of ``spawn.h``, in glibc as in musl.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
#: Prepared starts that are remembered; a runner of a thousand processes has few hundred different descriptors.
_MOST_PREPARED: Final = 4096

_libc = ctypes.CDLL(None, use_errno=True)


class _Opaque(ctypes.Structure):
    """Room for ``posix_spawn_file_actions_t``, ``posix_spawnattr_t`` or ``sigset_t``; glibc's largest has 336 bytes."""

    _fields_ = (("room", ctypes.c_uint64 * 128),)


def spawn(
    path: str | bytes,
    argv: Sequence[str | bytes],
    environment: Mapping[Any, Any],
    descriptors: Mapping[int, int],
    defaults: Iterable[int],
) -> int:
    """Start a program, as the leader of a session of its own and with no signal blocked.

    The descriptors are ours, by the numbers that they get there. All others must be close-on-exec; and none of ours may
    be a number that was given before it. One that has its number already is left alone, and must not be close-on-exec.
    ``defaults`` are signals to be set back to their default actions. Texts are encoded as file names are.

    Raises:
        OSError: Whatever the kernel said: no such file, no permission, too many processes.
        ValueError: A word has a NUL in it, or a name of the environment an equals sign.
    """
    words = _words([_encoded(word) for word in argv])
    variables = []
    for name, value in environment.items():
        variables.append(b"%b=%b" % (_encoded(name), _encoded(value)))
        if b"=" in _encoded(name):
            raise ValueError(f"{name}: a name of the environment has an equals sign in it")
    pid = ctypes.c_int()
    number = _libc.posix_spawn(
        ctypes.byref(pid),
        _encoded(path),
        ctypes.byref(_actions(tuple(descriptors.items()))),
        ctypes.byref(_attributes(tuple(defaults))),
        words,
        _words(variables),
    )
    if number:
        raise OSError(number, os.strerror(number), path)
    return pid.value


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else os.fsencode(text)


def _words(words: Sequence[bytes]) -> "ctypes.Array[ctypes.c_char_p]":
    """Lay words out as execve(2) wants them."""
    if b"\0" in b"".join(words):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)


@lru_cache(maxsize=_MOST_PREPARED)
def _actions(descriptors: tuple[tuple[int, int], ...]) -> _Opaque:
    """Prepare where descriptors go. What glibc keeps beside it, some hundred bytes, is never given back."""
    actions = _Opaque()
    _require(_libc.posix_spawn_file_actions_init(ctypes.byref(actions)))
    for number, ours in descriptors:
        if number != ours:
            _require(_libc.posix_spawn_file_actions_adddup2(ctypes.byref(actions), ours, number))
    return actions


@lru_cache(maxsize=16)
def _attributes(defaults: tuple[int, ...]) -> _Opaque:
    """Prepare a session, no blocked signals, and default actions of some."""
    attributes, signals = _Opaque(), _Opaque()
    _require(_libc.posix_spawnattr_init(ctypes.byref(attributes)))
    _require(_libc.sigemptyset(ctypes.byref(signals)))
    _require(_libc.posix_spawnattr_setsigmask(ctypes.byref(attributes), ctypes.byref(signals)))
    for number in defaults:
        _require(_libc.sigaddset(ctypes.byref(signals), number))
    _require(_libc.posix_spawnattr_setsigdefault(ctypes.byref(attributes), ctypes.byref(signals)))
    flags = ctypes.c_short(_SETSID | _SETSIGMASK | _SETSIGDEF)
    _require(_libc.posix_spawnattr_setflags(ctypes.byref(attributes), flags))
    return attributes


def _require(number: int) -> None:
    if number:
        raise OSError(number if number > 0 else ctypes.get_errno(), "a start cannot be prepared")
