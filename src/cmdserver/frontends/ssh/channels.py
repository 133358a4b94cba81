"""The ``ssh-connection`` service (RFC 4254): session channels are opened, asked for a program, fed and closed.

A session, as the packets go (``->`` is from the client)::

    -> CHANNEL_OPEN "session"               what window and packets it takes; at most `MOST_SESSIONS` at once
    <- CHANNEL_OPEN_CONFIRMATION            or CHANNEL_OPEN_FAILURE
    -> CHANNEL_REQUEST "pty-req"            if a person looks at it
    <- CHANNEL_SUCCESS                      or CHANNEL_FAILURE, if a reply is wanted
    -> CHANNEL_REQUEST "exec" "df"          or "shell", for a prompt or for lines; once
    <- CHANNEL_SUCCESS
    <- CHANNEL_DATA, CHANNEL_EXTENDED_DATA  standard output and standard error, within the client's window
    -> CHANNEL_WINDOW_ADJUST                as it takes them
    <- CHANNEL_EOF, CHANNEL_REQUEST "exit-status" 0, CHANNEL_CLOSE
    -> CHANNEL_CLOSE                        only now the session is over

Conch's own service answers an unknown channel with a traceback, opens channels without end, and makes room for more
input before anybody has read what came; what is left when these are mended is less than this. There is no forwarding of
any kind.
"""

from collections.abc import Callable
from typing import Final

from twisted.conch.ssh.service import SSHService

from cmdserver.frontends.ssh import channel as channels
from cmdserver.frontends.ssh.channel import Channel, Link
from cmdserver.frontends.ssh.programs import Context
from cmdserver.frontends.ssh.session import OF_SESSION, Session
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32

#: As sshd's MaxSessions.
MOST_SESSIONS: Final = 10

# RFC 4254, section 9
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
OPEN, OPEN_CONFIRMATION, OPEN_FAILURE = 90, 91, 92

# RFC 4254, section 5.1
_PROHIBITED, _UNKNOWN_TYPE, _SHORTAGE = 1, 3, 4

#: Types of channels that there could be, and are not.
_FORWARDING: Final = frozenset({b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com", b"x11"})


class Channels(SSHService):
    """The channels of one connection, for somebody who has logged in."""

    name = b"ssh-connection"

    def __init__(self, link: Link, context: Context) -> None:
        self._link = link
        self._context = context
        self._sessions: dict[int, Session] = {}
        self._next = 0
        #: Whether no more sessions are opened: the client has promised to want none, or the connection is to end.
        self._is_closed = False

    @property
    def is_empty(self) -> bool:
        """Whether both sides have closed every session."""
        return not self._sessions

    # SSHService, as called by the transport

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """Take one of `protocolMessages`.

        Raises:
            Malformed: It breaks the protocol.
        """
        fields = Fields(packet)
        if messageNum in self._OF_CONNECTION:
            self._OF_CONNECTION[messageNum](self, fields)
            return
        number = fields.uint32()
        session = self._sessions.get(number)
        if session is None:
            raise Malformed("against the protocol")
        if messageNum == channels.CLOSE:
            del self._sessions[number]
        session.receive(messageNum, fields)
        if messageNum != channels.EXTENDED_DATA:
            self._link.heard()

    def serviceStopped(self) -> None:
        for session in list(self._sessions.values()):
            session.program.leave()
        self._sessions.clear()

    # As called by the connection

    def hold(self) -> None:
        """Pause all output, as the transport has no room for it."""
        for session in self._sessions.values():
            session.channel.steer()

    def proceed(self) -> None:
        """Go on with output, and with what waited for it to be sent."""
        for session in list(self._sessions.values()):
            session.channel.send_waiting()
            session.program.proceed()

    def expire(self, farewell: str) -> None:
        """End all sessions, as nothing was asked for too long; persons are told ``farewell``."""
        self._is_closed = True
        for session in list(self._sessions.values()):
            session.program.expire(farewell)

    def close_when_idle(self) -> None:
        """Take no more requests, and end each session as soon as its request has its answer."""
        self._is_closed = True
        for session in list(self._sessions.values()):
            session.program.close_when_idle()

    # Packets

    def _global_request(self, packet: Fields) -> None:
        """Refuse it; keep-alives are content with any answer, and do not keep an idle client from being sent away."""
        kind, wants_reply = packet.string(), packet.boolean()
        if kind == b"no-more-sessions@openssh.com":
            self._is_closed = True
        if wants_reply:
            self._link.sendPacket(REQUEST_FAILURE, b"")

    def _open(self, packet: Fields) -> None:
        kind, peer_number, window, largest = packet.string(), packet.uint32(), packet.uint32(), packet.uint32()
        if kind != b"session":
            reason = _PROHIBITED if kind in _FORWARDING else _UNKNOWN_TYPE
            self._refuse(peer_number, reason, b"there are sessions here, and nothing else")
        elif len(self._sessions) >= MOST_SESSIONS:
            self._refuse(peer_number, _SHORTAGE, b"%d sessions are open, and that is all" % MOST_SESSIONS)
        elif self._is_closed:
            self._refuse(peer_number, _PROHIBITED, b"no more sessions")
        else:
            link, number, self._next = self._link, self._next, (self._next + 1) % 2**32
            self._sessions[number] = Session(self._context, Channel(link, peer_number, window, largest))
            numbers = (peer_number, number, channels.WINDOW_BYTES, channels.PACKET_BYTES)
            link.sendPacket(OPEN_CONFIRMATION, b"".join(map(uint32, numbers)))
            link.heard()

    def _refuse(self, peer_number: int, reason: int, text: bytes) -> None:
        self._link.sendPacket(OPEN_FAILURE, uint32(peer_number) + uint32(reason) + string(text) + string(b""))

    def _ignore(self, packet: Fields) -> None:
        """Drop the answer to a request that was never made."""

    _OF_CONNECTION: dict[int, Callable[["Channels", Fields], None]] = {  # noqa: RUF012 - a table, never changed
        GLOBAL_REQUEST: _global_request,
        REQUEST_SUCCESS: _ignore,
        REQUEST_FAILURE: _ignore,
        OPEN: _open,
        channels.CHANNEL_SUCCESS: _ignore,
        channels.CHANNEL_FAILURE: _ignore,
    }
    protocolMessages = dict.fromkeys((*_OF_CONNECTION, *OF_SESSION), "")
