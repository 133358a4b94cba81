"""Bars this process from starting programs and from reaching into others or the kernel, for good (seccomp(2)).

The filter is a denylist, of what whoever has taken the daemon over would begin with: other programs, other processes,
and those parts of the kernel that are for administrators and that most of its flaws are found in (user namespaces,
io_uring, BPF, userfaultfd, keyrings). Everything that a Python program may need besides is left alone. Where the kernel
or the machine is not one that we know, nothing is barred.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping

from msgspec import Struct

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
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET; NEWTIME is for clone3 alone.
_CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
#: Numbers of the x32 ABI, which has every system call a second time.
_X32 = 0x40000000


#: What is barred, with its numbers on x86-64 and on AArch64 (``asm/unistd_64.h``, ``asm-generic/unistd.h``).
BARRED: Mapping[str, tuple[int | None, int | None]] = {
    # Starting programs.
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Namespaces, in which one is root, and file systems.
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "fanotify_init": (300, 262),
    # What most flaws of the kernel are found in.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # The kernel itself, and the host.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
}


#: What is barred besides where nothing is to be said to anybody.
NETWORK: Mapping[str, tuple[int, int]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
}


class Machine(Struct, frozen=True):
    """What system calls are called on a kind of machine (``asm/unistd.h``)."""

    architecture: int
    seccomp: int
    clone: int
    clone3: int
    barred: tuple[int, ...]
    network: tuple[int, ...]


_MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        0xC000003E,
        317,
        56,
        435,
        tuple(each for each, _ in BARRED.values() if each is not None),
        tuple(each for each, _ in NETWORK.values()),
    ),
    "aarch64": Machine(
        0xC00000B7,
        277,
        220,
        435,
        tuple(each for _, each in BARRED.values() if each is not None),
        tuple(each for _, each in NETWORK.values()),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def bar_programs(*, with_network: bool = False) -> None:
    """Let no thread of this process start a program or a process, or look into one, from here on.

    What is barred fails with EPERM. It takes no_new_privs, or root.

    Args:
        with_network: Bar `NETWORK`, too.

    Raises:
        OSError: This kernel or this machine does not do it.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter is known for {os.uname().machine}")
    instructions = filter_for(machine, machine.network if with_network else ())
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(program)):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def filter_for(machine: Machine, more: tuple[int, ...] = ()) -> bytes:
    """Make the filter, 8 bytes an instruction; ``more`` is barred, too."""
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
    for number in (*machine.barred, *more):
        lines += [_instruction(_EQUAL, number, 0, 1), refuse]
    lines += [
        _instruction(_EQUAL, machine.clone, 0, 4),
        _instruction(_LOAD, _ARGUMENT_AT),
        _instruction(_BIT, _CLONE_NEW, 1, 0),
        _instruction(_BIT, _CLONE_THREAD, 1, 0),
        refuse,
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(lines)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
