"""How a connection begins and ends as fast as TCP allows, without losing anything."""

import contextlib
import socket
from typing import Any, Final, Protocol, runtime_checkable

#: Seconds that a client may take to read and close after it was told everything. To close at once while bytes of the
#: client's are unread makes the kernel send a reset, which can overtake the answer (RFC 9112, section 9.6).
LINGER_SECONDS: Final = 2.0


@runtime_checkable
class PlainTextReceiver(Protocol):
    """A protocol inside TLS that has something to say to clients that do not speak it."""

    def answer_plain(self, data: bytes) -> bytes:
        """Return what such a client is told, in its own words; the connection is closed behind that.

        Args:
            data: The first bytes that it has sent; they begin with a letter.
        """
        raise NotImplementedError


def send_first(transport: Any, data: bytes) -> None:
    """Send the first bytes of a connection, which must be few, on the socket behind its transport.

    A transport waits for the reactor to hear from the kernel that there is room. The send buffer of a new socket is
    empty; to send at once saves a turn of the reactor and two system calls for each connection. A transport that is
    not a plain socket, such as that of TLS, is written to as usual.
    """
    handle = transport.getHandle()
    if isinstance(handle, socket.socket):
        with contextlib.suppress(OSError):  # the client is gone, as the reactor will notice
            handle.send(data)
    else:
        transport.write(data)
