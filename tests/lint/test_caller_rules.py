"""What is said of roles and listeners, and what is not."""

import pytest

from tests.lint.doubles import COMMANDS, LISTEN, ROLES, lines, rules_of


@pytest.mark.parametrize(
    ("role", "found"),
    [
        ('[roles.authenticated]\ncommands = ["*"]', ["wildcard-role"]),
        ('[roles.authenticated]\ncommands = ["restart"]', []),
        ('[roles.anonymous]\ncommands = ["**"]', ["wildcard-role", "anonymous-changes"]),
        ('[roles.anonymous]\ncommands = ["up*"]', []),
        ('[roles.anonymous]\ncommands = ["re*"]', ["anonymous-changes"]),
        ('[roles.anonymous]\ncommands = ["uptime"]\nsees = ["uptime"]\nstops = ["uptime"]', ["anonymous-watches"]),
        ('[roles.anonymous]\ncommands = ["uptime"]\nsees = ["*"]', ["anonymous-watches"]),
        ('[roles.others]\nusers = ["bob"]\ncommands = ["*"]\nsees = ["*"]\nstops = ["*"]', []),
    ],
)
def test_roles(role: str, found: list[str]) -> None:
    """Only those that somebody has without being named."""
    assert rules_of(lines(f"{LISTEN}{COMMANDS}{ROLES}{role}\n")) == found


def test_checks_change_nothing() -> None:
    """A check is for monitoring, which asks without a login."""
    commands = COMMANDS.replace("restart]\n", "restart]\ncheck = true\n")
    assert lines(f'{LISTEN}{commands}{ROLES}[roles.anonymous]\ncommands = ["restart"]\n') == []


@pytest.mark.parametrize(
    ("keys", "is_found"),
    [
        ('endpoint = "tcp:2023"\nlogin = "never"', True),
        ('endpoint = "tcp6:2023"\nlogin = "required"\nallow_plaintext_passwords = true', True),
        ('endpoint = "haproxy:tcp:2023"\nlogin = "never"', True),
        ('endpoint = "tcp:2023"\nlogin = "never"\nfrom = ["10.0.0.0/8"]', True),
        ('endpoint = "tcp:2023"\nlogin = "never"\ntls = true', False),
        ('endpoint = "tcp:2023"\nlogin = "never"\nfrom = ["127.0.0.1", "::1"]', False),
        ('endpoint = "haproxy:tcp:2023:interface=127.0.0.1"\nlogin = "never"', False),
        ('endpoint = "unix:/run/x"\nlogin = "never"', False),
        ('endpoint = "systemd:name=x"\nlogin = "never"', False),
    ],
)
def test_listeners(keys: str, *, is_found: bool) -> None:
    """Those that other hosts reach, where nothing is encrypted."""
    found = rules_of(lines(f'{LISTEN}[[listen]]\nprotocol = "line"\n{keys}\n{COMMANDS}{ROLES}'))
    assert found == ["plaintext-listener"] * is_found


def test_ssh_is_encrypted() -> None:
    """By itself."""
    assert lines(f'{LISTEN}[[listen]]\nprotocol = "ssh"\nendpoint = "tcp:2025"\n{COMMANDS}{ROLES}') == []
