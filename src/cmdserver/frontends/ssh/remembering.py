"""Which of the lines that are typed at a prompt are remembered, and where: none with a secret, as far as can be."""

from enum import Enum, auto

from cmdserver.core.errors import Refusal
from cmdserver.core.model import Caller
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.line_protocol import Explain, Run, Start
from cmdserver.frontends.ssh.prompt_words import find_word, spelled_out


class Memory(Enum):
    """Where a line is remembered."""

    NOWHERE = auto()
    #: For the session: what was misspelt can be mended, and a password that was typed as a line comes to no disk.
    SESSION = auto()
    #: For all sessions of the user.
    DISK = auto()


def memory_for(line: str, dispatcher: Dispatcher, caller: Caller) -> Memory:
    """Say where a line is remembered.

    Args:
        line: As it was entered; one that begins with a blank is remembered nowhere, as with bash's ``ignorespace``.
        dispatcher: Knows which commands take secrets.
        caller: Who has entered it.
    """
    if line[:1].isspace():
        return Memory.NOWHERE
    try:
        request = line_protocol.parse(spelled_out(line).encode(errors="replace")).request
    except Refusal:
        # It cannot be said what it would have been; it may have been a line with a secret.
        return Memory.NOWHERE if dispatcher.commands_with_secrets else Memory.SESSION
    if not isinstance(request, Run | Start | Explain) or not request.words:
        return Memory.DISK
    words = request.words
    if dispatcher.masked(words) != words[1:]:
        return Memory.NOWHERE
    is_known = words[0] in dispatcher.names(caller) or find_word(line.strip(), frozenset) is not None
    return Memory.DISK if is_known else Memory.SESSION
