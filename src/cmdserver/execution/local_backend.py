"""Starts commands in the daemon itself: where there is to be no runner process (``[runner] process = false``)."""

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from zope.interface import implementer

from cmdserver.core.model import Command

Start = Callable[[IProcessProtocol, str, Sequence[str | bytes], Mapping[str, str], bytes | None], IProcessTransport]


@implementer(IReactorProcess)
class LocalBackend:
    """An `IReactorProcess` whose executables are names of the allow-list.

    Args:
        start: Starts a process, of a protocol, a path, arguments with the name before them, and an environment.
        commands: The allow-list as it is now, by name.
    """

    def __init__(self, start: Start, commands: Callable[[], Mapping[str, Command]]) -> None:
        self._start = start
        self._commands = commands

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        *_unused: object,
        **_also_unused: object,
    ) -> IProcessTransport:
        """Start a command.

        Raises:
            OSError: The process cannot be started.
            BadValues: The words are no values of the command's.
        """
        command = self._commands()[str(executable)]
        argv, environment, stdin = command.invocation(list(map(str, args[1:])))
        wrapped = (*_wrapper(command), *argv)
        return self._start(processProtocol, wrapped[0], wrapped, environment, stdin)


def _wrapper(command: Command) -> tuple[str, ...]:
    """Put before a command what becomes its user and goes to its directory: we could only do that after a fork."""
    prefix: tuple[str, ...] = ()
    if command.controls.uid is not None:
        become = (f"--reuid={command.controls.uid}", f"--regid={command.controls.gid}", "--clear-groups")
        prefix = ("/usr/bin/setpriv", *become, "--")
    if command.working_directory != "/":
        prefix += ("/usr/bin/env", f"--chdir={command.working_directory}", "--")
    return prefix
