"""The front end of an SSH listener: its host keys, and which clients are accepted."""

from collections.abc import Iterable
from shlex import quote
from typing import Any

from twisted.conch.ssh.keys import Key

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import FrontEndContext, FrontEndResources
from cmdserver.frontends.ssh.connection import SSHConnection
from cmdserver.frontends.ssh.kept_lines import KeptLines, LineHistory
from cmdserver.net.ssh_host_keys import HostKey, read_host_keys, require_host_keys

#: What sshd tells clients for whom there is no room. RFC 4253, section 4.2, allows lines before the version.
NOT_NOW = b"Not allowed at this time\r\n"


class SSHFrontEnd(FrontEnd):
    """What all connections of one SSH listener share; of its host keys the best comes first."""

    def __init__(
        self,
        listener_auth: ListenerAuth,
        context: FrontEndContext,
        host_keys: Iterable[HostKey],
        line_history: LineHistory,
    ) -> None:
        super().__init__(listener_auth, context)
        self._line_history = line_history
        keys = [Key(key) for key in host_keys]
        self.privateKeys = {key.sshType(): key for key in keys}
        self.publicKeys = {key.sshType(): key.public() for key in keys}

    def example(self, place: Place, trial: Trial) -> str | None:
        if place.is_proxied or trial.user is None:
            return None
        how = f"-o {quote(f'ProxyCommand=nc -U {quote(place.path)}')}" if place.path else f"-p {place.port}"
        return f"ssh {how} {trial.user}@{place.host} {trial.command or 'help'}"

    def connect(self, source: str, pending_login: PendingLogin) -> Any:
        return SSHConnection(self, source, pending_login, self._line_history)

    def refusal(self, refusal: Refusal, received: bytes) -> bytes:  # noqa: ARG002 - why is not for strangers
        return NOT_NOW


def make(
    listener_auth: ListenerAuth, context: FrontEndContext, resources: FrontEndResources, _certificate_of: object
) -> FrontEnd:
    """Make the front end of an SSH listener.

    Raises:
        CannotStart: The host keys cannot be read or made.
    """
    state_directory = resources.state_directory
    host_keys = read_host_keys(require_host_keys(state_directory))
    return SSHFrontEnd(listener_auth, context, host_keys, KeptLines(state_directory))
