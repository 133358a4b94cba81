"""Directives of nrpe that are no commands: what becomes of them here, and which do not."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from msgspec import Struct, field

from cmdserver.core.addresses import network_meant, parse_address, parse_network
from cmdserver.nrpe_import.directives import Directive, Remark

#: What nrpe goes by where its file says nothing.
_PORT: Final = 5666
_TIMEOUT_SECONDS: Final = 60
_MOST_PORT: Final = 65535
_MOST_SECONDS: Final = 86400 * 7

#: Those that are read here.
_READ: Final = frozenset(
    {"allow_bash_command_substitution", "allowed_hosts", "command_prefix", "command_timeout", "dont_blame_nrpe",
     "max_commands", "nrpe_group", "nrpe_user", "server_address", "server_port", "ssl_cacert_file", "ssl_cert_file",
     "ssl_client_certs", "ssl_privatekey_file", "ssl_version"}
)  # fmt: skip
#: Those that mean nothing here.
_LEFT_OUT: Final = frozenset(
    {"allow_weak_random_seed", "connection_timeout", "debug", "disable_syslog", "keep_env_vars", "listen_queue_size",
     "log_facility", "log_file", "nasty_metachars", "pid_file", "ssl_cipher_list", "ssl_logging",
     "ssl_shutdown_timeout", "ssl_use_adh"}
)  # fmt: skip


class NrpeSettings(Struct, frozen=True, kw_only=True):
    """What the listener and the defaults are made of."""

    port: int = _PORT
    #: None: every address.
    address: str | None = None
    #: None: everybody may call.
    allowed: Sequence[str] | None = None
    #: Entries of ``allowed_hosts`` that are no addresses.
    allowed_names: Sequence[str] = ()
    timeout_seconds: int = _TIMEOUT_SECONDS
    takes_arguments: bool = False
    prefix: str = ""
    user: str = ""
    group: str = ""
    max_commands: int = 0
    #: Paths, by the keys of ``[tls]``.
    tls: Mapping[str, str] = field(default_factory=dict)
    minimum_version: str = ""
    requires_certificates: bool = False
    #: What is in the file and means nothing here.
    left_out: Sequence[str] = ()


def convert(directives: Sequence[Directive]) -> tuple[NrpeSettings, Sequence[Remark]]:
    """Read all that are no commands; of each the last counts, as with nrpe."""
    last = {each.key: each for each in directives}
    remarks = [
        Remark(each.place, f"nrpe has no {each.key}") for key, each in last.items() if key not in _READ | _LEFT_OUT
    ]
    reader = _Reader(last, remarks)
    allowed, names = reader.allowed()
    settings = NrpeSettings(
        port=reader.number("server_port", _PORT, 1024, _MOST_PORT),
        address=reader.address(),
        allowed=allowed,
        allowed_names=names,
        timeout_seconds=reader.number("command_timeout", _TIMEOUT_SECONDS, 1, _MOST_SECONDS),
        takes_arguments=reader.is_on("dont_blame_nrpe"),
        prefix=reader.text("command_prefix"),
        user=reader.text("nrpe_user"),
        group=reader.text("nrpe_group"),
        max_commands=reader.number("max_commands", 0, 0, 100_000),
        tls=reader.tls(),
        minimum_version=reader.minimum_version(),
        requires_certificates=reader.number("ssl_client_certs", 0, 0, 2) == 2,  # noqa: PLR2004 - nrpe's number for it
        left_out=tuple(sorted(last.keys() & _LEFT_OUT)),
    )
    if reader.is_on("allow_bash_command_substitution"):
        reader.remark("allow_bash_command_substitution", "means nothing here: no shell sees a value")
    return settings, remarks


class _Reader:
    """Reads values, and says what is wrong with them."""

    def __init__(self, last: Mapping[str, Directive], remarks: list[Remark]) -> None:
        self._last = last
        self._remarks = remarks

    def remark(self, key: str, text: str, *, is_refusal: bool = False) -> None:
        """Say something of a directive."""
        self._remarks.append(Remark(self._last[key].place, f"{key} {text}", is_refusal=is_refusal))

    def text(self, key: str) -> str:
        """Read a text; empty if there is none."""
        return self._last[key].value if key in self._last else ""

    def is_on(self, key: str) -> bool:
        """Whether a switch is on; as with nrpe, by 1 alone."""
        return re.match(r"\s*\+?0*1(?![0-9])", self.text(key)) is not None

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """Read a whole number."""
        text = self.text(key)
        if not text:
            return default
        if re.fullmatch("[0-9]{1,9}", text) and least <= int(text) <= most:
            return int(text)
        self.remark(key, f"is {text}, and not a number from {least} to {most}; {default} stands here", is_refusal=True)
        return default

    def address(self) -> str | None:
        """Read where it listens."""
        text = self.text("server_address")
        if not text or text in {"0.0.0.0", "::"}:  # noqa: S104 - read, not bound
            return None
        address = parse_address(text)
        if address is not None:
            return str(address)
        self.remark("server_address", f"is {text}, and no address: 127.0.0.1 stands here", is_refusal=True)
        return "127.0.0.1"

    def allowed(self) -> tuple[Sequence[str] | None, Sequence[str]]:
        """Read who may call: addresses and networks, and names."""
        if "allowed_hosts" not in self._last:
            return None, ()
        networks: list[str] = []
        names: list[str] = []
        for each in filter(None, map(str.strip, self.text("allowed_hosts").split(","))):
            meant = network_meant(each)
            if meant is None:
                names.append(each)
                text = f"has {each}, which is no address: names are not looked up here, so write its addresses"
                self.remark("allowed_hosts", text, is_refusal=True)
            else:
                networks.append(meant)
                if not _is_same(each, meant):
                    self.remark("allowed_hosts", f"has {each}, which is {meant}")
        return list(dict.fromkeys(networks)), names

    def tls(self) -> Mapping[str, str]:
        """Read the files of ``[tls]``."""
        keys = {"certificate": "ssl_cert_file", "key": "ssl_privatekey_file", "client_ca": "ssl_cacert_file"}
        found = {ours: self.text(theirs) for ours, theirs in keys.items() if self.text(theirs)}
        for ours, path in list(found.items()):
            if not path.startswith("/"):
                self.remark(keys[ours], f"is {path}, and no absolute path", is_refusal=True)
                del found[ours]
        if ("certificate" in found) != ("key" in found):
            one = "certificate" if "certificate" in found else "key"
            self.remark(keys[one], "stands alone, without certificate or key: a new pair is made", is_refusal=True)
            del found[one]
        return found

    def minimum_version(self) -> str:
        """Read which TLS is spoken: 1.2 is the least."""
        text = self.text("ssl_version")
        if text and text not in {"TLSv1.2", "TLSv1.2+", "TLSv1.3", "TLSv1.3+"}:
            self.remark("ssl_version", f"is {text}, and less than TLS 1.2 is not spoken here")
        return "1.3" if text.startswith("TLSv1.3") else ""


def _is_same(written: str, meant: str) -> bool:
    try:
        return parse_network(written) == parse_network(meant)
    except ValueError:
        return False


def is_ipv6(network: str) -> bool:
    """Whether an address or a network is IPv6's, and reaches beyond this host."""
    parsed = parse_network(network)
    return isinstance(parsed, IPv6Network) and parsed != IPv6Network(IPv6Address("::1"))
