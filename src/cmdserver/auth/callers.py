"""The one module that makes a `Caller`: of what twisted.cred has proved, of who was asked nothing, of a trigger.

Whoever has a Caller may have commands run, so none is made or copied elsewhere; a test holds that.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from cmdserver.auth.credentials import Credentials, Proof
from cmdserver.core.errors import LoginRequired
from cmdserver.core.listening import Login
from cmdserver.core.model import NO_METHOD, Caller
from cmdserver.core.names import HOOK_PREFIX, SCHEDULE, is_trigger_name


class Arrival(Struct, frozen=True):
    """Where somebody stands who is to become a Caller; see the fields of that."""

    protocol: str
    source: str
    listener: str = ""
    tls: bool = False


class ICaller(Interface):
    """What cred's portal is asked for; provided by nothing, because a Caller is a plain value."""


@implementer(IRealm)
class Realm:
    """Makes a Caller of a `Proof`."""

    def requestAvatar(
        self, avatarId: object, mind: object, *interfaces: object
    ) -> tuple[type[Interface], Caller, Callable[[], None]]:
        """Make a Caller; ``mind`` is the `Arrival`, and there is nothing to do at a logout.

        Raises:
            UnauthorizedLogin: What was proved is nobody's name, or good for nothing.
        """
        if ICaller not in interfaces:
            raise NotImplementedError(interfaces)
        proof, arrival = cast("Proof", avatarId), cast("Arrival", mind)
        if not proof.name or proof.forced_words == ():
            raise UnauthorizedLogin("the proof names nobody, or no command")
        if is_trigger_name(proof.name):
            raise UnauthorizedLogin("the proof names a caller that is no person")
        caller = Caller(
            name=proof.name,
            protocol=arrival.protocol,
            source=arrival.source,
            method=proof.method,
            commands=proof.commands,
            forced_words=proof.forced_words,
            permits_pty=proof.permits_pty,
            has_second_factor=proof.has_second_factor,
            listener=arrival.listener,
            tls=arrival.tls,
        )
        return ICaller, caller, lambda: None


def prover(checkers: Iterable[ICredentialsChecker]) -> Callable[[Credentials, Arrival], Deferred[Caller]]:
    """Return what makes callers of credentials in which one of the checkers believes.

    What it returns fires with a Caller, or fails with whatever a checker failed with; `UnauthorizedLogin` is a no.
    """
    portal = Portal(Realm(), checkers)

    def prove(credentials: Credentials, arrival: Arrival) -> Deferred[Caller]:
        login: Deferred[Any] = portal.login(cast("Any", credentials), arrival, ICaller)
        return login.addCallback(lambda avatar: avatar[1])

    return prove


def anonymous(arrival: Arrival, login: Login) -> Caller:
    """Make a caller of somebody who was asked nothing.

    Raises:
        LoginRequired: Callers must log in there, whatever has become of their login.
    """
    if login not in {Login.NEVER, Login.OPTIONAL}:
        raise LoginRequired
    return Caller(
        name=None,
        protocol=arrival.protocol,
        source=arrival.source,
        method=NO_METHOD,
        listener=arrival.listener,
        tls=arrival.tls,
    )


def scheduled() -> Caller:
    """Make the caller that schedules are: this daemon itself, which has come through no listener."""
    return Caller(name=SCHEDULE, protocol=SCHEDULE, source="", method="schedule", is_person=False)


def hooked(name: str, arrival: Arrival) -> Caller:
    """Make a caller of whoever has signed a request to a hook with its secret."""
    return Caller(
        name=f"{HOOK_PREFIX}{name}",
        protocol=arrival.protocol,
        source=arrival.source,
        method="hook",
        is_person=False,
        listener=arrival.listener,
        tls=arrival.tls,
    )


def from_elsewhere(caller: Caller, source: str) -> Caller:
    """Return a caller whose session is used from another source; everything else is as it was at the login."""
    return caller if caller.source == source else replace(caller, source=source)


def suppose(name: str | None) -> Caller:
    """Make the caller that a user, or None for the anonymous, would be: to explain rules, at no listener.

    Whoever has a second factor has shown it.
    """
    is_person = not is_trigger_name(name or "")
    return Caller(
        name=name,
        protocol="",
        source="",
        method=NO_METHOD,
        is_person=is_person,
        has_second_factor=name is not None and is_person,
    )
