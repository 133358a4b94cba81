"""Tests that text is printed as it is, whatever is in it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from manpages import roff
from manpages.roff import Font
from tests.manpages.reading import plain

_TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]))


def test_what_groff_would_print_otherwise() -> None:
    """Hyphens, quotes, accents and backslashes are ASCII's, for those who copy a command; the page itself is ASCII."""
    assert roff.escape(r"--config '\n' `a` ^~") == r"\-\-config \(aq\en\(aq \(gaa\(ga \(ha\(ti"
    assert roff.escape('a "b" … ≥') == r"a \(dqb\(dq \[u2026] \[u2265]"


@given(_TEXTS)
def test_all_text_comes_back(text: str) -> None:
    """Whatever is escaped is printed as it was, and is ASCII."""
    escaped = roff.escape(text)

    assert escaped.isascii()
    assert plain(escaped) == text


@given(_TEXTS)
def test_no_line_of_text_is_a_request(text: str) -> None:
    """Nor are words lost where lines are broken."""
    lines = list(roff.text_lines(roff.escape(text)))

    assert [line for line in lines if line.startswith((".", "'")) or not line] == []
    assert " ".join(map(plain, lines)).split() == text.split()


@given(st.lists(_TEXTS))
def test_no_line_of_an_example_is_a_request(texts: list[str]) -> None:
    """Lines are what they were, blank ones too."""
    text = "\n".join(texts).rstrip("\n")
    lines = roff.example(text)[3:-2]

    assert [line for line in lines if line.startswith((".", "'")) or not line] == []
    assert [plain(line) for line in lines] == text.split("\n")


def test_a_sentence_begins_a_line() -> None:
    """So that roff spaces it; what is broken behind a full stop that ends no sentence is not spaced."""
    assert list(roff.text_lines(r"\fBOne.\fR Two.")) == [r"\fBOne.\fR", "Two."]
    text = r"One is here. Two is \fBhere\fR. \fBThree\fR? four."
    assert list(roff.text_lines(text)) == ["One is here.", r"Two is \fBhere\fR.", r"\fBThree\fR? four."]

    first, second = roff.text_lines(" ".join(["word"] * 14 + ["etc.", "another"]))
    assert (first.split()[-1], second) == (r"etc.\&", "another")


def test_lines_are_short() -> None:
    """As long ones are hard to read, and mandoc complains."""
    assert max(map(len, roff.text_lines(" ".join(["words"] * 100)))) < 80


def test_fonts() -> None:
    """A font ends where the one around it goes on."""
    assert roff.bold("--a") == r"\fB\-\-a\fR"
    assert roff.italic("FILE") == r"\fIFILE\fR"
    assert roff.marked("a", Font.ITALIC, Font.BOLD) == r"\fIa\fB"
    assert roff.marked("a", Font.BOLD, Font.BOLD) == "a"


def test_entries_of_lists() -> None:
    """Each part of an entry begins a line; what is empty is none."""
    assert roff.tagged(r"\fBa\fR", "Default: 1.", "", "It.") == [".TP", r"\fBa\fR", "Default: 1.", ".br", "It."]
    assert roff.tagged(".a", "It.")[1] == r"\&.a"


def test_headings() -> None:
    """Quotes in them are no end of them; nothing is spaced below them."""
    assert roff.section('A "b"') == r'.SH "A \(dqb\(dq"'
    assert roff.page([".SH A", ".PP", "b", ".PP", ".PP", "c", ".RS", ".PP", "d", ".RE"]).split("\n")[:-1] == [
        ".SH A",
        "b",
        ".PP",
        "c",
        ".RS",
        ".PP",
        "d",
        ".RE",
    ]
    assert re.fullmatch(r'\.TH "A\.TOML" 5 2026\\?-11\\?-28 "a 1"', roff.title_line("a.toml", 5, "2026-11-28", "a 1"))
