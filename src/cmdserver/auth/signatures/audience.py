"""For whom a signed request is meant: a fleet, and names or globs of hosts in it.

    Cmdserver-Audience: prod;hosts=("web-1" "db-*")

What carries a request is not asked for whom it is: it could say anything. Pure.
"""

import re
from fnmatch import translate
from typing import Final, Self

from msgspec import Struct

from cmdserver.core.site import FLEET_NAME, FleetHost

#: In a request's field; also the component of its signature, in lower case.
FIELD: Final = "Cmdserver-Audience"
#: With 200 names of hosts the field has some 2 KB; a server takes 16 KB of fields.
MOST_NAMES: Final = 200

_GLOB: Final = "[A-Za-z0-9*?][A-Za-z0-9.*?_-]{0,252}"
_AUDIENCE: Final = re.compile(rf'({FLEET_NAME});hosts=\(("{_GLOB}"(?: "{_GLOB}")*)?\)')
#: In a row they mean what one means, and take longer.
_STARS: Final = re.compile(r"\*{2,}")


class Audience(Struct, frozen=True):
    """What the field says."""

    fleet: str
    #: Names, or globs with ``*`` and ``?``; none: nobody.
    hosts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the field.

        Raises:
            ValueError: It is none.
        """
        match = _AUDIENCE.fullmatch(text)
        if match is None:
            raise ValueError('the audience is not like FLEET;hosts=("web-1" "db-*")')
        hosts = tuple(each.strip('"') for each in match[2].split(" ")) if match[2] else ()
        if len(hosts) > MOST_NAMES:
            raise ValueError(f"the audience has {len(hosts)} names; {MOST_NAMES} are the most")
        return cls(match[1], hosts)

    def __str__(self) -> str:
        """Return the field's value."""
        names = " ".join(f'"{each}"' for each in self.hosts)
        return f"{self.fleet};hosts=({names})"

    def includes(self, host: FleetHost) -> bool:
        """Whether a host is meant."""
        name = host.name.lower()
        return host.fleet == self.fleet and any(matches(name, each.lower()) for each in self.hosts)


def matches(name: str, glob: str) -> bool:
    """Whether a name matches a glob, which has no signs but ``*`` and ``?``.

    It is not done by `fnmatch.fnmatchcase`, which would keep every glob there ever was.
    """
    if "*" not in glob and "?" not in glob:
        return name == glob
    if len(glob) - glob.count("*") > len(name):
        return False  # before it is compiled: who is not believed yet may say hundreds
    return re.fullmatch(translate(_STARS.sub("*", glob).replace("[", "[[]")), name) is not None
