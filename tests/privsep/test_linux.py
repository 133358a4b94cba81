"""Tests of what Linux does with a process when it is asked to, each in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow


def _said(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "import os, signal\nfrom cmdserver.privsep import linux\n" + script],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def _status(name: str) -> str:
    return f"print([each.split()[1] for each in open('/proc/self/status') if each.startswith('{name}:')][0])\n"


def test_new_privileges_are_refused() -> None:
    """From then on, and in programs that are executed."""
    show = "os.execv('/bin/grep', ['grep', 'NoNewPrivs', '/proc/self/status'])"

    assert _said("linux.refuse_new_privileges()\n" + show) == "NoNewPrivs:\t1\n"


def test_orphans_are_adopted() -> None:
    """Whose parent dies becomes our child."""
    script = """
linux.adopt_orphans()
reading, writing = os.pipe()
if not os.fork():
    if not os.fork():
        os.read(reading, 1)
        os._exit(7)
    os._exit(0)
os.wait()
os.write(writing, b"x")
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert _said(script) == "7\n"


def test_a_parents_death_is_told() -> None:
    """By the signal that was asked for; and at once if it is dead already."""
    script = """
import sys
reading, writing = os.pipe()
if not os.fork():
    if not os.fork():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        parent = os.getppid()
        linux.die_with_parent(signal.SIGUSR1, parent)
        os.write(writing, b"x")
        print(signal.sigwait({signal.SIGUSR1}) == signal.SIGUSR1, os.getppid() == parent, flush=True)
        os._exit(0)
    os.read(reading, 1)
    os._exit(0)
linux.adopt_orphans()
os.wait()
"""
    assert _said(script) == "True False\n"
    late = (
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\nlinux.die_with_parent(signal.SIGUSR1, 1 << 30)\n"
    )
    assert _said(late + "print(signal.SIGUSR1 in signal.sigpending())") == "True\n"


def test_memory_is_hidden() -> None:
    """Its files in /proc are root's, so that nobody of the same user can open them."""
    assert _said("linux.hide_memory()\nprint(os.stat('/proc/self/environ').st_uid)") == "0\n"


def test_who_has_no_capabilities_gives_none_up() -> None:
    """To keep none is no error, for whomever."""
    assert _said("linux.keep_capabilities(set())\n" + _status("CapEff") + _status("CapPrm")).split() == ["0" * 16] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")
def test_capabilities_are_given_up() -> None:
    """What is kept is effective and permitted; what is not is gone for good, from the bounding set too."""
    show = "".join(map(_status, ("CapEff", "CapPrm", "CapInh", "CapBnd")))
    script = "linux.keep_capabilities({linux.Capability.KILL, linux.Capability.SETUID})\n"
    kept = f"{1 << 5 | 1 << 7:016x}"

    assert _said(script + show).split() == [kept, kept, "0" * 16, kept]
    assert _said(script + "try:\n    os.setgroups([1])\nexcept PermissionError:\n    print('refused')") == "refused\n"
