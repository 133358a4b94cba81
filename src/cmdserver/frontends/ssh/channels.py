"""The ``ssh-connection`` service (RFC 4254): channels are opened, written to, asked for things, and closed.

Conch has one, too. It answers a channel that there is not with a traceback, opens channels without end, and makes room
for more input before anybody has read what came; what is left when these are mended is less than this.
There are sessions, and nothing else: no forwarding of any kind.
Rule of this file: it knows packets, not what sessions are for.
"""

from collections.abc import Callable
from typing import Any

from twisted.conch.ssh.service import SSHService
from twisted.internet.interfaces import IReactorTime

from cmdserver.frontends.ssh import channel as channels
from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.channel import Channel
from cmdserver.frontends.ssh.session import Session
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32

#: As sshd's MaxSessions.
MOST_SESSIONS = 10

# RFC 4254, section 9
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
OPEN, OPEN_CONFIRMATION, OPEN_FAILURE = 90, 91, 92
CHANNEL_SUCCESS, CHANNEL_FAILURE = 99, 100

# RFC 4254, section 5.1
_PROHIBITED, _UNKNOWN_TYPE, _SHORTAGE = 1, 3, 4

#: Kinds of channels that there could be, and are not.
_FORWARDING = frozenset({b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com", b"x11"})


class Channels(SSHService):
    """The channels of one connection, for somebody who has logged in.

    Args:
        connection: Sends, and is told when something has changed.
        answers: What answers requests.
        clock: For sessions.
        permits_pty: Whether they may have terminals.
    """

    name = b"ssh-connection"

    def __init__(self, connection: Any, answers: Answers, clock: IReactorTime, *, permits_pty: bool) -> None:
        self._connection = connection
        self._answers = answers
        self._clock = clock
        self._permits_pty = permits_pty
        self._sessions: dict[int, Session] = {}
        self._next = 0
        #: Whether the client has promised not to want any more, or we are leaving.
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return any(session.is_busy for session in self._sessions.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is no session that one of both has not closed."""
        return not self._sessions

    # SSHService, as called by the transport

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """Take a packet that `protocolMessages` has.

        Raises:
            Malformed: It breaks the protocol.
        """
        self._RECEIVE[messageNum](self, Fields(packet))

    def serviceStopped(self) -> None:
        """The connection is gone."""
        for session in list(self._sessions.values()):
            session.leave()
        self._sessions.clear()

    # What the connection knows

    def send_on(self) -> None:
        """There is room for output."""
        for session in list(self._sessions.values()):
            session.send_on()

    def hold(self) -> None:
        """There is no room: what writes is to pause."""
        for session in self._sessions.values():
            session.channel.steer()

    def expire(self, farewell: str) -> None:
        """Nothing was asked for too long: say so where a person may read it, and end all sessions."""
        self._is_closed = True
        for session in list(self._sessions.values()):
            session.expire(farewell)

    def close_when_idle(self) -> None:
        """Take no more requests, and let what runs come to its end."""
        self._is_closed = True
        for session in list(self._sessions.values()):
            session.close_when_idle()

    # Packets

    def _global_request(self, packet: Fields) -> None:
        """There is nothing to be had for a whole connection; keep-alives are content with any answer."""
        kind, wants_reply = packet.string(), packet.boolean()
        if kind == b"no-more-sessions@openssh.com":
            self._is_closed = True
        if wants_reply:
            self._connection.sendPacket(REQUEST_FAILURE, b"")

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
            number, self._next = self._next, (self._next + 1) % 2**32
            channel = Channel(self._connection, peer_number, window, largest)
            self._sessions[number] = Session(channel, self._answers, self._clock, permits_pty=self._permits_pty)
            numbers = (peer_number, number, channels.WINDOW_BYTES, channels.PACKET_BYTES)
            self._connection.sendPacket(OPEN_CONFIRMATION, b"".join(map(uint32, numbers)))
            self._connection.stirred()

    def _refuse(self, peer_number: int, reason: int, text: bytes) -> None:
        self._connection.sendPacket(OPEN_FAILURE, uint32(peer_number) + uint32(reason) + string(text) + string(b""))

    def _window_adjust(self, packet: Fields) -> None:
        session = self._session(packet)
        session.channel.widen(packet.uint32())
        session.send_on()
        self._connection.stirred()

    def _data(self, packet: Fields) -> None:
        session = self._session(packet)
        self._feed(session, packet.string())

    def _extended_data(self, packet: Fields) -> None:
        """Take what no program reads."""
        session = self._session(packet)
        packet.uint32()
        if not session.channel.take(len(packet.string())):
            raise Malformed("against the protocol")
        session.channel.read_on()

    def _feed(self, session: Session, data: bytes) -> None:
        if not session.channel.take(len(data)):
            raise Malformed("against the protocol")
        session.feed(data)
        self._connection.stirred()

    def _eof(self, packet: Fields) -> None:
        self._session(packet).end_input()
        self._connection.stirred()

    def _close(self, packet: Fields) -> None:
        number = packet.uint32()
        session = self._sessions.pop(number, None)
        if session is None:
            raise Malformed("against the protocol")
        session.channel.close()
        session.leave()
        self._connection.stirred()

    def _request(self, packet: Fields) -> None:
        session = self._session(packet)
        kind, wants_reply = packet.string(), packet.boolean()
        then = session.request(kind, packet)
        if wants_reply:
            session.channel.reply(CHANNEL_SUCCESS if then is not None else CHANNEL_FAILURE)
        if then is not None:
            then()
        self._connection.stirred()

    def _ignore(self, packet: Fields) -> None:
        """Answers to what we never ask."""

    def _session(self, packet: Fields) -> Session:
        session = self._sessions.get(packet.uint32())
        if session is None:
            raise Malformed("against the protocol")
        return session

    _RECEIVE: dict[int, Callable[["Channels", Fields], None]] = {  # noqa: RUF012 - a table, never changed
        GLOBAL_REQUEST: _global_request,
        REQUEST_SUCCESS: _ignore,
        REQUEST_FAILURE: _ignore,
        OPEN: _open,
        channels.WINDOW_ADJUST: _window_adjust,
        channels.DATA: _data,
        channels.EXTENDED_DATA: _extended_data,
        channels.EOF: _eof,
        channels.CLOSE: _close,
        channels.REQUEST: _request,
        CHANNEL_SUCCESS: _ignore,
        CHANNEL_FAILURE: _ignore,
    }
    protocolMessages = dict.fromkeys(_RECEIVE, "")
