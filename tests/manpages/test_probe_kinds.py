"""Tests that all kinds of `cmdserver-probe` are told, with all their options."""

import pytest

from cmdserver_probe.kind_table import KINDS
from manpages import probe_kinds
from manpages.markdown import CannotWrite, Writer, parse
from tests.manpages.reading import plain

_WRITER = Writer(lambda _target, text, _plain: text)
_HEAD = "| kind | target | steps | numbers |\n|---|---|---|---|\n"


def test_every_kind() -> None:
    """What the parser says, what the document says, and the options that not all have."""
    rows = "".join(f"| `{kind}` | `T-{kind}` | `s` | |\n" for kind in KINDS)
    text = "\n".join(map(plain, probe_kinds.kinds(parse(_HEAD + rows), _WRITER)))

    for kind, each in KINDS.items():
        assert f"\n{kind}\n{each.summary.split('. ')[0].split()[0]}" in text
        assert f"Target: T-{kind}.\nSteps: s." in text
    assert "Options of its own: --send TEXT, --expect TEXT." in text
    assert "Numbers" not in text


def test_a_kind_that_the_document_lacks() -> None:
    """It is a mistake."""
    with pytest.raises(CannotWrite, match="lacks tls"):
        probe_kinds.kinds(parse(f"{_HEAD}| `tcp` | a | b | |\n"), _WRITER)


def test_common_options() -> None:
    """They are those that each kind has."""
    assert probe_kinds.common_options() == ["-4", "-6", "--timeout", "--warning", "--critical", "--json"]


def test_its_own_words() -> None:
    """How it is called and what it is for are what --help says."""
    assert plain(probe_kinds.synopsis()) == "cmdserver-probe KIND TARGET [OPTION...]"
    assert probe_kinds.summary() == "say whether a service answers, and how long each step takes"
