"""What a forwarder and the ways to send have to do with each other."""

import os
from typing import Protocol

from twisted.internet.defer import Deferred


class Owner(Protocol):
    """Who has a channel; what it hears may come while it sends."""

    def ready(self) -> None:
        """It can send again."""

    def gone(self, reason: str, lost: int = 0) -> None:
        """It cannot send any more.

        Args:
            reason: For people.
            lost: So many that were sent have not arrived, as is known now.
        """


class Channel(Protocol):
    """An open way to a receiver."""

    def send(self, message: bytes) -> bool:
        """Send a message; return whether that was done.

        If it was not, `Owner.gone` has been called, or `Owner.ready` will be when it can be tried again.
        """

    def close(self) -> Deferred[None]:
        """Send what was taken, and close; the deferred fires then, and to cancel it closes at once."""

    def abort(self) -> None:
        """Close at once; nothing is heard afterwards."""


def reason_of(error: BaseException | None) -> str:
    """Say for people why a receiver cannot be reached."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or os.strerror(error.errno)
    # OpenSSL's errors are a list of where and what.
    found = error.args[0] if error is not None and error.args else None
    if isinstance(found, list) and all(isinstance(each, tuple) and each for each in found) and found:
        return f"TLS: {'; '.join(str(each[-1]) for each in found)}"
    if type(error).__name__ == "VerificationError":  # service_identity's, which is for TLS alone to import
        return "TLS: the certificate is for another name"
    return str(error).strip().rstrip(".") or type(error).__name__
