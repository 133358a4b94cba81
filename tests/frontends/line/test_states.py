"""Tests of the table of a connection's states."""

from cmdserver.frontends.line.states import TRANSITIONS, Event, State


def reachable(start: State, without: frozenset[Event] = frozenset()) -> set[State]:
    """Return the states to which anything but some events can lead."""
    known, new = set[State](), {start}
    while new:
        known |= new
        new = {to for state in new for event, to in TRANSITIONS[state].items() if event not in without} - known
    return known


def test_every_state_can_be_reached_and_ends() -> None:
    """There is a row for each, and from each the connection can be lost."""
    assert set(TRANSITIONS) == set(State)
    assert reachable(State.HANDSHAKE) == set(State)
    for state in State:
        assert State.CLOSED in reachable(state)


def test_nothing_follows_the_end() -> None:
    """Once all is said, nothing is answered any more."""
    assert reachable(State.CLOSING) == {State.CLOSING, State.CLOSED}
    assert reachable(State.CLOSED) == {State.CLOSED}


def test_nobody_asks_before_a_login_where_it_is_required() -> None:
    """Where nobody is greeted without a login, only a login leads to a request."""
    without_login = reachable(State.HANDSHAKE, frozenset({Event.GREETED, Event.LOGGED_IN}))

    assert without_login == {State.HANDSHAKE, State.LOGIN, State.CLOSING, State.CLOSED}
    assert State.NEW not in reachable(State.HANDSHAKE, frozenset({Event.GREETED}))


def test_no_request_while_another_is_answered_or_a_login_decided() -> None:
    """Lines wait."""
    for state in (State.BUSY, State.LOGIN):
        assert not {Event.REQUEST, Event.SESSION, Event.LOGIN_BEGINS} & set(TRANSITIONS[state])
