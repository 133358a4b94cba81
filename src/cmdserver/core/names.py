"""Which names users and commands may have.

A user's name may come from a client and be looked up as a file's name, ``authorized_keys/NAME``, so `is_user_name` is
asked before: what it lets through is no path but a name, neither hidden nor ``.`` nor ``..``, and no option (``-x``).
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_COMMAND_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_COMMAND_PATTERN = re.compile(r"[a-z*?\[][a-z0-9_*?\[\]!-]{0,63}")


#: Roles that are made by how a caller came in, not by an administrator's list of users.
ANONYMOUS, AUTHENTICATED = "anonymous", "authenticated"

#: Callers that are no persons: nobody can log in by these names. A hook's is what it is called behind the prefix.
SCHEDULE, HOOK_PREFIX = "schedule", "hook:"

#: Words of the line protocol that no command may be called.
RESERVED_WORDS = frozenset(
    {"help", "explain", "whoami", "who", "session", "json", "quit", "login", "runs", "start", "attach", "stop"}
)
#: What no command may be called: besides these, ``metrics`` has an address of its own on the web.
TAKEN_NAMES = RESERVED_WORDS | {"metrics"}

#: The folder of the state directory that has a file for each user: the lines that they have typed at the SSH prompt.
PROMPT_HISTORY = "prompt-history"


def is_user_name(text: str) -> bool:
    """Whether a user may be called so, and log in by that name."""
    return _USER_NAME.fullmatch(text) is not None and not is_trigger_name(text)


def is_trigger_name(text: str) -> bool:
    """Whether it is the name of a caller that is no person: of schedules, or of a hook."""
    return text == SCHEDULE or text.startswith(HOOK_PREFIX)


def is_command_name(text: str) -> bool:
    """Whether a command may be called so, if it is no reserved word."""
    return _COMMAND_NAME.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether something of a user's, such as a token, may be called so."""
    return _USER_NAME.fullmatch(text) is not None


def is_command_pattern(text: str) -> bool:
    """Whether it is a command's name, or a glob that may match some."""
    return _COMMAND_PATTERN.fullmatch(text) is not None


def is_glob(pattern: str) -> bool:
    """Whether a role's entry is a pattern and not the name of one command."""
    return any(character in pattern for character in "*?[")


def is_meant(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of these, or matches a glob among them."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
