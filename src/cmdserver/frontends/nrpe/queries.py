"""What a query asks for: nrpe's version, or a command with values. Pure.

check_nrpe writes ``-c disk -a 80 /var`` as ``disk!80!/var``. So no value can have an exclamation mark in it, and an
empty one is a value. Behind ``--`` a word is neither a name with a value nor the end of options: a value reaches what
the command declares, and nothing else. nrpe had a list of characters that were refused, without the line break
(CVE-2014-2913), and a switch against values that it looked for in the packet of another version.
"""

from typing import Final

from cmdserver.core.errors import Malformed
from cmdserver.frontends.nrpe.packets import Packet

#: What check_nrpe asks for without ``-c``.
VERSION_QUERY: Final = "_NRPE_CHECK"

_SEPARATOR: Final = "!"
#: Words behind it are values in their order; see `ParameterList.bind`.
_VALUES_FOLLOW: Final = "--"


def words_of(query: Packet) -> tuple[str, ...]:
    """Return a command's name, and its values as words that mean nothing else; `VERSION_QUERY` alone has none.

    Raises:
        Malformed: It is not UTF-8, names no command, or its end may be missing.
    """
    if query.may_be_cut:
        text = (
            f"the query is {len(query.text)} bytes long, and check_nrpe may have left out its end; give shorter values"
        )
        raise Malformed(text)
    try:
        name, *values = query.text.decode().split(_SEPARATOR)
    except UnicodeDecodeError as error:
        raise Malformed(f"the query is not UTF-8 (byte {error.start + 1})") from None
    if not name:
        raise Malformed("the query names no command")
    if name == VERSION_QUERY:
        return (VERSION_QUERY,)
    return (name, _VALUES_FOLLOW, *values) if values else (name,)
