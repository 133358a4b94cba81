"""Directives that are no commands."""

from typing import Any

import pytest

from cmdserver.nrpe_import.directives import Directive, parse
from cmdserver.nrpe_import.settings import NrpeSettings, convert, is_ipv6

_ALONE = "stands alone, without certificate or key: a new pair is made"
_BASH = "allow_bash_command_substitution"


def converted(text: str) -> tuple[NrpeSettings, list[str]]:
    """Convert directives; return what is said by line."""
    directives = [each for each in parse(text, "f") if isinstance(each, Directive)]
    settings, remarks = convert(directives)
    return settings, [f"{each.place.line}{'!' if each.is_refusal else ':'} {each.text}" for each in remarks]


def test_nothing() -> None:
    """Nrpe has defaults of its own."""
    assert converted("") == (NrpeSettings(port=5666, timeout_seconds=60), [])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("server_port=5667\nserver_port=5668", "port", 5668),
        ("server_address=192.0.2.1", "address", "192.0.2.1"),
        ("server_address=2001:DB8::1", "address", "2001:db8::1"),
        ("server_address=0.0.0.0", "address", None),
        ("server_address=::", "address", None),
        ("command_timeout=10", "timeout_seconds", 10),
        ("dont_blame_nrpe=1", "takes_arguments", True),
        ("dont_blame_nrpe=0", "takes_arguments", False),
        ("dont_blame_nrpe=2", "takes_arguments", False),
        ("dont_blame_nrpe=10", "takes_arguments", False),
        ("dont_blame_nrpe=yes", "takes_arguments", False),
        ("command_prefix=/usr/bin/sudo", "prefix", "/usr/bin/sudo"),
        ("nrpe_user=nagios", "user", "nagios"),
        ("nrpe_group=nagios", "group", "nagios"),
        ("max_commands=5", "max_commands", 5),
        ("ssl_client_certs=2", "requires_certificates", True),
        ("ssl_client_certs=1", "requires_certificates", False),
        ("ssl_version=TLSv1.2+", "minimum_version", ""),
        ("ssl_version=TLSv1.3", "minimum_version", "1.3"),
        ("ssl_cert_file=/a\nssl_privatekey_file=/b", "tls", {"certificate": "/a", "key": "/b"}),
        ("ssl_cacert_file=/c", "tls", {"client_ca": "/c"}),
        ("pid_file=/x\ndebug=0", "left_out", ("debug", "pid_file")),
        ("allowed_hosts=127.0.0.1, ::1 ,10.0.0.0/8,,127.0.0.1", "allowed", ["127.0.0.1", "::1", "10.0.0.0/8"]),
    ],
)
def test_what_is_read(text: str, name: str, value: Any) -> None:
    """The last counts, and nothing is said of what is taken."""
    settings, said = converted(text)
    assert (getattr(settings, name), said) == (value, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server_port=80", "1! server_port is 80, and not a number from 1024 to 65535; 5666 stands here"),
        ("server_port=x", "1! server_port is x, and not a number from 1024 to 65535; 5666 stands here"),
        ("command_timeout=0", "1! command_timeout is 0, and not a number from 1 to 604800; 60 stands here"),
        ("server_address=eth0", "1! server_address is eth0, and no address: 127.0.0.1 stands here"),
        ("ssl_version=SSLv3+", "1: ssl_version is SSLv3+, and less than TLS 1.2 is not spoken here"),
        ("ssl_cacert_file=ca.pem", "1! ssl_cacert_file is ca.pem, and no absolute path"),
        ("ssl_cert_file=/a", f"1! ssl_cert_file {_ALONE}"),
        ("ssl_privatekey_file=/", f"1! ssl_privatekey_file {_ALONE}"),
        (f"{_BASH}=1", f"1: {_BASH} means nothing here: no shell sees a value"),
        ("max_comands=3", "1: nrpe has no max_comands"),
        ("allowed_hosts=10.1.2.3/8", "1: allowed_hosts has 10.1.2.3/8, which is 10.0.0.0/8"),
        ("allowed_hosts=::ffff:10.0.0.1", "1: allowed_hosts has ::ffff:10.0.0.1, which is 10.0.0.1"),
    ],
)  # fmt: skip
def test_what_is_said(text: str, said: str) -> None:
    """What cannot be taken is refused; what means something else is told."""
    assert converted(text)[1] == [said]


def test_names_of_hosts() -> None:
    """They let nobody in, and everybody neither."""
    settings, (said,) = converted("allowed_hosts=monitor.example")
    assert (settings.allowed, settings.allowed_names) == ([], ["monitor.example"])
    assert said.startswith("1! allowed_hosts has monitor.example, which is no address: names are not looked up here")


def test_ipv6() -> None:
    """That of this host alone takes no socket of its own."""
    assert [is_ipv6(each) for each in ("10.0.0.0/8", "::1", "::1/128", "2001:db8::1", "::/0")] == [
        False, False, False, True, True
    ]  # fmt: skip
