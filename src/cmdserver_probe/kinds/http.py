"""A web server: its status, and a text in what it answers."""

import base64
import http.client
from urllib.parse import SplitResult, quote, urlsplit

from cmdserver_probe import password
from cmdserver_probe.connection import connect
from cmdserver_probe.errors import ProbeFailed, WrongUsage
from cmdserver_probe.options import Options
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, State, Value
from cmdserver_probe.run import Run
from cmdserver_probe.target import Target, ascii_host

FAILURES: tuple[type[Exception], ...] = (http.client.HTTPException,)

#: How much of a body is looked at, in octets; what comes behind is not read.
BODY_OCTETS = 1 << 20
_PORTS = {"http": 80, "https": 443}
_REDIRECT = 3
_STATES = {2: State.OK, _REDIRECT: State.OK, 4: State.WARNING}
#: What may stand in a path or query as it is.
_SAFE = "%/:;=@&?!$'()*+,~[]"


def where(options: Options) -> Target:
    """Tell from the URL where to go.

    Raises:
        WrongUsage: It is none.
    """
    url = _split(options.target)
    try:
        port = url.port or _PORTS[url.scheme]
    except ValueError:
        raise WrongUsage(f"{options.target} has a port that is none") from None
    return Target(ascii_host(url.hostname or ""), port)


def probe(run: Run) -> Finding:
    """Ask; read the answer."""
    url = _split(run.options.target)
    connection = http.client.HTTPConnection(run.target.host, run.target.port)
    connection.default_port = _PORTS[url.scheme]
    sock = connect(run)
    if url.scheme == "https":
        from cmdserver_probe import tls  # noqa: PLC0415  (takes longer than to ask without TLS)

        connection.sock = tls.handshake(run, sock)
    else:
        connection.sock = sock
    with run.steps.step("answer"):
        connection.request("GET", _path(url), headers=_headers(run))
        try:
            response = connection.getresponse()
        except http.client.BadStatusLine as error:
            raise ProbeFailed(f"that is no HTTP: {shown(str(error.args[0]))}") from None
    with run.steps.step("body"):
        body = response.read(BODY_OCTETS)
        if response.length and len(body) < BODY_OCTETS:  # http.client takes it for the whole
            raise ProbeFailed(f"the target ends {response.length} bytes before it said it would")
    run.steps.current = "answer"
    finding = judge(response.status, response.reason, response.headers.get("Location"), body, run.options.expect)
    run.steps.current = None
    return finding


def judge(status: int, reason: str, location: str | None, body: bytes, expected: str | None) -> Finding:
    """Say what an answer means: as check_http does, 4xx is WARNING and 5xx CRITICAL, if that is not what is expected.

    Raises:
        ProbeFailed: What is expected is neither in the status line nor in the body.
    """
    line = f"{status} {reason}".strip()
    kind = status // 100
    state = _STATES.get(kind, State.CRITICAL)
    if expected is not None:
        if expected in line:
            state = State.OK
        elif expected.encode() not in body:
            where_not = f"the first {BODY_OCTETS} bytes" if len(body) == BODY_OCTETS else f"its {len(body)} bytes"
            raise ProbeFailed(f"{shown(line)}, and what is expected is not in {where_not}")
    to = f", to {shown(location)}" if location is not None and kind == _REDIRECT else ""
    more = " or more" if len(body) == BODY_OCTETS else ""
    text = f"{shown(line)}{to}, {len(body)} bytes{more}"
    return Finding(text, state, values={"status": Value(status, minimum=""), "bytes": Value(len(body), "B")})


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
    except ValueError:
        raise WrongUsage(f"{text} is no URL") from None
    if url.scheme not in _PORTS or not url.hostname:
        raise WrongUsage(f"{text} is no URL; write http://HOST[:PORT]/PATH or https://...")
    if url.username is not None:
        raise WrongUsage("a URL with a user is not taken: write --user and --password-file")
    return url


def _path(url: SplitResult) -> str:
    path = quote(url.path or "/", safe=_SAFE)
    return f"{path}?{quote(url.query, safe=_SAFE)}" if url.query else path


def _headers(run: Run) -> dict[str, str]:
    headers = {"User-Agent": "cmdserver-probe", "Accept": "*/*", "Connection": "close"}
    if run.options.user is not None:
        password.may_be_sent(run)
        login = base64.b64encode(f"{run.options.user}:{run.password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    return headers
