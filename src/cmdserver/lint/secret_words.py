"""Which words are probably secret: they are shown to nobody, and have no place on a command line."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

#: What stands for a secret.
MASK: Final = "***"

_NAMES: Final = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|private[-_]?key|credentials?|access[-_]?key)"
#: A name that says so, in parts: ``db_password``, ``GITHUB_TOKEN``, not ``passive`` or ``tokenizer``.
_SECRET_NAME: Final = re.compile(rf"(?:^|.*[-_.]){_NAMES}s?(?:$|[-_.](?:value|text|string)$)", re.IGNORECASE)
#: Of what is a file, or says how one is asked: no secret stands there.
_NO_SECRET: Final = re.compile(r"(?:^$|^[{/]|^(?:file|env|pass|stdin|fd):|^-$|^true$|^false$|^prompt$)", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"(-{0,2}[A-Za-z][A-Za-z0-9_.-]{0,60})[=:](.+)", re.DOTALL)
_USER_INFO: Final = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]+)(?=@)")
_HEADER: Final = re.compile(r"(?i)((?:proxy-)?authorization|x-[a-z-]*(?:token|key))(\s*:\s*)(\S.*)", re.DOTALL)


def is_secret_name(name: str) -> bool:
    """Whether what is called so is a secret: ``db_password``, ``--token``."""
    return _SECRET_NAME.fullmatch(name.lstrip("-")[:64]) is not None


def secret_words(words: Sequence[str]) -> Iterator[int]:
    """List the indices of words that have a secret in them."""
    return (index for index, (word, shown) in enumerate(zip(words, masked(words), strict=True)) if word != shown)


def masked(words: Sequence[str]) -> list[str]:
    """Show words with a mask in the place of what is probably secret."""
    shown: list[str] = []
    before = ""
    for word in words:
        shown.append(_masked(word, before))
        before = word
    return shown


def _masked(word: str, before: str) -> str:
    if before.startswith("-") and "=" not in before and is_secret_name(before) and not _NO_SECRET.search(word):
        return word if word.startswith("-") else MASK
    if header := _HEADER.fullmatch(word):
        return f"{header[1]}{header[2]}{MASK}" if "{" not in header[3] else word
    found = _ASSIGNED.fullmatch(word)
    if found is not None and is_secret_name(found[1]) and not _NO_SECRET.search(found[2]):
        return f"{word[: found.end(1) + 1]}{MASK}"
    return _USER_INFO.sub(rf"\1:{MASK}", word)
