"""Pages as a browser reads them."""

from html.parser import HTMLParser

from hypothesis import strategies as st

from cmdserver.core.escaping import printable_line

#: What attackers write, and everything else.
HOSTILE = st.one_of(
    st.sampled_from(["<script>alert(1)</script>", "\" onload='x", "&lt;b&gt;", "]]>", "<!--", "--><p>", "</pre>"]),
    st.sampled_from(["\x00\x1b[2J", "\ud800"]),
    st.text(min_size=1),
)


class Read(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, page: bytes | str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page if isinstance(page, str) else page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def outline(self) -> list[tuple[str, frozenset[str]]]:
        """The elements and the names of their attributes: what must not depend on what strangers say."""
        return [(tag, frozenset(attributes)) for tag, attributes in self.elements]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a name."""
        return [attributes for each, attributes in self.elements if each == tag]


def shown(text: str) -> str:
    """Say how a stranger's line is shown."""
    return printable_line(text).encode(errors="replace").decode()
