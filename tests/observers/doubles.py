"""What observers are told of."""

from typing import Any

from cmdserver.core.endpoints import parse
from cmdserver.core.listening import Listening, Login
from cmdserver.core.model import Command
from cmdserver.core.protocols import Protocol
from cmdserver.observers.series import Offer


def listening(protocol: Protocol, login: Login = Login.OPTIONAL) -> Listening:
    """Make a listener's row."""
    return Listening(protocol=protocol, endpoint=parse("tcp:2022"), tls=False, login=login)


def an_offer(*commands: Command, **differences: Any) -> Offer:
    """Offer commands to line and web listeners, where everybody may log in."""
    usual = {"listening": (listening(Protocol.LINE), listening(Protocol.WEB))}
    return Offer(commands={each.name: each for each in commands}, **{**usual, **differences})
