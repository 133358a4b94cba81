"""Tests of parts of documents, and of references."""

import pytest

from manpages.documents import Document, References, see_also
from manpages.markdown import CannotWrite, plain

DOCUMENT = Document("d.md", "# T\n\nIntro.\n\n## A\n\na\n\n### A1\n\na1\n\n## `B`\n\nb\n\n### B1\n\nb1\n")


def _plain(nodes: list) -> list[str]:  # type: ignore[type-arg]
    return [plain(node) for node in nodes]


def test_parts() -> None:
    """A section has what is deeper; what is left out is so with what is deeper."""
    assert _plain(DOCUMENT.introduction()) == ["Intro."]
    assert _plain(DOCUMENT.section("A")) == ["a", "A1", "a1"]
    assert _plain(DOCUMENT.section("A1")) == ["a1"]
    assert _plain(DOCUMENT.section("B")) == ["b", "B1", "b1"]
    assert _plain(DOCUMENT.sections_but()) == ["A", "a", "A1", "a1", "B", "b", "B1", "b1"]
    assert _plain(DOCUMENT.sections_but("A")) == ["B", "b", "B1", "b1"]


def test_anchors() -> None:
    """They are those that GitHub makes, which references in the documents have."""
    headings = Document("d.md", "# T\n\n## `[hooks.NAME]`\n\n### Who may, and why-not?\n").headings()
    assert headings == {"t": "T", "hooksname": "[hooks.NAME]", "who-may-and-why-not": "Who may, and why-not?"}


def test_what_is_not_there() -> None:
    """A heading that was renamed is a mistake, which says who asks for it."""
    with pytest.raises(CannotWrite, match=r"d\.md has no heading 'C'.*pages\.py"):
        DOCUMENT.section("C")
    with pytest.raises(CannotWrite, match=r"d\.md begins without a title"):
        Document("d.md", "text").introduction()


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        ("here.md#x", "who may", "who may"),
        ("#x", "below", "below"),
        ("here.md", "here", r"\fBHERE\fR"),
        ("here.md#b-c", "here", r"\fBB c\fR"),
        ("here.md#gone", "here", r"\fBHERE\fR"),
        ("page.md#x", "the keys", r"the keys (see \fBp\fR(5))"),
        ("page.md", "page", r"\fBp\fR(5)"),
        ("../docs/other.md#x", "who asks", r"who asks (\fIother.md\fR)"),
        ("other.md", "other", r"\fIother.md\fR"),
        ("../src/default.toml", "the default", "the default"),
        ("https://e.org/a-b", "jc", r"jc <https://e.org/a\-b>"),
        ("https://e.org", "https://e.org", "https://e.org"),
    ],
)
def test_references(target: str, text: str, expected: str) -> None:
    """What is on this page is said so, other pages and documents are named, and no address of a file is left."""
    references = References(
        pages={"page.md": ("p", 5), "here.md": ("h", 1)},
        here={"here.md": "HERE"},
        others=set(),
        headings={"here.md": {"b-c": "B c"}},
    )

    assert references.refer(target, text, text) == expected
    assert references.others == ({"other.md"} if "other" in target else set())


def test_see_also() -> None:
    """Pages come in the order of their sections."""
    assert see_also([("b", 5), ("c", 1), ("a", 5)], []) == [
        '.SH "SEE ALSO"',
        r"\fBc\fR(1), \fBa\fR(5), \fBb\fR(5)",
    ]
    assert r"\fIx.md\fR, \fIy.md\fR" in "\n".join(see_also([], ["y.md", "x.md"]))
