"""What answers look like over HTTP, when all of an answer is known: status, headers, text.

A command that failed is 502 in text and on a page, where the status is all that a script sees; JSON says how it ended
in the body, and is 200. Rule of this file: pure; JSON is `rendering`'s, pages are `pages`'.
"""

from http import HTTPStatus
from typing import Final

from cmdserver.checks.states import CheckState
from cmdserver.core.output import Answer
from cmdserver.frontends.common.check_text import plugin_text, says_itself
from cmdserver.frontends.common.rendering import answer_trailer, has_failed
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import Representation

#: Of an answer that lacks some of its standard error, beside `outcome_headers`; ``true`` is of output as such.
STDERR_TRUNCATED: Final[Headers] = ((b"Cmdserver-Truncated", b"stderr"),)
#: Of a run that was under way when it was asked for.
JOINED: Final[Headers] = ((b"Cmdserver-Joined", b"true"),)


def status_of(answer: Answer, representation: Representation) -> int:
    """Say which status an answer has."""
    if answer.check is not None and representation is Representation.JSON:
        return HTTPStatus.OK  # it ran, and the body says the rest
    if answer.finished.timed_out:
        return HTTPStatus.GATEWAY_TIMEOUT
    if representation is not Representation.JSON and has_failed(answer):
        return HTTPStatus.BAD_GATEWAY if answer.check is None else HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.OK


def outcome_headers(answer: Answer) -> Headers:
    """Say how a command ended, for those who look at nothing but headers."""
    finished, check = answer.finished, answer.check
    found = end_headers(answer.id, finished.exit_status, finished.signal, is_truncated=finished.truncated)
    if check is not None:
        found += check_headers(check.state)
    return found + JOINED if answer.joined else found


#: Names of what is told of the end of a run in trailers.
TRAILERS: Final = b"Cmdserver-Exit-Status, Cmdserver-Signal, Cmdserver-Truncated, Cmdserver-Check"


def trailers_of(answer: Answer) -> Headers:
    """Say how a command ended behind an answer that was begun before, in fields that are named as the headers are."""
    finished = answer.finished
    found = end_headers(None, finished.exit_status, finished.signal, is_truncated=finished.truncated)
    return found if answer.check is None else found + check_headers(answer.check.state)


def check_headers(state: CheckState) -> Headers:
    """Say what a check has found."""
    return ((b"Cmdserver-Check", state.name.encode("ascii")),)


def end_headers(run_id: str | None, exit_status: int | None, signal: str | None, *, is_truncated: bool) -> Headers:
    """Say the same of a run that is over."""
    found: Headers = () if run_id is None else ((b"Cmdserver-Request-Id", run_id.encode("ascii")),)
    if exit_status is not None:
        found += ((b"Cmdserver-Exit-Status", b"%d" % exit_status),)
    if signal is not None:
        found += ((b"Cmdserver-Signal", signal.encode("ascii")),)
    if is_truncated:
        found += ((b"Cmdserver-Truncated", b"true"),)
    return found


def text_of(answer: Answer) -> bytes:
    """Render all of an answer, as `Style.VERBATIM` of `TextSink` does."""
    finished = answer.finished
    if says_itself(answer):
        return plugin_text(answer)
    if not has_failed(answer):
        return finished.stdout
    said = finished.stdout + finished.stderr
    trailer = answer_trailer(answer)
    return said + (b"" if not said or not trailer or said.endswith(b"\n") else b"\n") + trailer
