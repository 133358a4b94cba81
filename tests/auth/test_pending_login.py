"""Tests of the accounting of one connection's login."""

import pytest

from cmdserver.auth.pending_login import NO_LOGIN, PendingLogin
from cmdserver.core.errors import Busy
from cmdserver.limits.source_penalties import Offence
from tests.doubles import FakeLoginLimit

LISTENER, SOURCE = "tcp:2023", "192.0.2.1"


@pytest.fixture
def limit() -> FakeLoginLimit:
    """What counts and charges."""
    return FakeLoginLimit()


def test_it_is_counted_until_it_is_settled(limit: FakeLoginLimit) -> None:
    """Once, however often it is settled, and whatever goes wrong afterwards."""
    pending_login = PendingLogin(limit, LISTENER, SOURCE, is_required=True)
    assert (pending_login.is_counted, limit.unauthenticated) == (True, 1)
    for _ in range(2):
        pending_login.settle()
        pending_login.fail(Offence.NOAUTH)
        pending_login.fail(Offence.AUTHFAIL)

    assert (pending_login.is_counted, limit.unauthenticated, limit.offences) == (False, 0, [])


@pytest.mark.parametrize("offence", Offence)
def test_who_fails_is_charged_once(limit: FakeLoginLimit, offence: Offence) -> None:
    """And counted out, under the same source."""
    pending_login = PendingLogin(limit, LISTENER, SOURCE, is_required=True)
    for _ in range(2):
        pending_login.fail(offence)

    assert (limit.unauthenticated, limit.offences, set(limit.sources)) == (0, [offence], {SOURCE})


def test_an_attempt_is_charged_by_itself(limit: FakeLoginLimit) -> None:
    """Who may try again is charged each time, also after a login, and counted until the first success."""
    pending_login = PendingLogin(limit, LISTENER, SOURCE, is_required=True)
    pending_login.charge(Offence.AUTHFAIL)
    assert pending_login.is_counted
    pending_login.settle()
    pending_login.charge(Offence.AUTHFAIL)

    assert (limit.unauthenticated, limit.offences) == (0, [Offence.AUTHFAIL] * 2)


@pytest.mark.parametrize(
    ("offence", "charged"),
    [(Offence.NOAUTH, []), (Offence.GRACE_EXCEEDED, []), (Offence.AUTHFAIL, [Offence.AUTHFAIL])],
)
def test_where_nobody_has_to_log_in(limit: FakeLoginLimit, offence: Offence, charged: list[Offence]) -> None:
    """Nobody is counted, nor charged for not doing it; but for showing something wrong."""
    pending_login = PendingLogin(limit, LISTENER, SOURCE, is_required=False)
    pending_login.fail(offence)

    assert (pending_login.is_counted, limit.left, limit.offences) == (False, 0, charged)


def test_who_is_refused_was_not_counted(limit: FakeLoginLimit) -> None:
    """So there is nothing to settle."""
    limit.refusal = Busy("all", 5)
    with pytest.raises(Busy):
        PendingLogin(limit, LISTENER, SOURCE, is_required=True)

    assert limit.unauthenticated == 0


def test_where_nobody_can_log_in() -> None:
    """Nothing is counted or charged."""
    NO_LOGIN.charge(Offence.AUTHFAIL)
    NO_LOGIN.fail(Offence.AUTHFAIL)

    assert not NO_LOGIN.is_counted
