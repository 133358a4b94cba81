"""The front end of an SSH listener: its host keys, and which clients are accepted."""

from collections.abc import Iterable
from typing import Any

from twisted.conch.ssh.keys import Key

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import FrontEndContext, FrontEndResources
from cmdserver.frontends.ssh.connection import SSHConnection
from cmdserver.net.ssh_host_keys import HostKey, read_host_keys, require_host_keys

#: What sshd tells clients for whom there is no room. RFC 4253, section 4.2, allows lines before the version.
NOT_NOW = b"Not allowed at this time\r\n"


class SSHFrontEnd(FrontEnd):
    """What all connections of one SSH listener share; of its host keys the best comes first."""

    examples = (
        "ssh -p {port} admin@{host} {command}",
        "ssh -o ProxyCommand='nc -U {path}' admin@localhost {command}",
    )

    def __init__(self, listener_auth: ListenerAuth, context: FrontEndContext, host_keys: Iterable[HostKey]) -> None:
        super().__init__(listener_auth, context)
        keys = [Key(key) for key in host_keys]
        self.privateKeys = {key.sshType(): key for key in keys}
        self.publicKeys = {key.sshType(): key.public() for key in keys}

    def connect(self, source: str, pending_login: PendingLogin) -> Any:
        return SSHConnection(self, source, pending_login)

    def refusal(self, refusal: Refusal) -> bytes:  # noqa: ARG002 - why is not for strangers
        return NOT_NOW


def make(
    listener_auth: ListenerAuth, context: FrontEndContext, resources: FrontEndResources, _certificate_of: object
) -> FrontEnd:
    """Make the front end of an SSH listener.

    Raises:
        CannotStart: The host keys cannot be read or made.
    """
    return SSHFrontEnd(listener_auth, context, read_host_keys(require_host_keys(resources.state_directory)))
