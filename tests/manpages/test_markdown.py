"""Tests that documents are written as pages: every form that docs/ has, and no other."""

import pytest

from manpages import roff
from manpages.markdown import CannotWrite, Writer, parse, plain, rows


def _written(text: str, level: int = 2, tag_columns: int = 1) -> list[str]:
    writer = Writer(
        lambda target, marked, plain_text: f"{marked}<{roff.escape(target)}|{plain_text}>", level, tag_columns
    )
    return writer.blocks(parse(text))


def test_paragraphs() -> None:
    """Lines of the source are sentences; code and strong words are bold, emphasis is in italics."""
    assert _written("One `--a b`.\n**Two** *three*.") == [".PP", r"One \fB\-\-a b\fR.", r"\fBTwo\fR \fIthree\fR."]
    assert _written("**a `b` c** *d `e` f*") == [".PP", r"\fBa b c\fR \fId \fBe\fI f\fR"]


def test_references() -> None:
    """What they become is for somebody else to say."""
    assert _written("see [the `x`](y.md#z)") == [".PP", r"see the \fBx\fR<y.md#z|the x>"]


def test_headings() -> None:
    """Of the level that is asked for they begin parts, deeper ones are lines in bold, higher ones are a mistake."""
    assert _written("## `[a]`\n\n### B") == ['.SS "[a]"', ".PP", r"\fBB\fR"]
    with pytest.raises(CannotWrite, match="too high"):
        _written("# A")


def test_examples() -> None:
    """Fences and indented lines are printed as they are."""
    lines = [".PP", ".RS 4", ".EX", r"\&.a \(aq\e\(aq", r"\&", r"\&  b", ".EE", ".RE"]
    assert _written("```sh\n.a '\\'\n\n  b\n```") == lines
    assert _written("    .a '\\'\n\n      b") == lines


def test_lists() -> None:
    """With what else an item has set below it."""
    assert _written("- a\n- b\n\n      c\n") == [
        r".IP \(bu 2",
        "a",
        r".IP \(bu 2",
        "b",
        *[".RS 2", ".PP", ".RS 4", ".EX", "c", ".EE", ".RE", ".RE"],
    ]
    assert _written("1. a\n2. b") == [".IP 1. 4", "a", ".IP 2. 4", "b"]


def test_tables_of_keys() -> None:
    """The first column is the tag, the last one the text, and what is between is said before it with its head."""
    head = "| key | default | range | meaning |\n|---|---|---|---|\n"
    table = head + "| `a`, `b` | `1` | | it is a \\| b. So. |\n| c | (required) | > 0 | |"
    assert _written(table) == [
        *[".TP", r"\fBa\fR, \fBb\fR", r"Default: \fB1\fR.", ".br", "It is a | b.", "So."],
        *[".TP", r"\fBc\fR", "Required.", "Range: > 0."],
    ]


def test_other_tables() -> None:
    """All columns behind the tag have their heads where the last head says something; tags can be of two columns."""
    assert _written("| type | accepts | keys |\n|---|---|---|\n| `a` | b | |") == [".TP", r"\fBa\fR", "Accepts: b."]
    table = "| status | state | when |\n|---|---|---|\n| 0 | `OK` | well |"
    assert _written(table, tag_columns=2) == [".TP", r"\fB0\fR \fBOK\fR", "Well."]


def test_what_there_is_no_form_for() -> None:
    """It is a mistake, and not left out."""
    for text in ("> quoted", "![a picture](a.svg)", "---"):
        with pytest.raises(CannotWrite):
            _written(text)


def test_cells_by_their_heads() -> None:
    """For those who make something else of a table."""
    (row,) = rows(parse("| a | b |\n|---|---|\n| `c` d | e |")[0])
    assert [(head, plain(cell)) for head, cell in row] == [("a", "c d"), ("b", "e")]
