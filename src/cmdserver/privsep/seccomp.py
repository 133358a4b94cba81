"""Bar this process from starting programs, and from reaching into others, for good (seccomp(2)).

The filter is a denylist, of what whoever has taken the daemon over would begin with; everything that a Python program
may need besides is left alone. Where the kernel or the machine is not one that we know, nothing is barred.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_SET_MODE_FILTER = 1
#: For all threads of the process.
_FLAG_TSYNC = 1

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

#: struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits.
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16

# BPF: load a word, jump if equal, jump if not smaller, jump if a bit is set, return.
_LOAD, _EQUAL, _AT_LEAST, _BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_CLONE_THREAD = 0x00010000
#: Numbers of the x32 ABI, which has every system call a second time.
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class Machine:
    """What system calls are called on a kind of machine (``asm/unistd.h``)."""

    architecture: int
    seccomp: int
    clone: int
    clone3: int
    barred: tuple[int, ...]


_MACHINES: Mapping[str, Machine] = {
    # barred: execve, execveat, fork, vfork, ptrace, process_vm_readv, process_vm_writev, pidfd_getfd
    "x86_64": Machine(0xC000003E, 317, 56, 435, (59, 322, 57, 58, 101, 310, 311, 438)),
    # the same, without fork and vfork, which there are not
    "aarch64": Machine(0xC00000B7, 277, 220, 435, (221, 281, 117, 270, 271, 438)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def bar_programs() -> None:
    """Let no thread of this process start a program or a process, or look into one, from here on.

    What is barred fails with EPERM. It takes no_new_privs, or root.

    Raises:
        OSError: This kernel or this machine does not do it.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter is known for {os.uname().machine}")
    instructions = filter_for(machine)
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(program)):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def filter_for(machine: Machine) -> bytes:
    """Spell the filter, 8 bytes an instruction."""
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    lines = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, machine.architecture, 1, 0),
        refuse,
        _instruction(_LOAD, _NUMBER_AT),
        _instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
        # The C library falls back on clone, whose flags can be seen.
        _instruction(_EQUAL, machine.clone3, 0, 1),
        _instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for number in machine.barred:
        lines += [_instruction(_EQUAL, number, 0, 1), refuse]
    lines += [
        _instruction(_EQUAL, machine.clone, 0, 3),
        _instruction(_LOAD, _ARGUMENT_AT),
        _instruction(_BIT, _CLONE_THREAD, 1, 0),
        refuse,
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(lines)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
