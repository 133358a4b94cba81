"""The access log: a line for each answered request, through `twisted.logger` like everything that operators read.

Whatever a client has sent is quoted as JSON quotes a string, in ASCII: nothing in it can end the line, or look like the
end of a field. What is in the audit file is not repeated: there it is *who ran what*, here *what came over the wire*.
Of what is sent to a command that takes secrets, query and path are left out, be it a good request or not.
"""

from collections.abc import Collection
from json.encoder import encode_basestring_ascii as _quoted

from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.target import cut_behind
from cmdserver.logs.line_logger import LineLogger

#: Of a request target; what comes after it is left out, visibly.
LONGEST_TARGET = 500

_say = LineLogger("cmdserver.web.access")


def log(request: WebRequest, with_secrets: Collection[str] = ()) -> None:
    """Note a request; one whose client was gone before its answer was complete has ``cut`` in place of ``done``.

    Args:
        request: Answered.
        with_secrets: The names of commands that take secrets.
    """
    caller = request.caller
    user = _quoted(caller.name) if caller is not None and caller.name is not None else "-"
    line = _quoted(first_line(request.method, request.uri, request.clientproto, with_secrets))
    seconds = request.connection.seconds() - request.began_at
    end = "done" if request.finished else "cut"
    _say(f"{request.sender.source} {user} {line} {request.code} {request.sentLength} {seconds:.3f} {end}")


def log_refused(source: str, status: int) -> None:
    """Note bytes that were no request; what they were is nobody's business."""
    _say(f"{source} - - {status} 0 0.000 done")


def first_line(method: bytes, target: bytes, version: bytes, with_secrets: Collection[str] = ()) -> str:
    """Put a request line together again, shortened if it is long, or may hold a secret."""
    bounded = cut_behind(target, with_secrets)[:LONGEST_TARGET] if with_secrets else target[:LONGEST_TARGET]
    shown = bounded.decode("latin-1")
    cut = "..." if len(target) > len(bounded) else ""
    return f"{method.decode('latin-1')} {shown}{cut} {version.decode('latin-1')}"
