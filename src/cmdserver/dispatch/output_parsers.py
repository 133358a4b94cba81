"""What commands print, as data: by the parsers of the jc library, where it is installed.

A parser is loaded when the configuration is read, so that a request imports nothing. What it makes of output is made
when somebody asks for it, once a run: those who share a run share its output, and with it the data. Output that a
parser can make nothing of has no data, which is never an error; nor has output of which it made what cannot be.

Rules of this file: what comes out is `Json` and nothing else, of bounded size and in bounded time; nobody changes it.
"""

import gc
import importlib
import inspect
import itertools
import json
import math
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import _GeneratorContextManager, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from types import FrameType
from typing import Final, TypeAlias

from twisted.logger import Logger

from cmdserver.core.output import Answer
from cmdserver.dispatch.plausible import is_plausible

#: What JSON can say, as values that nobody changes.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

#: More output than this is not looked at: a parser works while everybody else waits, mostly 15 ms for as much as this;
#: the one of df, which is slow, 0.2 ms a file system.
OUTPUT_BYTES = 1 << 16
#: What a parser may take of everybody's time. Some have regular expressions that take minutes for odd output.
PARSE_SECONDS = 0.25
#: A parser that has run out of its time so often is left alone until the configuration is read again.
PATIENCE = 3
#: More values than this are not told. Formats with references (YAML) can make millions of a hundred bytes.
VALUES = 50_000
#: How many runs' data are kept, for those who ask a moment later: sharers, and a page's table after its text.
_KEPT = 8

#: JSON knows no larger ones that every reader understands (RFC 8259, section 6).
_INT = 1 << 64

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

#: How often parsers have run out of their time.
_late: Counter[str] = Counter()

_log = Logger()


class NotInstalled(ValueError):  # noqa: N818 - a statement
    """The jc library is not there; the text says how to get it."""

    def __init__(self) -> None:
        super().__init__("needs the jc library, which is not installed: pip install 'cmdserver[structured]'")


def load(name: str) -> str:
    """Load a parser, so that `parse` finds it; return its name.

    Args:
        name: As jc writes it, ``df`` or ``apt-cache-show``.

    Raises:
        NotInstalled: There is no jc.
        ValueError: It has no such parser, or one that works on endless input only.
    """
    _parser(name)
    _late.pop(name, None)
    return name


def load_if_installed(name: str) -> str | None:
    """Do the same; without jc there is no parser, and that is well."""
    try:
        return load(name)
    except NotInstalled:
        return None


def readable(answer: Answer) -> tuple[str, bytes] | None:
    """Find what a parser may look at.

    Returns:
        The name of the parser, and the output; None if there is no parser, or if output is missing or cut.
    """
    finished, parser = answer.finished, answer.parser
    output = finished.stdout
    is_cut = finished.truncated or finished.timed_out or finished.ended_by is not None
    is_whole = len(output) == finished.stdout_bytes and not is_cut
    return (parser, output) if is_whole and parser is not None else None


def json_of(answer: Answer) -> bytes:
    """Tell what a run has printed, as JSON, which is made once for all who share it.

    Returns:
        ``null`` if there is nothing to be read, if it is too long, or nothing that its parser understands.
    """
    found = readable(answer)
    return b"null" if found is None else _json(*found)


@lru_cache(maxsize=_KEPT)
def _json(name: str, output: bytes) -> bytes:
    return json.dumps(parse(name, output)).encode("ascii")


def parse(name: str, output: bytes) -> Json:
    """Parse output with a parser that is loaded; None if that cannot be done, or would take too long."""
    return _parse(name, output) if len(output) <= OUTPUT_BYTES and _late[name] < PATIENCE else None


@lru_cache(maxsize=_KEPT)
def _parse(name: str, output: bytes) -> Json:
    try:
        with _at_most(PARSE_SECONDS):
            parser = _parser(name)
            return _plain(parser.parse(output.decode(errors="replace"), quiet=True), iter(range(VALUES)), parser.judges)
    except TimeoutError as error:
        _late[name] += 1
        _complain(name, f"{error}; after the third time it is left alone")
        return None
    except _Implausible as error:
        _complain(name, str(error))
        return None
    except Exception as error:  # noqa: BLE001 - a parser meets whatever a command prints, and may stumble as it likes
        _complain(name, type(error).__name__)
        return None


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError when something takes longer; in the main thread only, where the reactor is.

    A thread would not do: a regular expression keeps all others from running. It does look for signals while it works.

    An alarm may come at any moment, also when the work is done and this is tidying up, where its exception would keep
    the collector off for good. So it is ignored while this function or contextlib around it is executed, and from the
    moment on at which the work has ended; and every step of the tidying is made, whatever becomes of the one before.
    Another's handler and timer are put aside meanwhile.
    """
    is_working = True

    def stop(_: int, frame: FrameType | None) -> None:
        if is_working and frame is not None and frame.f_code not in _OURS:
            text = f"took longer than {seconds:g} s"
            raise TimeoutError(text)

    is_collecting = gc.isenabled()
    handler, timer = signal.getsignal(signal.SIGALRM), (0.0, 0.0)
    try:
        # In a destructor that the collector calls, the exception would be lost.
        gc.disable()
        signal.signal(signal.SIGALRM, stop)
        # Again and again, as a parser may catch what it does not know.
        timer = signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
        yield
    finally:
        is_working = False
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            try:
                signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, *timer)
            finally:
                if is_collecting:
                    gc.enable()


#: `_at_most`, and what is executed between a ``with`` statement and it.
_OURS: Final = frozenset(
    function.__code__
    for function in (
        inspect.unwrap(_at_most),
        _GeneratorContextManager.__enter__,
        _GeneratorContextManager.__exit__,
    )
)


@cache
def _complain(name: str, error: str) -> None:
    """Say that a parser stumbles: once each, as a command's output may be anybody's."""
    _log.warn("the parser {name} cannot read what its command prints: {error}", name=name, error=error)


class _Implausible(ValueError):  # noqa: N818 - a statement
    """A parser has taken one thing for another."""

    def __init__(self) -> None:
        super().__init__("a value cannot be what its name says, so no value is believed")


def _believe(_: str, __: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Parser:
    parse: Callable[..., object]
    #: Whether something of this name may have this value.
    judges: Callable[[str, object], bool]


@cache
def _parser(name: str) -> _Parser:
    try:
        jc = importlib.import_module("jc.lib")
    except ModuleNotFoundError as error:
        raise NotInstalled from error
    known: list[str] = jc.parsers
    hint = "".join(f"; did you mean {each}?" for each in get_close_matches(name, known, 1))
    if not _NAME.fullmatch(name) or name.replace("_", "-") not in known:
        raise ValueError(f"jc {jc.__version__} has no parser {name!r}{hint}")
    # Not by jc's own function, which prefers what it finds in a directory of the user's.
    module = importlib.import_module(f"jc.parsers.{name.replace('-', '_')}")
    if getattr(module.info, "streaming", False):
        raise ValueError(f"{name} is a parser of endless input; here there is an end: use {name.removesuffix('-s')}")
    # What is written in a format, such as YAML, may call its values as it likes.
    return _Parser(module.parse, is_plausible if "command" in module.info.tags else _believe)


def _plain(value: object, room: Iterator[int], judges: Callable[[str, object], bool]) -> Json:
    """Make JSON of what a parser made; raises when there is no ``room`` for more values, or at one that cannot be."""
    if next(room, None) is None:
        raise OverflowError
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _INT else float(value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            plain = {str(key): _plain(each, room, judges) for key, each in value.items()}
            if not all(itertools.starmap(judges, plain.items())):
                raise _Implausible
            return plain
        case list() | tuple():
            return [_plain(each, room, judges) for each in value]
        case _:
            return str(value)
