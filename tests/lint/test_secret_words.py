"""Which words are probably secret."""

import pytest

from cmdserver.lint.secret_words import is_secret_name, masked


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--password=abc", "--password=***"),
        ("--db-password abc", "--db-password ***"),
        ("--token abc df", "--token *** df"),
        ("GITHUB_TOKEN=abc", "GITHUB_TOKEN=***"),
        ("https://ann:abc@example.org/a", "https://ann:***@example.org/a"),
        ("Authorization:Bearer", "Authorization:***"),
        ("X-Auth-Token:abc", "X-Auth-Token:***"),
        ("--password-file=/etc/a", "--password-file=/etc/a"),
        ("--password=/etc/a", "--password=/etc/a"),
        ("--passin file:/etc/a", "--passin file:/etc/a"),
        ("--passive=abc", "--passive=abc"),
        ("--tokenizer abc", "--tokenizer abc"),
        ("--password --verbose", "--password --verbose"),
        ("--password={x}", "--password={x}"),
        ("df -h", "df -h"),
        ("https://example.org:80/a", "https://example.org:80/a"),
    ],
)
def test_masked(words: str, shown: str) -> None:
    """The secret alone is masked; a file's name, and what only looks like a name of one, are none."""
    assert masked(words.split()) == shown.split()


@pytest.mark.parametrize("name", ["password", "db_password", "API-KEY", "apikey", "ssh_passphrase", "tokens", "secret"])
def test_names(name: str) -> None:
    """Words in a name, by themselves."""
    assert is_secret_name(name)


def test_a_long_word() -> None:
    """It takes no time to speak of."""
    assert masked(["-" + "a-" * 100_000 + "=b", "a" * 1_000_000]) is not None
