"""Start commands in the daemon itself: for where there is to be no runner process (``[runner] process = false``).

Rule of this file: it is asked for names, like the runner process, and knows what they stand for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from zope.interface import implementer

from cmdserver.core.model import Command


@implementer(IReactorProcess)
class LocalBackend:
    """An `IReactorProcess` whose executables are names of the allow-list.

    Args:
        spawner: Starts processes by path.
        commands: The allow-list as it is now, by name.
    """

    def __init__(self, spawner: IReactorProcess, commands: Callable[[], Mapping[str, Command]]) -> None:
        self._spawner = spawner
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

        Args:
            processProtocol: Is told what happens.
            executable: The command's name.
            args: The name again, and then arguments.

        Raises:
            OSError: The process cannot be started.
        """
        command = self._commands()[str(executable)]
        argv: list[Any] = [*_wrapped(command), *args[1:]]
        return self._spawner.spawnProcess(processProtocol, argv[0], argv, dict(command.environment))


def _wrapped(command: Command) -> tuple[str, ...]:
    """Put before a command what becomes its user and goes to its directory: we could only do that after a fork."""
    prefix: tuple[str, ...] = ()
    if command.controls.uid is not None:
        authenticator = (f"--reuid={command.controls.uid}", f"--regid={command.controls.gid}", "--clear-groups")
        prefix = ("/usr/bin/setpriv", *authenticator, "--")
    if command.working_directory != "/":
        prefix += ("/usr/bin/env", f"--chdir={command.working_directory}", "--")
    return (*prefix, *command.argv)
