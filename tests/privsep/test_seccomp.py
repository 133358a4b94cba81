"""Tests of what bars the daemon from starting programs: the filter's logic, and a process that has barred itself."""

import errno
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep import seccomp
from cmdserver.privsep.seccomp import BARRED, NETWORK, Machine, filter_for
from tests.waiting import LIMIT_SECONDS

_ALLOWED = 0x7FFF0000
_REFUSED = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS

_CLONE_THREAD = 0x00010000
#: What glibc's pthread_create asks for, and what its fork does: SIGCHLD and two flags for the thread's number.
_THREAD_FLAGS = 0x003D0F00
_FORK_FLAGS = 0x01200011
#: CLONE_VM | CLONE_VFORK | SIGCHLD.
_SPAWN_FLAGS = 0x00004111


def _interpret(program: bytes, number: int, architecture: int, argument: int = 0) -> int:
    """Run a filter as the kernel does: seccomp(2), and the classic BPF of ``linux/filter.h``."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, argument, 0, 0, 0, 0, 0)
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = instructions[at]
        at += 1
        match code:
            case 0x20:  # ld [k]
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x15:  # jeq
                at += if_true if accumulator == value else if_false
            case 0x35:  # jge
                at += if_true if accumulator >= value else if_false
            case 0x45:  # jset
                at += if_true if accumulator & value else if_false
            case 0x06:  # ret
                result: int = value
                return result
            case _:
                raise AssertionError(code)


def _machines() -> Iterator[tuple[Machine, bytes]]:
    for machine in seccomp._MACHINES.values():
        yield machine, filter_for(machine)


#: The kernel's own tables, where its headers are installed, by machine: only one of them need be this one's.
_HEADERS: Mapping[str, str] = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


def _numbers(machine: str) -> Mapping[str, int]:
    """Read a table of system calls; empty where there is none."""
    try:
        text = Path(_HEADERS[machine]).read_text("ascii")
    except FileNotFoundError:
        return {}
    return {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)}


class FilterTests(SynchronousTestCase):
    """The filter, by an interpreter of its own."""

    def test_what_is_barred_is_refused(self) -> None:
        """On each machine every call that starts a program or reaches too far gives EPERM."""
        for name, (x86_64, aarch64) in BARRED.items():
            for machine, number in (("x86_64", x86_64), ("aarch64", aarch64)):
                if number is not None:
                    known = seccomp._MACHINES[machine]
                    said = _interpret(filter_for(known), number, known.architecture)
                    self.assertEqual(said, _REFUSED, f"{name} on {machine}")

    def test_numbers_are_the_kernels(self) -> None:
        """Each call has the number that the kernel's headers give it, or none where they have none."""
        for index, machine in enumerate(("x86_64", "aarch64")):
            numbers = _numbers(machine)
            if numbers:
                ours = {name: both[index] for name, both in BARRED.items()}
                self.assertEqual(ours, {name: numbers.get(name) for name in BARRED}, machine)
                known = seccomp._MACHINES[machine]
                calls = (known.seccomp, known.clone, known.clone3)
                self.assertEqual(calls, tuple(numbers[each] for each in ("seccomp", "clone", "clone3")))

    def test_the_network_is_barred_where_that_is_asked_for(self) -> None:
        """For who has nothing to say to anybody; others go on speaking."""
        for index, machine in enumerate(("x86_64", "aarch64")):
            known = seccomp._MACHINES[machine]
            numbers = _numbers(machine)
            for name, both in NETWORK.items():
                if numbers:
                    self.assertEqual(both[index], numbers[name], f"{name} on {machine}")
                both_filters = (filter_for(known), filter_for(known, known.network))
                said = [_interpret(each, both[index], known.architecture) for each in both_filters]
                self.assertEqual(said, [_ALLOWED, _REFUSED], f"{name} on {machine}")
            for number in known.barred:
                said = [_interpret(filter_for(known, known.network), number, known.architecture)]
                self.assertEqual(said, [_REFUSED])
        self.assertLessEqual({"socket", "connect", "kill"}, set(NETWORK))

    def test_nothing_is_left_out(self) -> None:
        """What a taken-over process would begin with is in the list, on both machines if they have it."""
        must = """
            execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
            unshare setns chroot pivot_root mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick
            mount_setattr open_by_handle_at bpf perf_event_open userfaultfd add_key request_key keyctl io_uring_setup
            io_uring_enter io_uring_register kexec_load kexec_file_load init_module finit_module delete_module swapon
            swapoff reboot iopl ioperm
        """
        self.assertEqual(set(must.split()) - set(BARRED), set())
        self.assertEqual(
            {name for name, (_, aarch64) in BARRED.items() if aarch64 is None},
            {"fork", "vfork", "iopl", "ioperm", "modify_ldt"},
        )

    def test_everything_else_is_allowed(self) -> None:
        """Of all numbers that there are, those that are barred, clone and clone3 are the only ones not just allowed."""
        for machine, program in _machines():
            others = {number for number in range(600) if _interpret(program, number, machine.architecture) != _ALLOWED}
            self.assertEqual(others, {*machine.barred, machine.clone, machine.clone3})

    def test_threads_may_be_made(self) -> None:
        """``clone`` is allowed with CLONE_THREAD, and refused with whatever makes a process."""
        for machine, program in _machines():
            for flags in (_THREAD_FLAGS, _CLONE_THREAD, 0xFFFF_FFFF_0000_0000 | _THREAD_FLAGS):
                self.assertEqual(_interpret(program, machine.clone, machine.architecture, flags), _ALLOWED)
            for flags in (0, 17, _FORK_FLAGS, _SPAWN_FLAGS, _CLONE_THREAD << 32, 0xFFFFFFFF & ~_CLONE_THREAD):
                self.assertEqual(_interpret(program, machine.clone, machine.architecture, flags), _REFUSED)

    def test_threads_have_no_namespaces_of_their_own(self) -> None:
        """``clone`` is refused with each flag that makes a namespace, thread or not."""
        for machine, program in _machines():
            for flag in (1 << 17, *(1 << bit for bit in range(25, 31))):
                for flags in (flag, flag | _CLONE_THREAD, flag | _THREAD_FLAGS):
                    self.assertEqual(_interpret(program, machine.clone, machine.architecture, flags), _REFUSED)

    def test_clone3_is_not_there(self) -> None:
        """Its flags are in memory, which a filter does not see: the C library is told to use clone."""
        for machine, program in _machines():
            self.assertEqual(_interpret(program, machine.clone3, machine.architecture), _UNKNOWN)

    def test_other_architectures_are_refused(self) -> None:
        """Another ABI of the same kernel (32 bits, x32) has other numbers, so nothing of it is allowed."""
        for machine, program in _machines():
            for architecture in (0x40000003, 0x40000028, 0, machine.architecture ^ 1):
                self.assertEqual(_interpret(program, 0, architecture), _REFUSED)
            for number in (0x40000000, 0x40000000 | 59, 0xFFFFFFFF):
                self.assertEqual(_interpret(program, number, machine.architecture), _REFUSED)


_BARRED = """
import ctypes, json, os, subprocess, threading
from cmdserver.privsep.linux import refuse_new_privileges
from cmdserver.privsep.seccomp import bar_programs

waiting, told = threading.Event(), []
def attempt(call):
    try:
        call()
    except OSError as error:
        return error.errno
    return 0
earlier = threading.Thread(target=lambda: (waiting.wait(), told.append(attempt(os.fork))))
earlier.start()
refuse_new_privileges()
bar_programs()
said = {
    "fork": attempt(os.fork),
    "execve": attempt(lambda: os.execve("/bin/true", ["true"], {})),
    "posix_spawn": attempt(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "subprocess": attempt(lambda: subprocess.run(["/bin/true"])),
}
libc = ctypes.CDLL(None, use_errno=True)
said["ptrace"] = ctypes.get_errno() if libc.ptrace(16, os.getppid(), 0, 0) == -1 else 0
waiting.set()
earlier.join()
said["in a thread from before"] = told[0]
later = threading.Thread(target=told.append, args=("ran",))
later.start()
later.join()
said["later thread"] = told[-1]
said["files"] = open("/proc/self/status").read().count("Seccomp:\\t2")
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="seccomp(2) is Linux's")
def test_a_barred_process_starts_nothing() -> None:
    """Fork, exec and spawn give EPERM in all its threads, older ones too; new threads can be made and files read."""
    done = subprocess.run([sys.executable, "-c", _BARRED], capture_output=True, timeout=LIMIT_SECONDS, check=False)

    assert done.stderr == b""
    said = json.loads(done.stdout)
    assert said == {
        **dict.fromkeys(("fork", "execve", "posix_spawn", "subprocess", "ptrace"), errno.EPERM),
        "in a thread from before": errno.EPERM,
        "later thread": "ran",
        "files": 1,
    }


#: As nobody in particular: a filter that lets something through is to do no harm.
_EACH = """
import ctypes, json, os
from cmdserver.privsep import seccomp
from cmdserver.privsep.linux import refuse_new_privileges

if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(61184, 61184, 61184)
    os.setresuid(61184, 61184, 61184)
refuse_new_privileges()
seccomp.bar_programs()
libc = ctypes.CDLL(None, use_errno=True)
index = ["x86_64", "aarch64"].index(os.uname().machine)
print(json.dumps({
    name: ctypes.get_errno() if libc.syscall(numbers[index], 0, 0, 0, 0, 0, 0) == -1 else 0
    for name, numbers in seccomp.BARRED.items() if numbers[index] is not None
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="seccomp(2) is Linux's")
def test_each_call_is_refused() -> None:
    """The kernel says EPERM to each of them."""
    done = subprocess.run([sys.executable, "-c", _EACH], capture_output=True, timeout=LIMIT_SECONDS, check=False)

    assert done.stderr == b""
    said = json.loads(done.stdout)
    assert len(said) > 40
    assert {name: number for name, number in said.items() if number != errno.EPERM} == {}
