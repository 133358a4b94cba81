"""Asks ssh-agent for its keys and for signatures: the two messages of it that are needed (draft-miller-ssh-agent).

What listens at the socket is a program of the user's, but may be another one than they think, or a broken one.

Rule: whatever it answers gives values or `AgentError`, takes a bounded time and has a bounded size.
"""

import socket
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from cmdserver.auth.signatures.keys import kind_of
from cmdserver.core.escaping import visible
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32

_FAILURES: Final = frozenset({5, 30, 102})  # the agent's, and two of older agents, which OpenSSH takes for the same
_REQUEST_IDENTITIES: Final = bytes([11])
_IDENTITIES_ANSWER: Final = 12
_SIGN_REQUEST: Final = bytes([13])
_SIGN_RESPONSE: Final = 14
#: RSA with SHA-256 (RFC 8332); without it it would be SHA-1.
_RSA_SHA2_256: Final = 2

#: As OpenSSH's agent takes no more in a message, it sends no more.
_MOST_BYTES: Final = 256 * 1024
_READ_BYTES: Final = 1 << 16
#: To list keys takes no thinking; to sign may take a person who confirms it, and no request is good for longer.
_LIST_SECONDS: Final = 10.0
_SIGN_SECONDS: Final = 60.0
_MOST_CHARACTERS: Final = 64


class AgentError(Exception):
    """The agent does not do what it is asked; the text says why, and what can be done, in one line."""


class AgentKey(Struct, frozen=True):
    """A key that the agent can sign with."""

    kind: str
    #: As RFC 4253, section 6.6, has it.
    blob: bytes
    #: What its owner calls it; printable.
    comment: str


class SSHAgent:
    """The agent behind a socket, which is connected to for each question. It blocks: call it in a thread.

    Args:
        path: What ``$SSH_AUTH_SOCK`` says.
        monotonic: Seconds since some time.
    """

    def __init__(self, path: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic

    def list_keys(self) -> tuple[AgentKey, ...]:
        """List the keys that it holds, in its order.

        Raises:
            AgentError: It cannot be reached, or does not answer as an agent does.
        """
        number, fields = self._ask(_REQUEST_IDENTITIES, _LIST_SECONDS)
        if number in _FAILURES:
            raise AgentError(f"{self._name} does not list its keys")
        if number != _IDENTITIES_ANSWER:
            raise self._no_agent()
        try:
            keys = tuple(_key(fields) for _ in range(fields.uint32()))
            fields.end()
        except ValueError:
            raise self._no_agent() from None
        return keys

    def sign(self, key: AgentKey, content: bytes) -> bytes:
        """Have something signed.

        Returns:
            The signature as SSH has it, an algorithm and what belongs to it; whether it is right is not known yet.

        Raises:
            AgentError: It refuses, cannot be reached, or does not answer as an agent does.
        """
        flags = _RSA_SHA2_256 if key.kind == "ssh-rsa" else 0
        message = _SIGN_REQUEST + string(key.blob) + string(content) + uint32(flags)
        number, fields = self._ask(message, _SIGN_SECONDS)
        if number in _FAILURES:
            raise AgentError(
                f"{self._name} refuses to sign with the key {key.comment or key.kind}: a key that was added with"
                " `ssh-add -h` is for SSH connections alone, one that was added with `ssh-add -c` has to be confirmed,"
                " and an agent that is locked (`ssh-add -x`) signs nothing"
            )
        if number != _SIGN_RESPONSE:
            raise self._no_agent()
        try:
            signature = fields.string()
            fields.end()
        except Malformed:
            raise self._no_agent() from None
        return signature

    def _no_agent(self) -> AgentError:
        return AgentError(f"{self._name} does not answer as an agent does")

    @property
    def _name(self) -> str:
        return f"ssh-agent ({visible(self._path)})"

    def _ask(self, message: bytes, seconds: float) -> tuple[int, Fields]:
        """Send a message, and return the answer's number and what it consists of."""
        until = self._monotonic() + seconds
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(seconds)
                connection.connect(self._path)
                connection.sendall(string(message))
                size = int.from_bytes(self._receive(connection, 4, until), "big")
                if not 0 < size <= _MOST_BYTES:
                    raise AgentError(f"{self._name} answers with {size} bytes; {_MOST_BYTES} are the most")
                answer = self._receive(connection, size, until)
        except TimeoutError:
            raise AgentError(f"{self._name} has not answered for {seconds:g} s") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise AgentError(f"{self._name} cannot be reached: {reason}; see $SSH_AUTH_SOCK") from None
        return answer[0], Fields(answer[1:])

    def _receive(self, connection: socket.socket, size: int, until: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            # What comes byte by byte is not to take a time for each.
            left = until - self._monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            chunk = connection.recv(min(size - len(received), _READ_BYTES))
            if not chunk:
                raise AgentError(f"{self._name} has ended the connection")
            received += chunk
        return bytes(received)


def _key(fields: Fields) -> AgentKey:
    blob = fields.string()
    comment = fields.string().decode("utf-8", "replace")
    return AgentKey(kind_of(blob), blob, visible(comment[:_MOST_CHARACTERS]))
