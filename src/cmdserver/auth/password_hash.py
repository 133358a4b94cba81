"""Passwords and their hashes: bcrypt, as ``htpasswd -B`` and the Python library speak it.

A hash takes a fifth of a second on purpose: compute it in a thread if a reactor runs.
"""

import re

import bcrypt

#: Of new hashes: 0.2 s on a core of 2024. Old ones keep the cost that they say.
COST = 12
#: htpasswd's own limit; a hash of cost 31 would keep a core busy for a day at every guess.
MAX_COST = 17
#: Of a password that somebody chooses (NIST SP 800-63B, section 5.1.1.2); shorter ones that are there go on working.
MIN_CHARACTERS = 8
#: bcrypt looks no further; to cut a password there would make two long ones with the same start equal.
MAX_BYTES = 72

#: Cost, 16 bytes of salt and 23 of hash. The salt's last character has two bits left; the library refuses others.
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_LOWEST_COST = 4


def hash_password(password: str) -> bytes:
    """Hash a new password.

    Raises:
        ValueError: It cannot be one; the text says why.
    """
    if trouble := trouble_with_password(password):
        raise ValueError(trouble)
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST))


def trouble_with_new_password(password: str) -> str | None:
    """Say why nobody may choose a text as their password, or None."""
    if password and len(password) < MIN_CHARACTERS:
        return f"the password has {len(password)} characters; it needs {MIN_CHARACTERS} at least"
    return trouble_with_password(password)


def trouble_with_password(password: str) -> str | None:
    """Say why a text can be nobody's password, or None."""
    if not password:
        return "the password is empty"
    try:
        length = len(password.encode())
    except UnicodeEncodeError:
        return "the password is not valid Unicode"
    if length > MAX_BYTES:
        # Never cut: all passwords with the same beginning would open the listener.
        return f"the password is {length} bytes long; bcrypt takes {MAX_BYTES}"
    if any(character in password for character in "\0\r\n"):
        return "the password has a line break or a NUL character in it"
    return None


def trouble_with_hash(text: str) -> str | None:
    """Say why a text is no bcrypt hash that passwords may be compared with, or None; never quotes it."""
    match = _HASH.fullmatch(text)
    if match is None:
        return "no bcrypt hash; make it with: cmdserver user passwd, or: htpasswd -B"
    if not _LOWEST_COST <= int(match[1]) <= MAX_COST:
        return f"a bcrypt hash of cost {match[1]}; from {_LOWEST_COST} to {MAX_COST} are accepted"
    return None
