"""Who has logged in with a browser, until they log out or are not heard of any more.

A session exists here and nowhere else: a cookie is only its number, so that to end it here is to end it. Its number is
new at every login, whatever number the browser had before (session fixation).

Rule of this file: pure; time and randomness are passed in.
"""

from typing import Final

from msgspec import Struct

from cmdserver.core.model import Caller

#: Not heard of for so long, a browser may be somebody else's by now.
IDLE_SECONDS: Final = 1800.0
#: After so long, everybody has to say again who they are.
ABSOLUTE_SECONDS: Final = 12 * 3600.0
#: Of one user; the one that was not heard of for longest makes room.
MOST_OF_A_USER: Final = 20
#: Of everybody.
MOST: Final = 10_000
#: Of randomness in a number, and in a token.
SECRET_BYTES: Final = 32


class Session(Struct):
    """Somebody who has logged in."""

    #: As they were at the login.
    caller: Caller
    #: What forms of this session must carry.
    token: str
    began_at: float
    heard_of_at: float


class Sessions:
    """The sessions of one listener.

    Args:
        most: Of everybody.
        most_of_a_user: Of one user.
    """

    def __init__(self, most: int = MOST, most_of_a_user: int = MOST_OF_A_USER) -> None:
        self._most = most
        self._most_of_a_user = most_of_a_user
        #: By number, in the order in which they were last heard of.
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        """How many there are, those that are over but not yet forgotten included."""
        return len(self._sessions)

    def begin(self, caller: Caller, now: float, secret: bytes) -> str:
        """Let somebody have a session; return its number.

        Args:
            caller: Who has just logged in.
            now: In seconds, of a clock that does not go back.
            secret: Randomness, twice `SECRET_BYTES`, used for nothing else.
        """
        self._make_room(caller.name, now)
        number = secret[:SECRET_BYTES].hex()
        token = secret[SECRET_BYTES:].hex()
        self._sessions[number] = Session(caller, token, now, now)
        return number

    def find(self, number: str, now: float) -> Session | None:
        """Find the session of a number and note that it was heard of; None if there is none (any more)."""
        session = self._sessions.pop(number, None)
        if session is None or _is_over(session, now):
            return None
        session.heard_of_at = now
        self._sessions[number] = session
        return session

    def end(self, number: str) -> None:
        """End the session of a number; harmless if there is none."""
        self._sessions.pop(number, None)

    def _make_room(self, name: str | None, now: float) -> None:
        over = [number for number, session in self._sessions.items() if _is_over(session, now)]
        for number in over:
            del self._sessions[number]
        theirs = [number for number, session in self._sessions.items() if session.caller.name == name]
        if len(theirs) >= self._most_of_a_user:
            self.end(theirs[0])
        if len(self._sessions) >= self._most:
            self.end(next(iter(self._sessions)))


def _is_over(session: Session, now: float) -> bool:
    return now - session.heard_of_at > IDLE_SECONDS or now - session.began_at > ABSOLUTE_SECONDS
