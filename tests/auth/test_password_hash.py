"""Passwords and their hashes."""

import bcrypt
import pytest

from cmdserver.auth.password_hash import (
    MAX_BYTES,
    hash_password,
    trouble_with_hash,
    trouble_with_new_password,
    trouble_with_password,
)

HASH = "$2b$04$" + "." * 21 + "O" + "a" * 31


def test_a_new_hash() -> None:
    """It is bcrypt's, of the cost that we promise, and good for that password only."""
    hashed = hash_password("grün")

    assert hashed.startswith(b"$2b$12$")
    assert trouble_with_hash(hashed.decode()) is None
    assert bcrypt.checkpw("grün".encode(), hashed)
    assert not bcrypt.checkpw(b"gruen", hashed)


@pytest.mark.parametrize("password", ["", "x" * (MAX_BYTES + 1), "ä" * 37, "a\0b", "a\nb", "a\r", "\ud800"])
def test_what_is_no_password(password: str) -> None:
    """What bcrypt would cut, what no listener could ask for, and nothing at all."""
    assert trouble_with_password(password)
    with pytest.raises(ValueError, match="the password"):
        hash_password(password)


def test_the_longest_password() -> None:
    """Bytes count, not characters."""
    assert trouble_with_password("ä" * 36) is None


@pytest.mark.parametrize(
    ("password", "trouble"),
    [
        ("12345678", None),
        ("grünes Ö", None),
        ("1234567", "the password has 7 characters; it needs 8 at least"),
        ("", "the password is empty"),
        ("x" * (MAX_BYTES + 1), "the password is 73 bytes long; bcrypt takes 72"),
    ],
)
def test_what_may_be_chosen(password: str, trouble: str | None) -> None:
    """Characters count for what is too short; what was chosen before that counts is a password still."""
    assert trouble_with_new_password(password) == trouble
    assert trouble_with_password("1234567") is None


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
@pytest.mark.parametrize("cost", ["04", "05", "12", "17"])
def test_hashes(prefix: str, cost: str) -> None:
    """Of every tool."""
    assert trouble_with_hash(prefix + cost + HASH[6:]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$apr1$x$y",
        "$2x$" + HASH[4:],
        "$2b$03" + HASH[6:],
        "$2b$18" + HASH[6:],
        "$2b$99" + HASH[6:],
        HASH[:-1],
        HASH + "a",
        HASH + "\n",
        HASH.replace("O", "P"),  # two bits of salt too many: bcrypt.checkpw would raise
    ],
)
def test_what_is_no_hash(text: str) -> None:
    """Other schemes, costs that take days, damage; and none is quoted."""
    trouble = trouble_with_hash(text)

    assert trouble
    assert not text or text not in trouble
