"""The command line: its options, its help, and what is wrong with it.

Only the parser of the one kind that is asked for is made: to make eleven takes longer than to probe.
"""

import argparse
from collections.abc import Callable, Sequence
from math import isfinite
from typing import NoReturn

from cmdserver_probe import kind_table
from cmdserver_probe.errors import WrongUsage
from cmdserver_probe.escapes import unescape
from cmdserver_probe.kind_table import KINDS, Kind
from cmdserver_probe.printable import shown

PROGRAM = "cmdserver-probe"
LONGEST_SECONDS = 3600.0
_LONGEST_WORD = 2048
_WIDTH = 100

_USAGE = f"{PROGRAM} KIND TARGET [OPTION...]"
_EPILOG = f"""\
{PROGRAM} KIND --help says more, with examples.
Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (wrong usage, too).
"""


class Options(argparse.Namespace):
    """What was asked for; these are the defaults. Seconds and days may be fractions."""

    kind: str = ""
    target: str = ""
    family: int = 0  # 4, 6, or 0 for both
    timeout: float = 10.0
    warning: float | None = None
    critical: float | None = None
    json: bool = False
    tls: bool = False
    starttls: bool = False
    ca_file: str | None = None
    insecure: bool = False
    server_name: str | None = None
    warning_days: float | None = None
    critical_days: float | None = None
    user: str | None = None
    password_file: str | None = None
    send: bytes | None = None
    expect: str | None = None
    expect_bytes: bytes | None = None  # the same, of kinds that can send, too
    server: str | None = None
    type: str = "A"
    warning_offset: float | None = None
    critical_offset: float | None = None


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help of a known width: to find that of the terminal, argparse loads all that Python knows of compressed files."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """A parser that leaves it to others to print what is wrong, and to end."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong."""
        raise WrongUsage(message)


def parse(words: Sequence[str]) -> Options:
    """Read the command line. Help is printed, and ends the program.

    Raises:
        WrongUsage: It is not right.
    """
    if not words or words[0] not in KINDS:
        _parse_without_kind(words)
    name, *rest = words
    options = parser_of(name).parse_args(rest, Options(kind=name))
    _check(options)
    return options


def parser_of(name: str) -> Parser:
    """Make the parser of a kind; man pages are made of it, too."""
    kind = KINDS[name]
    parser = _parser(f"{PROGRAM} {name}", kind.summary, _examples(kind))
    parser.add_argument("target", metavar=kind.target, type=_word, help=_target_help(kind))
    _add_common(parser)
    for group, add in _GROUPS.items():
        if group in kind.groups:
            add(parser)
    return parser


def general_parser() -> Parser:
    """Make what is there without a kind: help."""
    kinds = "".join(f"  {name:6}{kind.summary}\n" for name, kind in KINDS.items())
    parser = _parser(
        PROGRAM, "Say whether a service answers, and how long each step takes.", f"kinds:\n{kinds}\n{_EPILOG}"
    )
    parser.usage = _USAGE
    return parser


def _parse_without_kind(words: Sequence[str]) -> None:
    if words and words[0] in {"-h", "--help"}:
        general_parser().parse_args(["--help"])
    said = f"{shown(words[0], 40)} is no kind" if words else "a kind is missing"
    raise WrongUsage(f"{said}; there are {' '.join(KINDS)}")


def _parser(name: str, summary: str, epilog: str) -> Parser:
    return Parser(
        name,
        description=summary,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=_Help,
    )


def _examples(kind: Kind) -> str:
    lines = (f"  {PROGRAM} {line}\n      {what}\n" for line, what in kind.examples)
    return f"examples:\n{''.join(lines)}\n{_EPILOG.partition(chr(10))[2]}"


def _target_help(kind: Kind) -> str:
    if kind.target != kind_table.HOST_AND_PORT:
        return {"URL": "http://HOST[:PORT]/PATH or https://...", "NAME": "the name that is looked up"}[kind.target]
    default = "" if kind.port is None else f"; without a port, {kind.port}"
    default += "" if kind.tls_port is None else f" ({kind.tls_port} with --tls)"
    return f"HOST:PORT or [V6]:PORT{default}"


def _add_common(parser: Parser) -> None:
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="IPv4 only")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="IPv6 only")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="the end of all, is CRITICAL (10)")
    parser.add_argument("--warning", type=_seconds, metavar="SECONDS", help="taking longer is WARNING")
    parser.add_argument("--critical", type=_seconds, metavar="SECONDS", help="taking longer is CRITICAL")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_tls(parser: Parser) -> None:
    parser.add_argument("--ca-file", type=_word, metavar="FILE", help="trust these authorities instead of the system's")
    parser.add_argument("--server-name", type=_word, metavar="NAME", help="whom the certificate must be for")
    parser.add_argument(
        "--insecure", action="store_true", help="accept any certificate; send a password without TLS, too"
    )


def _add_days(parser: Parser) -> None:
    warning, critical = (" (14)", " (7)") if parser.prog == f"{PROGRAM} tls" else ("", "")
    text = "a certificate that ends sooner is"
    parser.add_argument("--warning-days", type=_days, metavar="DAYS", help=f"{text} WARNING{warning}")
    parser.add_argument("--critical-days", type=_days, metavar="DAYS", help=f"{text} CRITICAL{critical}")


def _add_starttls(parser: Parser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--tls", action="store_true", help="TLS from the first octet")
    how.add_argument("--starttls", action="store_true", help="TLS by the protocol's own command")


def _add_login(parser: Parser) -> None:
    parser.add_argument("--user", type=_word, metavar="NAME", help="log in")
    parser.add_argument("--password-file", type=_word, metavar="FILE", help="its first line is the password")


def _add_send(parser: Parser) -> None:
    parser.add_argument("--send", type=_octets, metavar="TEXT", help=r"send this; \r \n \t \0 \\ \xNN are escapes")
    parser.add_argument(
        "--expect", dest="expect_bytes", type=_octets, metavar="TEXT", help="an answer without this is CRITICAL"
    )


def _add_expect(parser: Parser) -> None:
    parser.add_argument("--expect", metavar="TEXT", help="an answer without this is CRITICAL")


def _add_dns(parser: Parser) -> None:
    parser.add_argument("--server", metavar="HOST[:PORT]", help="whom to ask (the first of /etc/resolv.conf)")
    parser.add_argument("--type", metavar="TYPE", help="A, AAAA, MX, TXT, ... (A)")


def _add_offset(parser: Parser) -> None:
    parser.add_argument("--warning-offset", type=_seconds, metavar="SECONDS", help="a clock further off is WARNING")
    parser.add_argument("--critical-offset", type=_seconds, metavar="SECONDS", help="a clock further off is CRITICAL")


_GROUPS: dict[str, Callable[[Parser], None]] = {
    kind_table.STARTTLS: _add_starttls,
    kind_table.TLS: _add_tls,
    kind_table.DAYS: _add_days,
    kind_table.LOGIN: _add_login,
    kind_table.SEND: _add_send,
    kind_table.EXPECT: _add_expect,
    kind_table.DNS: _add_dns,
    kind_table.OFFSET: _add_offset,
}


def _word(text: str) -> str:
    if not text or len(text) > _LONGEST_WORD or not text.isprintable():
        raise argparse.ArgumentTypeError("it is empty, or long, or has control characters")
    return text


def _octets(text: str) -> bytes:
    try:
        octets = unescape(text)
    except WrongUsage as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not octets:
        raise argparse.ArgumentTypeError("it is empty")
    return octets


def _seconds(text: str) -> float:
    return _number(text, "seconds", LONGEST_SECONDS)


def _days(text: str) -> float:
    return _number(text, "days", 36500.0)


def _number(text: str, unit: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not isfinite(number) or not 0 < number <= most:
        raise argparse.ArgumentTypeError(f"{shown(text, 40)} is not more than 0 and up to {most:g} {unit}")
    return number


def _check(options: Options) -> None:
    """Look at options that belong together.

    Raises:
        WrongUsage: They do not fit.
    """
    _require_order("--warning", options.warning, "--critical", options.critical)
    _require_order("--critical-days", options.critical_days, "--warning-days", options.warning_days)
    _require_order("--warning-offset", options.warning_offset, "--critical-offset", options.critical_offset)
    if (options.user is None) != (options.password_file is None):
        raise WrongUsage("--user and --password-file belong together; a password is never typed on a command line")
    _require_tls(options)
    if options.kind == "udp" and options.send is None:
        raise WrongUsage("--send is missing: by UDP nobody answers who was not asked")


def _require_tls(options: Options) -> None:
    """Whoever says something of the certificate takes it that there is one.

    Raises:
        WrongUsage: There is no TLS.
    """
    has_tls = options.kind == "tls" or options.tls or options.starttls or options.target.lower().startswith("https:")
    about_it = {
        "--ca-file": options.ca_file,
        "--server-name": options.server_name,
        "--warning-days": options.warning_days,
        "--critical-days": options.critical_days,
    }
    said = [name for name, value in about_it.items() if value is not None]
    if said and not has_tls:
        how = "https" if options.kind == "http" else "--tls or --starttls"
        raise WrongUsage(f"{said[0]} is without effect: there is no TLS; write {how}")


def _require_order(low_name: str, low: float | None, high_name: str, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise WrongUsage(f"{low_name} {low:g} is more than {high_name} {high:g}")
