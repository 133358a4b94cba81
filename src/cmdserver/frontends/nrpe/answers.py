"""What the answer to a query is: a state or an exit status, and text that fits into the packet. Pure.

Nagios reads the first line, and in all of them performance data behind a ``|``. The text is UTF-8 if the command's is,
has no NUL in it, which would end it, and is never empty, which check_nrpe would wait for.
"""

import re
from typing import Final

from cmdserver.core.errors import LoginRequired, RequestError, UnknownCommand
from cmdserver.core.escaping import Printable, visible
from cmdserver.core.output import Answer
from cmdserver.core.run_states import RunState
from cmdserver.core.version import VERSION
from cmdserver.frontends.common.check_text import plugin_text, says_itself
from cmdserver.frontends.common.rendering import answer_trailer, complaint, error_text
from cmdserver.frontends.nrpe.packets import Packet, Version

#: What there is to say of a request that has no answer: of the plugins' states the one for "nobody knows".
UNKNOWN: Final = 3

#: Behind what did not fit.
_CUT: Final = complaint("the rest does not fit into an answer of this version of NRPE").rstrip()
_LAST_SPACE: Final = re.compile(rb"\s\S*\Z")
_CONTINUATION: Final = range(0x80, 0xC0)


def version_answer(version: Version) -> Packet:
    """Say what answers here, to who names no command."""
    return Packet(version, f"cmdserver v{VERSION}".encode())


def error_answer(version: Version, error: RequestError) -> Packet:
    """Say why there is no answer."""
    match error:
        case UnknownCommand():
            near = f"; did you mean {' or '.join(error.suggestions)}?" if error.suggestions else ""
            text = complaint(f'{error.code}: no check and no read_only command named "{visible(error.name)}"{near}')
        case LoginRequired():
            text = complaint(f"{error.code}: a login is required here: check_nrpe -C CERTIFICATE -K KEY")
        case _:
            text = error_text(error)
    return Packet(version, _fitting(text, version), UNKNOWN)


def said(version: Version, text: bytes) -> Packet:
    """Say what is a sentence already, and is no answer."""
    return Packet(version, _fitting(text, version), UNKNOWN)


def run_answer(version: Version, answer: Answer, *, is_raw: bool = False) -> Packet:
    """Tell of a run: the state of a check and what a plugin prints; else the exit status as it is, and the output.

    Args:
        version: Of the query.
        answer: With the output.
        is_raw: Whether control sequences are left alone.
    """
    if answer.check is not None:
        text = plugin_text(answer) if says_itself(answer) else answer.check.plugin_output.encode(errors="replace")
        return Packet(version, _fitting(_shown(text, version, is_raw=is_raw), version), answer.check.state)
    finished = answer.finished
    output = _shown(finished.stdout, version, is_raw=is_raw)
    if not output and answer.state is not RunState.OK:
        output = _shown(finished.stderr, version, is_raw=is_raw)
    if answer.state.is_own_end and finished.exit_status is not None:
        nothing = answer_trailer(answer) or complaint(f"{answer.command}: printed nothing")
        return Packet(version, _fitting(output or nothing, version), finished.exit_status)
    # What people see of it is the first line.
    return Packet(version, _fitting(answer_trailer(answer) + output, version), UNKNOWN)


def _shown(output: bytes, version: Version, *, is_raw: bool) -> bytes:
    """Make output harmless, and no longer than is needed to see that it does not fit."""
    beginning = output[: version.text_bytes + 1]
    if is_raw:
        return beginning.replace(b"\0", b"^@").strip()
    printable = Printable()
    return (printable.feed(beginning) + printable.finish()).strip()


def _fitting(text: bytes, version: Version) -> bytes:
    """Cut text to what its packet has room for, between two characters, and say so on a line of its own.

    Behind a ``|`` it is cut between two words: half of a number would be another number.
    """
    text = text.strip() or complaint("there is nothing to say").strip()
    if len(text) <= version.text_bytes:
        return text
    end = version.text_bytes - len(_CUT) - 1
    while text[end] in _CONTINUATION and end:
        end -= 1
    kept = text[:end]
    if b"|" in kept:
        kept = _LAST_SPACE.sub(b"", kept)
    return kept.rstrip() + b"\n" + _CUT
