"""By which ways requests newly come in."""

import pytest

from tests.diff.doubles import FILE, differences, edited

WEB = '[[listen]]\nprotocol = "web"\nendpoint = "tcp:2080:interface=127.0.0.1"\n'
HOOK = '[hooks.deploy]\ncommand = "df"\nsecret_file = "/x"\nsignature = "github"\nonly_if = { "body.ref" = "main" }\n'


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('login = "never"', "+ login is never, before required"),
        ('login = "optional"', "+ login is optional, before required"),
        ('from = ["10.0.0.0/8"]', "- is there for callers from 10.0.0.0/8, before everywhere"),
        ("tls = true", "- speaks TLS"),
        ('greeting = ""', ""),
    ],
)
def test_listeners(keys: str, said: str) -> None:
    """What it takes to come in."""
    old = FILE + '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2023:interface=127.0.0.1"\n'
    subject = " listener tcp:2023:interface=127.0.0.1: "
    assert differences(old, f"{old}{keys}\n") == ([f"{said[0]}{subject}{said[2:]}"] if said else [])
    back = [each[0] for each in differences(f"{old}{keys}\n", old)]
    assert back == [{"+": "-", "-": "+"}[each[0]] for each in ([said] if said else [])]


def test_networks() -> None:
    """More of them, and fewer."""
    old, new = (f'{FILE}{WEB}from = ["10.1.0.0/16"{more}]\n' for more in ("", ', "::1"'))
    assert differences(old, new)[0].startswith("+ ")
    assert differences(old, new.replace("10.1.0.0/16", "10.2.0.0/16"))[0].startswith("~ ")


def test_new_and_gone() -> None:
    """What is open to whom."""
    more = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2024"\nlogin = "never"\n'
    assert differences(FILE, FILE + more) == [
        "+ listener tcp:2024: is new: line, login never, no TLS, for other hosts, too"
    ]
    assert differences(FILE + more, FILE) == ["- listener tcp:2024: is gone"]
    assert edited(("2022:", "2023:"))[0].startswith("+ listener tcp:2023:interface=127.0.0.1: is new")


def test_plaintext_passwords() -> None:
    """They are asked for in the clear."""
    listen = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2024"\nlogin = "required"\ntls = true\n'
    plain = listen.replace("tls = true", "allow_plaintext_passwords = true")
    assert differences(FILE + listen, FILE + plain) == [
        "+ listener tcp:2024: speaks TLS no more",
        "+ listener tcp:2024: takes passwords without TLS",
    ]


@pytest.mark.parametrize(
    ("old", "new", "sign"),
    [
        ('only_if = { "body.ref" = "main" }\n', "", "+"),
        ('"main" }', '"main", "body.a" = "b" }', "-"),
        ('"main" }', '"next" }', "~"),
        ('"/x"', '["/x", "/y"]', "~"),
        ("github", "gitlab", "~"),
    ],
)
def test_hooks(old: str, new: str, sign: str) -> None:
    """What it takes to start something from elsewhere."""
    (line,) = differences(FILE + WEB + HOOK, FILE + WEB + HOOK.replace(old, new))
    assert line.startswith(f"{sign} hook deploy: ")


def test_secrets_among_conditions() -> None:
    """They are masked."""
    old = FILE + WEB + HOOK.replace('"main" }', '"main", "header.X-Token" = "hunter2" }')
    (line,) = differences(old, old.replace("hunter2", "hunter3"))
    assert line.startswith('~ hook deploy: only_if is {"body.ref": "main", "header.X-Token": "***"}')
    assert "hunter" not in line


def test_a_new_hook() -> None:
    """It may run its command, and says when."""
    found = differences(FILE + WEB, FILE + WEB + HOOK)
    assert found == [
        "+ hook:deploy: may run df",
        '+ hook deploy: is new: starts df, signature github, only if {"body.ref": "main"}',
    ]
