"""Who is calling: the one place that makes a `Caller`.

A door that asks for no login lets everybody in as the anonymous; who they are depends on nothing that they sent.
"""

from cmdserver.model import Caller

#: RFC 4252, section 5.2: the name of the authentication method that is none.
NO_METHOD = "none"


class Door:
    """One door's way to its callers.

    Args:
        name: The door's protocol, as the audit file and ``whoami`` say it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def anonymous(self, source: str) -> Caller:
        """Let somebody in who was asked nothing.

        Args:
            source: Where they call from, as `cmdserver.listening.source_of` says it.
        """
        return Caller(name=None, door=self.name, source=source, method=NO_METHOD)
