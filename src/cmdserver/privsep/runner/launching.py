"""Starts a command's process, and applies to it, before it runs, all that the configuration says of it.

There are two ways. `fork` lets us do anything to the child, and costs a copy of our page tables: half a millisecond,
as much as a third of what ``uptime`` itself costs. ``posix_spawn`` costs nothing, but can only do what POSIX has
foreseen. So it is for commands of which nothing else is said, and which were over quickly the last time and left nobody
behind: what it cannot do for them is the parent-death signal and the control group. They hardly live long enough to
need the one, and the other would not hold them: they run as we do, and may write to the file that moves them out.

Rule: it waits for no child: a forked one may be stopped by its user, or hang in a file system, before it is the
program. (posix_spawn does wait, in the kernel, for the same file system alone, and for a command that was quick a
moment ago; should that go wrong, the standby notices.)
"""

import errno
import os
import resource
import signal
from collections.abc import Mapping
from typing import NoReturn, TypeAlias

from msgspec import Struct

from cmdserver.core.model import Command, Controls
from cmdserver.execution.posix import become, ignored_signals, output_pipes, standard_input
from cmdserver.execution.spawning import spawn
from cmdserver.parameters.template import Invocation
from cmdserver.privsep import linux, process_tags
from cmdserver.privsep.runner.control_groups import ControlGroup, ControlGroups
from cmdserver.privsep.runner.resource_limits import set_resource_limits

#: A command whose last run was over within this is started by posix_spawn.
SHORT_LIVED_SECONDS = 0.1

_PLAIN = Controls()

#: Our own standard input, which is /dev/null: whoever started us has seen to that.
_NULL = 0

#: What is to be standard input, standard output and standard error.
Descriptors: TypeAlias = tuple[int, int, int]


class Launched(Struct, frozen=True):
    """A process, leader of its own session or about to be, and the ends of its output that are read."""

    pid: int
    stdout: int
    stderr: int
    #: To be asked by `has_begun` whether it is the program yet; None: it is.
    complaint: int | None = None
    #: What it and its descendants are in; None: in ours.
    group: ControlGroup | None = None


def has_begun(complaint: int) -> bool:
    """Whether a process that was forked is the program by now, or has died before; never waits.

    Raises:
        OSError: It cannot be, for the reason that the kernel gave it, and ends by itself.
    """
    try:
        said = os.read(complaint, 16)
    except BlockingIOError:
        return False
    if said:
        number = int(said)
        raise OSError(number, os.strerror(number))
    return True


class Launcher:
    """Starts processes whose standard input is what the command says, or /dev/null.

    Args:
        descriptor_limit: RLIMIT_NOFILE for them, soft and hard; None for our own.
        groups: Makes a control group for each that is forked; None: there are none on this host.
    """

    def __init__(self, descriptor_limit: tuple[int, int] | None = None, groups: ControlGroups | None = None) -> None:
        self._descriptor_limit = descriptor_limit
        self._groups = groups
        #: In a tuple, as `spawn` prepares starts for it once.
        self._ignored = tuple(ignored_signals())

    def launch(self, command: Command, invocation: Invocation, tag: int, *, is_short_lived: bool) -> Launched:
        """Start a command; ``is_short_lived``: it was over quickly the last time, and left nobody behind.

        Raises:
            OSError: Whatever the kernel said: too many processes or descriptors. What keeps a forked process from
                becoming the program is told by `has_begun`.
        """
        argv = [os.fsencode(invocation.argv[0]), *map(str.encode, invocation.argv[1:])]  # whatever our locale is
        is_plain = _is_plain(command) and self._descriptor_limit is None
        start = self._spawn if is_short_lived and is_plain else self._fork
        environment = {name.encode(): value.encode() for name, value in invocation.environment.items()}
        with standard_input(invocation.stdin, _NULL) as to_read, output_pipes() as pipes:
            descriptors = (to_read, pipes.stdout_end, pipes.stderr_end)
            pid, complaint, group = start(command, argv, environment, descriptors, tag)
        return Launched(pid, pipes.stdout, pipes.stderr, complaint, group)

    def _spawn(
        self, _: Command, argv: list[bytes], environment: Mapping[bytes, bytes], descriptors: Descriptors, tag: int
    ) -> tuple[int, None, None]:
        process_tags.tag_self(tag)
        try:
            pid = spawn(argv[0], argv, environment, dict(enumerate(descriptors)), self._ignored)
        finally:
            process_tags.untag_self()
        return pid, None, None

    def _fork(
        self,
        command: Command,
        argv: list[bytes],
        environment: Mapping[bytes, bytes],
        descriptors: Descriptors,
        tag: int,
    ) -> tuple[int, int, ControlGroup | None]:
        # Close-on-exec: the end of it, without a word, is the program's beginning.
        complaint, complaint_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        group = None
        # We ignore it, and so does the child at first; but what is blocked is kept for the program, ignored or not.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            group = self._groups.make() if self._groups is not None else None
            parent = os.getpid()
            pid = os.fork()
            if not pid:
                self._become(command, argv, environment, descriptors, tag, parent, complaint_end, group)
        except BaseException:
            os.close(complaint)
            if group is not None:
                group.remove()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(complaint_end)
            if group is not None:
                group.close_entrance()
        return pid, complaint, group

    def _become(
        self,
        command: Command,
        argv: list[bytes],
        environment: Mapping[bytes, bytes],
        descriptors: Descriptors,
        tag: int,
        parent: int,
        complaint: int,
        group: ControlGroup | None,
    ) -> NoReturn:
        """In the child: become the program, or say why not; in no case return."""
        number = errno.ENOEXEC
        try:
            os.setsid()
            if group is not None:
                group.enter()  # while we are still who may
            for target, source in enumerate(descriptors):
                os.dup2(source, target)
            for each in self._ignored:
                signal.signal(each, signal.SIG_DFL)
            if self._descriptor_limit is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._descriptor_limit)
            control(command.controls, tag)
            os.chdir(command.working_directory)  # as whoever we are by now
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            linux.die_with_parent(signal.SIGKILL, parent)
            os.execve(argv[0], argv, environment)  # noqa: S606 - without a shell is how we want it
        except OSError as error:
            number = error.errno or number
        except MemoryError:  # its own limit keeps it from beginning
            number = errno.ENOMEM
        finally:
            os.write(complaint, b"%d" % number)
            os._exit(127)


def control(controls: Controls, tag: int) -> None:
    """Apply to ourselves what is said of a command; what only root may do before we are not root any more."""
    os.umask(controls.umask)
    if controls.nice:
        os.setpriority(os.PRIO_PROCESS, 0, controls.nice)
    process_tags.tag_self(tag)
    set_resource_limits(controls.limits)
    if controls.uid is not None and controls.gid is not None:
        become(controls.uid, controls.gid)


def _is_plain(command: Command) -> bool:
    """Whether nothing is said of a command that posix_spawn cannot do; the runner itself is in / and has our umask."""
    return command.controls == _PLAIN and command.working_directory == "/"
