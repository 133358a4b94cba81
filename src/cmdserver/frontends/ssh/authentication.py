"""The ``ssh-userauth`` service (RFC 4252): public keys, passwords, and keyboard-interactive passwords (RFC 4256).

Who has a second factor is asked for a code by keyboard-interactive: after its password, or, if a role wants one, after
a key, which is then a partial success (RFC 4252, section 5.1). The method ``password`` cannot ask: they are refused.

Every attempt goes through `ListenerAuth`, as at every other listener: throttled, decided by the portal, audited. The
answer does not depend on whether the user exists. Requests are decided one after the other, and bounded for each
connection, which also bounds the time.
"""

from collections import deque
from typing import Any, Final, Protocol

from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cmdserver.auth.credentials import CodeRequired, Credentials, OneTimeCode, Password, PublicKey
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import LoginRefused, RequestError
from cmdserver.core.model import Caller
from cmdserver.sshtransport.algorithms import USER_KEYS, key_type
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32

# RFC 4252, section 6; 60 means one thing or the other, as RFC 4256 has it.
REQUEST, FAILURE, SUCCESS = 50, 51, 52
PK_OK = INFO_REQUEST = 60
INFO_RESPONSE = 61

METHODS = b"publickey,password,keyboard-interactive"
PROMPT = b"Password: "
#: After something that was right.
CODE_METHODS = b"keyboard-interactive"
CODE_PROMPT = b"Code: "

#: Unacceptable keys that a client may offer; each is only looked up. An agent seldom holds more.
MOST_KEYS: Final = 20
#: Requests that may wait while one is decided, their bytes together, and all requests of a connection.
MOST_AHEAD: Final = 16
MOST_BYTES_AHEAD: Final = 65_536
MOST_REQUESTS: Final = 100
#: Bytes of a user's name. A longer one is refused, not cut: that could make it another user's.
LONGEST_NAME: Final = 256


class Client(Protocol):
    """The connection, as seen from here."""

    source: str
    sessionID: bytes | None

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Send a packet."""

    def let_in(self, caller: Caller) -> None:
        """Serve the client as this caller from now on."""

    def send_away(self, why: str) -> None:
        """Disconnect, and tell the client why."""

    def broken(self, failure: Failure) -> None:
        """Disconnect a client that has broken the protocol, or met a mistake of ours."""


class Authentication(SSHService):
    """Authenticates one client.

    Args:
        client: The connection.
        listener_auth: Decides about logins.
        login_attempts: Wrong passwords and signatures after which the client is disconnected.
    """

    name = b"ssh-userauth"
    protocolMessages = dict.fromkeys((REQUEST, INFO_RESPONSE), "")

    def __init__(self, client: Client, listener_auth: ListenerAuth, login_attempts: int) -> None:
        self._client = client
        self._listener_auth = listener_auth
        self._attempts_left = login_attempts
        self._keys_left = MOST_KEYS
        self._requests_left = MOST_REQUESTS
        self._ahead: deque[tuple[int, bytes]] = deque()
        self._bytes_ahead = 0
        self._logging_in: Deferred[None] | None = None
        #: Whose password was asked for (keyboard-interactive), while the answer is expected.
        self._asked: str | None = None
        #: What was shown, if it takes a code as well that has not come yet.
        self._code_required: CodeRequired | None = None
        #: Whether an attempt has failed.
        self.has_failed = False
        #: Whether the result of a login that is being decided is ignored.
        self._is_stopped = False

    @property
    def is_deciding(self) -> bool:
        """Whether a login is being decided."""
        return self._logging_in is not None

    @property
    def has_tried(self) -> bool:
        """Whether who goes now has failed: an attempt has, is being decided, or waits for its code."""
        return self.has_failed or self.is_deciding or self._code_required is not None

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """Take a packet; it waits until the login before it is decided.

        Raises:
            Malformed: It breaks the protocol.
        """
        self._bytes_ahead += len(packet)
        if len(self._ahead) >= MOST_AHEAD or self._bytes_ahead > MOST_BYTES_AHEAD:
            raise Malformed("against the protocol")
        self._ahead.append((messageNum, packet))
        self._proceed()

    def serviceStopped(self) -> None:
        """Decide nothing more: the client has logged in, or is gone."""
        self._is_stopped = True
        self._ahead.clear()
        if self._logging_in is not None:
            self._logging_in.cancel()
        self._forget_code()

    def _proceed(self) -> None:
        while self._ahead and self._logging_in is None:
            number, payload = self._ahead.popleft()
            self._bytes_ahead -= len(payload)
            if number == REQUEST:
                self._request(Fields(payload))
            else:
                self._respond(Fields(payload))

    # Requests

    def _request(self, packet: Fields) -> None:
        name, service, method = packet.string(), packet.string(), packet.string()
        self._asked = None  # another request ends keyboard-interactive (RFC 4256, section 3.1)
        self._requests_left -= 1
        if service != b"ssh-connection" or len(name) > LONGEST_NAME or not self._requests_left:
            raise Malformed("against the protocol")
        user = name.decode(errors="replace")
        required = self._code_required
        if required is not None and (method != CODE_METHODS or user != required.proof.name):
            self._forget_code()
            if not self._may_go_on():
                return
        match method:
            case b"publickey":
                self._show_key(name, user, packet)
            case b"password" if not packet.boolean():
                source = self._client.source
                self._try(Password(name=user, password=packet.string(), source=source, can_ask=False))
            case b"keyboard-interactive":
                self._ask(user)
            case _:
                self._fail()

    def _ask(self, user: str) -> None:
        """Ask for a password, whether the user exists or not, or for a code after what was right.

        The request has no name, instruction or language, one prompt, and no echo.
        """
        self._asked = user
        prompt = PROMPT if self._code_required is None else CODE_PROMPT
        self._client.sendPacket(INFO_REQUEST, string(b"") * 3 + uint32(1) + string(prompt) + b"\0")

    def _respond(self, packet: Fields) -> None:
        user, self._asked = self._asked, None
        if user is None or packet.uint32() != 1:
            raise Malformed("against the protocol")
        answer, source = packet.string(), self._client.source
        required, self._code_required = self._code_required, None
        if required is not None:
            self._try(OneTimeCode(proof=required.proof, code=answer.decode(errors="replace"), source=source))
        else:
            self._try(Password(name=user, password=answer, source=source, method="keyboard-interactive"))

    def _show_key(self, name: bytes, user: str, packet: Fields) -> None:
        is_signed, algorithm, blob = packet.boolean(), packet.string(), packet.string()
        is_known = Fields(blob).string() == key_type(algorithm) and algorithm in USER_KEYS
        source = self._client.source
        if is_known and is_signed:
            signature = packet.string()
            # As RFC 4252, section 7, has it; what signs otherwise than it says, with SHA-1 say, has not signed this.
            prefix = string(self._client.sessionID or b"") + bytes([REQUEST])
            signed = prefix + string(name) + string(b"ssh-connection") + string(b"publickey") + b"\1"
            signed += string(algorithm) + string(blob)
            if Fields(signature).string() != algorithm:
                signature = b""
            self._try(PublicKey(name=user, blob=blob, signed=signed, signature=signature, source=source))
        else:
            key = PublicKey(name=user, blob=blob, signed=b"", signature=b"", source=source)
            asked = self._listener_auth.is_acceptable_key(source, user, blob) if is_known else succeed(False)
            self._wait_for(asked.addCallback(self._answer_offer, algorithm, key), is_offer=True)

    def _answer_offer(self, is_acceptable: bool, algorithm: bytes, key: PublicKey) -> Deferred[Caller] | None:  # noqa: FBT001 - a Deferred's result
        """Ask for a signature with an acceptable key; any other is a failed login."""
        if not is_acceptable:
            # Audited as such: who wonders why a key does not work finds it there.
            return self._listener_auth.log_in(key.source, key)
        self._client.sendPacket(PK_OK, string(algorithm) + string(key.blob))
        return None

    # Attempts

    def _try(self, credentials: Credentials) -> None:
        self._wait_for(self._listener_auth.log_in(self._client.source, credentials), is_offer=False)

    def _wait_for(self, trying: Deferred[Any], *, is_offer: bool) -> None:
        """Wait for a decision, which is a Caller, None for a key that was offered, or a failure."""
        deciding = trying.addCallbacks(self._decided, self._not_logged_in, errbackArgs=(is_offer,))
        deciding.addErrback(self._client.broken)
        if not deciding.called or deciding.paused:
            # Otherwise it is decided already, and the next one may be under way.
            self._logging_in = deciding

    def _decided(self, caller: Caller | None) -> None:
        self._logging_in = None
        if caller is not None:
            self._client.let_in(caller)
        else:
            self._proceed()

    def _not_logged_in(self, failure: Failure, is_offer: bool) -> None:  # noqa: FBT001 - see _wait_for
        """Tell the client that it failed, but not why."""
        self._logging_in = None
        if self._is_stopped:
            return
        error = failure.value
        if isinstance(error, CodeRequired):
            self._require_code(error)
            return
        if not isinstance(error, RequestError):
            failure.raiseException()
        if not isinstance(error, LoginRefused):
            self._client.send_away(f"{error.code}: {error}")
            return
        if self._may_go_on(is_offer=is_offer):
            self._fail()
            self._proceed()

    def _may_go_on(self, *, is_offer: bool = False) -> bool:
        """Count a failed attempt; send away who has had enough of them."""
        self.has_failed = True
        if is_offer:
            self._keys_left -= 1
        else:
            self._attempts_left -= 1
        if self._attempts_left > 0 and self._keys_left > 0:
            return True
        self._client.send_away("Too many authentication failures")
        return False

    def _require_code(self, required: CodeRequired) -> None:
        """Ask for a code: at once after a password that was asked for, by a partial success after a key."""
        self._code_required = required
        if required.proof.method == "publickey":
            self._client.sendPacket(FAILURE, string(CODE_METHODS) + b"\1")
        else:
            self._ask(required.proof.name)
        self._proceed()

    def _forget_code(self) -> None:
        """Give up what takes a code that has not come."""
        required, self._code_required = self._code_required, None
        if required is not None:
            self._listener_auth.left_without_code(self._client.source, required)

    def _fail(self) -> None:
        self._client.sendPacket(FAILURE, string(METHODS) + b"\0")
