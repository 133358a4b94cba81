"""Start a process without listing descriptors and without ever forking: Twisted's own Process, spawned our way.

Why not the reactor's spawnProcess: for each child it lists and queries every open descriptor (1875 commands a second
with none open, 65 with 10,000), leaves the child in the daemon's process group, and forks the whole daemon in Python
as soon as a user or a directory is given. Here a child gets three ``dup2`` actions and a session of its own; all other
descriptors are close-on-exec (`cmdserver.process` sees to those that we were started with).

Rule of this file: it knows nothing of commands, limits or callers.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from twisted.internet.process import Process
from zope.interface import implementer

#: Whatever the daemon ignores (Python ignores SIGPIPE, nohup SIGHUP) a child must not ignore.
_ALL_SIGNALS = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})


class SpawnedProcess(Process):
    """A child of ours: leader of its own session and process group, with standard streams and nothing else.

    It rests on one private hook of Twisted's, ``_trySpawnInsteadOfFork``; ``tests/test_spawning.py`` fails if a new
    Twisted stops calling it. Should it come to that, `_fork` raises: the daemon is never forked.
    """

    def _trySpawnInsteadOfFork(
        self,
        path: str | None,
        uid: int | None,
        gid: int | None,
        executable: str,
        args: list[str],
        environment: Mapping[str, str],
        kwargs: Mapping[str, dict[int, int]],
    ) -> bool:
        if path is not None or uid is not None or gid is not None:
            message = "a directory or another user needs a fork, and the daemon is never forked"
            raise ValueError(message)
        self.pid = os.posix_spawn(
            executable,
            args,
            environment,
            # All sources are above 2 (process.isolate_descriptors), so no action overwrites the source of another.
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in kwargs["fdmap"].items()],
            setsid=True,
            setsigmask=(),
            setsigdef=_ALL_SIGNALS,
        )
        self.status = -1
        return True

    def _setupChild(self, *_args: object, **_kwargs: object) -> None:
        message = "the daemon is never forked"
        raise AssertionError(message)


@implementer(IReactorProcess)
class Spawner:
    """An `IReactorProcess` whose children get /dev/null as standard input and two pipes.

    Args:
        reactor: Watches the pipes.
        descriptor_limit: RLIMIT_NOFILE for children, soft and hard; None for the daemon's own.
    """

    def __init__(self, reactor: Any, descriptor_limit: tuple[int, int] | None = None) -> None:
        self._reactor = reactor
        self._descriptor_limit = descriptor_limit
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = None,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | tuple[Any, ...] = False,  # noqa: FBT001, FBT002 - IReactorProcess has it so
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        """Start ``args`` with exactly the environment ``env``.

        Raises:
            OSError: At once, whatever the kernel said: no such file, no permission, too many processes or descriptors.
            ValueError: For a directory, user, terminal or descriptors: those would need a fork.
        """
        if usePTY or childFDs is not None:
            message = "children get /dev/null and two pipes, nothing else"
            raise ValueError(message)
        process = SpawnedProcess(
            self._reactor,
            executable,
            args,
            env or {},
            path,
            processProtocol,
            uid,
            gid,
            {0: self._null, 1: "r", 2: "r"},
        )
        if self._descriptor_limit is not None and process.pid is not None:
            with contextlib.suppress(OSError):  # it is gone already
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, self._descriptor_limit)
        return process
