"""Parameters of every type, and texts of every kind, for the tests of values."""

from decimal import Decimal
from ipaddress import ip_network
from typing import Any, Final

from hypothesis import strategies as st

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.number_types import Duration, Integer, Number, Port
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime

#: Every type, with and without its keys.
TYPES: Final[dict[str, ParameterType]] = {
    "choice": Choice(choices={"nginx": "nginx", "web-1": "Web", "ümläut": "ü", "a b": "a b"}),
    "choice of a list": Choice(source="units"),
    "choice of a list with a pattern": Choice(source="units", pattern=Pattern(".{0,40}")),
    "string": String(),
    "string with a pattern": String(pattern=Pattern(r"[\w\s.-]+"), max_length=20),
    "string that may be empty": String(min_length=0, max_length=3),
    "string with a dash": String(may_begin_with_dash=True),
    "secret": Secret(),
    "text": Text(),
    "text that is short": Text(max_bytes=8),
    "flag": Flag(gives=("--utc", "-x")),
    "integer": Integer(),
    "integer from 1": Integer(minimum=1, maximum=500),
    "integer below 0": Integer(minimum=-10, maximum=-1),
    "integer to 0": Integer(maximum=0),
    "number": Number(),
    "number from 0": Number(minimum=Decimal(0), maximum=Decimal("2.5")),
    "number below 0": Number(minimum=Decimal("-0.5"), maximum=Decimal("0.5")),
    "port": Port(),
    "duration": Duration(),
    "duration to a day": Duration(minimum=60, maximum=86400),
    "host": Host(),
    "host with limits": Host(
        networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")), names=("*.example.org",)
    ),
    "date": Date(),
    "date with a format": Date(format="%d.%m.%Y"),
    "datetime": DateTime(),
    "datetime with a format": DateTime(format="%Y-%m-%d %H:%M:%S"),
}

_ALPHABETS: Final = (
    "0123456789+-.eE_ ",
    "0123456789-:TWZ+., ",
    "0123456789dhms",
    "0123456789abcdefABCDEF:.%x/[]",
    "abcXYZ019-._\u212a\u0130\u017f",
    "trueTRUEfalsyno01 ",
    "-=\0\n\r\t \x7f\x85\u2028\ud800\U0010ffff",
    "\u0660\u0661\u0969\uff11\u00b2\u00bd\u066b-",
)
_SAMPLES: Final = (
    "",
    "-",
    "--",
    "-1",
    "+1",
    "-0",
    "00",
    "1e3",
    "1_000",
    "0x10",
    "1.",
    ".5",
    "-0.0",
    "NaN",
    "inf",
    "Infinity",
    "1" * 41,
    "nginx",
    "NGINX",
    "nginx\n",
    "web-*",
    "true",
    "True",
    "yes",
    "on",
    "example.org",
    "EXAMPLE.org",
    "a.example.org",
    "1.2.3",
    "10.0.0.1",
    "::1",
    "::ffff:10.0.0.1",
    "fe80::1%eth0",
    "0x7f000001",
    "2001:DB8:0::1",
    "a" * 64,
    f"{'a' * 63}.b",
    "a_b",
    "2026-11-28",
    "20261128",
    "2026-W48-6",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "2026-11-28T09:30",
    "2026-11-28 09:30:15.5+01:00",
    "0001-01-01T00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59.999999",
    "2026-11-28T24:00",
    "2026-11-28T09:30Z",
    "90",
    "90s",
    "1h30m",
    "999999999999d",
    "1d1d",
    "d",
    "999999999999d999999999999h",
    "0",
    "65535",
    "65536",
    "a\r\nb",
    "a\rb",
    "\r\n",
    "\x00",
    "\ud800",
    "\u2028",
    "${x}",
    "{x}",
    "%s",
)


def texts() -> st.SearchStrategy[str]:
    """Make texts such as people, programs and attackers give, with lone surrogates too."""
    return st.one_of(
        st.sampled_from(_SAMPLES),
        st.text(max_size=12),
        st.text(st.characters(codec=None), max_size=12),
        *(st.text(alphabet, max_size=16) for alphabet in _ALPHABETS),
        st.integers().map(str),
        st.decimals(allow_nan=False).map(str),
        st.ip_addresses().map(str),
        st.datetimes().map(str),
        st.dates().map(str),
        st.builds("{}{}".format, st.sampled_from(_SAMPLES), st.sampled_from(_SAMPLES)),
    )


def accepted(type_: ParameterType, text: str) -> str | None:
    """Return the canonical form; None if there is none."""
    try:
        return type_.canonical(text)
    except NotAccepted:
        return None


def a_parameter(name: str = "unit", type_: ParameterType | None = None, **overrides: Any) -> Parameter:
    """Make a parameter; a required line unless told otherwise."""
    return Parameter(**{"name": name, "type": type_ or String(), "label": name, **overrides})


def optional(name: str, type_: ParameterType | None = None, **overrides: Any) -> Parameter:
    """Make a parameter that may be left out."""
    return a_parameter(name, type_, is_required=False, **overrides)
