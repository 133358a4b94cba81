"""Endpoint descriptions, such as ``tcp:2022:interface=127.0.0.1``: what one says, or what is wrong with it.

Twisted reads them in the end, but what it raises speaks of Python's functions to whoever writes a configuration. So the
kinds that people use are looked at here first. A description of a kind that is not known here passes; whether there is
such a kind is Twisted's to say.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from cmdserver.core.escaping import toml_string

#: In front of another description: a proxy says who calls.
PROXY = "haproxy:"

_MOST_PORT = 65535
_NUMBER = "[0-9]{1,9}"
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXAMPLE = "tcp:2022:interface=127.0.0.1"


class Endpoint(Struct, frozen=True, kw_only=True):
    """What a description says; `parse` makes it. Equal if the descriptions are."""

    #: The description, as the administrator wrote it.
    text: str
    #: ``tcp``, say.
    kind: str
    #: By their names, without backslashes; of a kind that is not known here only those that have a name.
    arguments: Mapping[str, str]
    #: What a proxy in front of it, which says who calls (``haproxy:``), connects to; None: there is none.
    behind_proxy: "Endpoint | None" = None

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Endpoint) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_proxied(self) -> bool:
        """Whether it is behind a proxy that says who calls."""
        return self.behind_proxy is not None

    @property
    def interface(self) -> str:
        """The address or host name that it listens on; empty for every one, and for what is not TCP."""
        return self.arguments.get("interface", "")

    @property
    def path(self) -> Path | None:
        """Where its UNIX socket lies; None if it has none, or none in the file system."""
        address = self.arguments["address"] if self.kind == "unix" else ""
        return Path(address) if address and "\0" not in address else None

    def within(self, directory: Path) -> "Endpoint":
        """Return the same one with the path of its UNIX socket in a directory, if that is not absolute."""
        if self.path is None or self.path.is_absolute() or directory == Path():
            return self
        path = str(directory / self.path)
        escaped = path.replace("\\", "\\\\").replace(":", "\\:")
        more = "".join(f":{name}={value}" for name, value in self.arguments.items() if name != "address")
        return Endpoint(text=f"unix:{escaped}{more}", kind=self.kind, arguments={**self.arguments, "address": path})

    @property
    def is_local(self) -> bool:
        """Whether it is certain that nobody but this host can reach it.

        What comes from a proxy comes from other hosts, and a kind that is not known may lead anywhere.
        """
        if self.is_proxied:
            return False
        if self.kind in {"tcp", "tcp6"}:
            return self.interface == "localhost" or (
                is_address(self.interface) and ip_address(self.interface).is_loopback
            )
        return self.kind == "unix"


def parse(description: str) -> Endpoint:
    """Read a description.

    Raises:
        ValueError: It is none, and says what is wrong with which value, and what it should say.
    """
    if description.startswith(PROXY):
        inner = parse(description.removeprefix(PROXY))
        return Endpoint(text=description, kind=inner.kind, arguments=inner.arguments, behind_proxy=inner)
    _require_one(description)
    (kind, *values), named = _split(description)
    signature = _SIGNATURES.get(kind)
    if signature is None:
        _require_kind(kind, description)
        return Endpoint(text=description, kind=kind, arguments=named)
    try:
        return Endpoint(text=description, kind=kind, arguments=_arguments(signature, values, named))
    except ValueError:
        if kind not in {"tcp", "tcp6"}:
            raise
        text = description.removeprefix(f"{kind}:")
        if re.fullmatch(_HOST_AND_PORT, text) and (meant := _meant(text, [_HOST_THEN_PORT])):
            raise ValueError(f"the port comes first, then the address: {toml_string(meant)}") from None
        if (meant := _meant(text, _PORT_FIRST)) is None:
            raise
        text = "in front of each colon of an IPv6 address belongs a backslash, and no brackets around it"
        raise ValueError(f"{text}: {toml_string(meant)}") from None


def _split(description: str) -> tuple[list[str], dict[str, str]]:
    """Take a description apart as Twisted does: at colons and at first equals signs, unless behind a backslash."""
    fields: list[list[str]] = [[""]]
    is_escaped = False
    for character in description:
        if is_escaped or character not in ":=\\" or (character == "=" and len(fields[-1]) > 1):
            fields[-1][-1] += character
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        elif character == ":":
            fields.append([""])
        else:
            fields[-1].append("")
    if is_escaped:
        raise ValueError("it ends in a backslash, which belongs in front of a character")
    named: dict[str, str] = {}
    for name, *value in fields:
        if name in named and value:
            raise ValueError(f"{name}= is there twice")
        if value:
            named[name] = value[0]
    return [each[0] for each in fields if len(each) == 1] or [""], named


def _require_one(description: str) -> None:
    """Refuse several descriptions in one text."""
    several = re.split(r"\s*[,;]\s*|\s+", description.strip())
    if len(several) > 1 and all(re.match(r"(tcp6?|unix|systemd|haproxy):", each) for each in several):
        raise ValueError(f"several endpoints are a list: [{', '.join(map(toml_string, several))}]")


def _require_kind(kind: str, description: str) -> None:
    """Refuse what cannot begin a description, of whatever kind."""
    if re.fullmatch(r":?[0-9]+", description) and not _port(port := description.removeprefix(":")):
        here, everywhere = (toml_string(f"tcp:{port}{each}") for each in (":interface=127.0.0.1", ""))
        raise ValueError(f"it begins with its kind: {here}, or {everywhere} for other hosts, too")
    if description.startswith("/"):
        raise ValueError(f"it begins with its kind: {toml_string(f'unix:{description}')}")
    if kind in {"http", "https"}:
        raise ValueError(f"it is no URL; what is spoken there is the protocol, as in {_EXAMPLE}")
    if meant := _meant(description, _ADDRESS_FIRST):
        raise ValueError(f"it begins with its kind, and then comes the port: {toml_string(meant)}")
    from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

    if near := get_close_matches(kind.lower(), _SIGNATURES, n=1):
        raise ValueError(f"there is no kind {toml_string(kind)}; did you mean {near[0]}?")
    if not kind or ":" not in description:
        raise ValueError(f"it begins with its kind and a colon, as in {_EXAMPLE}")


_Check = Callable[[str], str | None]


class _Signature(Struct, frozen=True):
    """What a kind takes; a check says what is wrong with a value, or None."""

    #: In the order in which they may stand without their names.
    checks: Mapping[str, _Check]
    required: Sequence[str]
    example: str


def _arguments(signature: _Signature, values: Sequence[str], named: Mapping[str, str]) -> Mapping[str, str]:
    arguments = dict(zip(signature.checks, values, strict=False))
    for value in values[len(signature.checks) :]:
        raise ValueError(f"{toml_string(value)} is one value too many, as in {signature.example}")
    for name, value in named.items():
        if name not in signature.checks:
            from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

            near = get_close_matches(name, signature.checks, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(signature.checks)}"
            raise ValueError(f"it has no {toml_string(name)}; {hint}")
        if name in arguments:
            raise ValueError(f"{name} is there twice, as {toml_string(arguments[name])} and as {toml_string(value)}")
        arguments[name] = value
    for name in signature.required:
        if name not in arguments:
            raise ValueError(f"{name} is missing, as in {signature.example}")
    if "index" in signature.checks and ("index" in arguments) == ("name" in arguments):
        raise ValueError(f"it takes a name or an index, one of them, as in {signature.example}")
    for name, value in arguments.items():
        if trouble := signature.checks[name](value):
            raise ValueError(f"{name} is {toml_string(value)}; {trouble}")
    return arguments


def _port(value: str) -> str | None:
    is_port = re.fullmatch(_NUMBER, value) and int(value) <= _MOST_PORT
    return None if is_port else f"it is a number from 0 to {_MOST_PORT}"


def _interface(value: str) -> str | None:
    if not value:
        return "leave it out to listen on every address"
    if is_address(value) or _HOST_NAME.fullmatch(value):
        return None
    return "it is an IP address of this host"


def _matching(pattern: str, complaint: str) -> _Check:
    return lambda value: None if re.fullmatch(pattern, value) else complaint


_backlog = _matching(_NUMBER, "it is the length of the listen queue, a number")
_mode = _matching("(0o?)?[0-7]{1,4}", "it is octal, as chmod takes it: 660")
_lockfile = _matching("[01]", "it is 0 or 1")
_domain = _matching("INET|INET6|UNIX", "it is INET, INET6 or UNIX")
_index = _matching(_NUMBER, "it is a number; better give the socket a name (FileDescriptorName=)")
_anything = _matching("(?s:.+)", "it may not be empty")

_TCP = {"port": _port, "interface": _interface, "backlog": _backlog}

_SIGNATURES: Mapping[str, _Signature] = {
    "tcp": _Signature(_TCP, ["port"], _EXAMPLE),
    "tcp6": _Signature({name: _TCP[name] for name in ("port", "backlog", "interface")}, ["port"], "tcp6:2022"),
    "unix": _Signature(
        {"address": _anything, "mode": _mode, "backlog": _backlog, "lockfile": _lockfile},
        ["address"],
        "unix:/run/cmdserver/line:mode=660",
    ),
    "systemd": _Signature({"domain": _domain, "index": _index, "name": _anything}, [], "systemd:name=line"),
}


def is_address(text: str) -> bool:
    """Whether a text is an IP address, an IPv6 one without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_IPV6 = r"\[?(?P<address>[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(%[A-Za-z0-9._-]+)?)\]?"
_PORT_THEN_ADDRESS = rf"(?P<port>[0-9]+):(interface=)?{_IPV6}(:backlog=[0-9]*)?"
_ADDRESS_THEN_PORT = rf"(interface=)?{_IPV6}:(port=)?(?P<port>[0-9]+)"
_HOST_THEN_PORT = r"((?P<address>[0-9.]*|localhost|\*):)?(?P<port>[0-9]+)"
_HOST_AND_PORT = r"([0-9]+\.[0-9.]+|localhost|\*):[0-9]+"

#: How addresses are written by mistake; the more likely way first.
_PORT_FIRST = (_PORT_THEN_ADDRESS, _ADDRESS_THEN_PORT)
_ADDRESS_FIRST = (_HOST_THEN_PORT, _ADDRESS_THEN_PORT)


def _meant(text: str, patterns: Sequence[str]) -> str | None:
    """Say what somebody has most likely meant who knows addresses and not endpoint descriptions."""
    for pattern in patterns:
        found = re.fullmatch(pattern, text.replace("\\:", ":"))
        if found is None or _port(found["port"]):
            continue
        address = found["address"] or "*"
        if address == "*":
            return f"tcp:{found['port']}"
        if address == "localhost" or is_address(address):
            kind = "tcp6" if ":" in address else "tcp"
            return f"{kind}:{found['port']}:interface={address.replace(':', chr(92) + ':')}"
    return None
