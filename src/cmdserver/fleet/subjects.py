"""What the parts of a fleet are called on its bus: one subject for each host, one for all, one for each answer."""

import re
from typing import Final

from cmdserver.core.site import FleetHost

_ROOT: Final = "cmdserver"
#: Where answers go: hosts may publish there and nowhere else.
INBOX: Final = f"_INBOX.{_ROOT}"
#: What has no place in a token of a subject: the part between two dots.
_NOT_IN_TOKENS: Final = re.compile(r"[^A-Za-z0-9_-]")
_REPLY: Final = re.compile(rf"{re.escape(INBOX)}(\.[A-Za-z0-9_-]+)+")
_LONGEST: Final = 256


def of_host(host: FleetHost) -> str:
    """Where one host is asked. Hosts' names are the same in upper and lower case, and subjects are not."""
    return f"{_ROOT}.{host.fleet}.host.{host.name.lower()}"


def of_all(fleet: str) -> str:
    """Where all hosts are asked who is there."""
    return f"{_ROOT}.{fleet}.all"


def inbox(user: str, token: str) -> str:
    """Where a caller is answered, with a token of their own behind for each host.

    Args:
        user: The caller's name, so that the bus can keep callers from each other's answers.
        token: Random, anew for each question.
    """
    return f"{INBOX}.{_NOT_IN_TOKENS.sub('_', user)}.{token}"


def is_reply_subject(subject: str) -> bool:
    """Whether an answer may go to a subject that somebody says."""
    return len(subject) <= _LONGEST and _REPLY.fullmatch(subject) is not None
