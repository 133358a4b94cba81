"""The parsers of the jc library, where it is installed, and a few of ours: which there are, what one makes of output.

To parse takes as long as it takes, and some parsers have regular expressions that take minutes for odd output: the
daemon has it done by a process that it can end.

Rules of this file: what comes out is `Json` and nothing else, of bounded size; no Twisted.
"""

import importlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache

from msgspec import Struct

from cmdserver.checks.data import Json
from cmdserver.core.output import NotParsed
from cmdserver.parsers.own import OWN
from cmdserver.parsers.plausible import is_plausible
from cmdserver.parsers.repairs import repair

#: More values than this are not told. Formats with references (YAML) can make millions of a hundred bytes.
VALUES = 100_000

#: JSON knows no larger ones that every reader understands (RFC 8259, section 6).
_INT = 1 << 64

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


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
    return name


def load_if_installed(name: str) -> str | None:
    """Do the same; without jc there is no parser, and that is well."""
    try:
        return load(name)
    except NotInstalled:
        return None


def parse(name: str, output: bytes) -> Json:
    """Parse output.

    Args:
        name: Of a parser.
        output: Of its command; what is no UTF-8 is replaced.

    Raises:
        NotParsed: It does not understand it, or nothing of what it made is to be believed.
    """
    repaired = repair(name, output.decode(errors="replace"))
    try:
        parser = _parser(name)
        made = parser.parse(repaired.text, quiet=True)
        return repaired.restore(_plain(made, iter(range(VALUES)), parser.judges))
    except NotParsed:
        raise
    except ImportError as error:  # the daemon has become a user who may not read what Python needs
        raise NotParsed(f"the parser {name} cannot be loaded any more ({error.name}); restart the daemon") from error
    except Exception as error:  # a parser meets whatever a command prints, and may stumble as it likes
        raise NotParsed(f"the parser {name} does not understand this output ({type(error).__name__})") from error


def _believe(_: str, __: object) -> bool:
    return True


class _Parser(Struct, frozen=True):
    parse: Callable[..., object]
    #: Whether something of this name may have this value.
    judges: Callable[[str, object], bool]


@cache
def _parser(name: str) -> _Parser:
    own = OWN.get(name.replace("_", "-"))
    if own is not None:
        return _Parser(lambda text, quiet: own(text), is_plausible)  # noqa: ARG005 - as jc's are called
    try:
        jc = importlib.import_module("jc.lib")
    except ModuleNotFoundError as error:
        raise NotInstalled from error
    known: list[str] = [*jc.parsers, *OWN]
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
        raise NotParsed(f"there are more than {VALUES} values in this output")
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
                raise NotParsed("a value in it cannot be what its name says, so none of them is believed")
            return plain
        case list() | tuple():
            return [_plain(each, room, judges) for each in value]
        case _:
            return str(value)
