"""The states of a connection to a line listener, as data (in the manner of h11's ``_state.py``)."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class State(Enum):
    """How far a connection has come; its deadline depends on it."""

    __hash__ = object.__hash__  # Enum's own is a function of Python, called for each look into the table

    #: TLS exchanges keys, so nothing can be said. Without TLS this lasts no time. ``login_seconds`` from the accept.
    HANDSHAKE = auto()
    #: The next line answers a login prompt, or a login is being decided and lines wait. ``login_seconds`` go on.
    LOGIN = auto()
    #: Greeted, and nothing was asked yet. ``login_seconds`` go on.
    NEW = auto()
    #: The next line is a request. ``idle_seconds``.
    READY = auto()
    #: A request is being answered, and lines wait. No deadline but for taking the answer.
    BUSY = auto()
    #: All is said; what is received is dropped. ``idle_seconds`` to take the rest.
    CLOSING = auto()
    #: The connection is lost.
    CLOSED = auto()


class Event(Enum):
    """What moves a connection to another state."""

    __hash__ = object.__hash__

    LOGIN_BEGINS = auto()
    LOGGED_IN = auto()
    #: The client was greeted without a login.
    GREETED = auto()
    #: The client says ``session``.
    SESSION = auto()
    REQUEST = auto()
    ANSWERED = auto()
    CLOSE = auto()
    LOST = auto()


_END: Final = {Event.CLOSE: State.CLOSING, Event.LOST: State.CLOSED}
_ASK: Final = {Event.LOGIN_BEGINS: State.LOGIN, Event.SESSION: State.READY, Event.REQUEST: State.BUSY}

#: Each state's events, and the states to which they lead; others cannot happen in it. Where a login is required, no
#: client is `GREETED`, so that the only way to a request is `LOGGED_IN`.
TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.HANDSHAKE: {Event.LOGIN_BEGINS: State.LOGIN, Event.GREETED: State.NEW, **_END},
    State.LOGIN: {Event.LOGGED_IN: State.READY, **_END},
    State.NEW: {**_ASK, **_END},
    State.READY: {**_ASK, **_END},
    State.BUSY: {Event.ANSWERED: State.READY, **_END},
    State.CLOSING: {Event.LOST: State.CLOSED},
    State.CLOSED: {},
}

#: The next line is a request.
TAKES_REQUESTS: Final = (State.NEW, State.READY)
#: All is said, or nobody is there to hear it.
ENDED: Final = (State.CLOSING, State.CLOSED)
