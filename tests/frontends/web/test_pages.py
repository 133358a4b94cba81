"""Pages are what they say, and nothing that is put into them becomes part of them."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.errors import BadArgument, RequestError
from cmdserver.frontends.web import pages
from cmdserver.frontends.web.pages import Visitor
from cmdserver.printable import Printable, printable_line
from tests.doubles import LAW, a_command, a_grant, an_answer

STRANGER = Visitor(name=None, may_log_in=True, token="t0ken")

#: What attackers write, and everything else.
HOSTILE = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "\" onload='x",
            "&lt;b&gt;",
            "]]>",
            "<!--",
            "--><p>",
            "</pre>",
            "\x00\x1b[2J",
            "\ud800",
        ]
    ),
    st.text(),
)


class Read(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page.decode("utf-8"))
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


def shown(text: str) -> str:
    """Say how a stranger's line is shown."""
    return printable_line(text).encode(errors="replace").decode()


def every_page(words: str, visitor: Visitor = STRANGER) -> dict[str, bytes]:
    """Make all pages with a stranger's words wherever there is room for words."""
    command = a_command(help=words, run=("df", words))
    hostile: Any = Visitor(name=words, may_log_in=True, token=words)
    answer = an_answer(a_grant(help=words))
    error: RequestError = BadArgument(words)
    return {
        "index": pages.index(hostile, [command]),
        "form": pages.command_form(visitor, command),
        "run": pages.command_head(visitor, command, [words])
        + pages.command_output(b"plain", is_error=False)
        + pages.command_tail(visitor, answer, None),
        "failed": pages.command_head(visitor, command, []) + pages.command_tail(visitor, None, error),
        "login": pages.login(visitor, words, words),
        "problem": pages.problem(visitor, 422, error),
    }


class EscapingTests(TestCase):
    @LAW
    @given(words=HOSTILE.filter(bool))
    def test_no_words_become_markup(self, words: str) -> None:
        """A page has the same elements and attributes whatever strangers say, and their words are read as text."""
        plain, hostile = every_page("plain"), every_page(words)

        for name, page in hostile.items():
            read = Read(page)
            self.assertEqual(read.outline, Read(plain[name]).outline, name)
            values = {value for _, attributes in read.elements for value in attributes.values()}
            self.assertTrue(shown(words) in "".join(read.text) or shown(words) in values, name)

    @LAW
    @given(chunk=st.binary(), is_error=st.booleans())
    def test_no_output_becomes_markup(self, chunk: bytes, is_error: bool) -> None:
        """Output is read as the text that `Printable` lets through."""
        printable = Printable()
        clean = printable.feed(chunk) + printable.finish()

        read = Read(pages.command_output(clean, is_error=is_error))

        self.assertEqual("".join(read.text), clean.decode(errors="replace"))
        self.assertEqual([tag for tag, _ in read.elements], ["span"] if is_error else [])


STATIC = Path(pages.__file__).parent / "static"

#: What people on slow lines wait for, whatever they look at first; nothing is compressed.
BUDGET_BYTES = 60_000


class StrictnessTests(TestCase):
    def test_the_budget(self) -> None:
        """A page with all that it loads is small, a list of fifty commands included."""
        files = sum(path.stat().st_size for path in STATIC.iterdir())
        commands = [
            a_command(name=f"command-{each}", help="What it does, in a line of some length") for each in range(50)
        ]
        largest = max(*(len(page) for page in every_page("plain").values()), len(pages.index(STRANGER, commands)))

        self.assertLess(files + largest, BUDGET_BYTES)

    def test_static_files_load_nothing(self) -> None:
        """Style and script name no other host, and the script makes no markup or code of text."""
        texts = {path.name: path.read_text("utf-8") for path in STATIC.iterdir()}

        self.assertEqual(set(texts), {"app.css", "app.js", "icon.svg"})
        for name, text in texts.items():
            addresses = set(re.findall(r"https?://[^\s\"'`)]+|url\(|@import|\bimport\b", text))
            self.assertEqual(addresses - {"http://www.w3.org/2000/svg"}, set(), name)
        dangerous = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\"style\"|\.style\b|srcdoc"
        )
        self.assertIsNone(re.search(dangerous, texts["app.js"]))

    def test_nothing_is_inline_and_nothing_is_from_elsewhere(self) -> None:
        """No page has a script or style of its own, or the address of another host."""
        for name, page in every_page("plain").items():
            for tag, attributes in Read(page).elements:
                self.assertNotEqual(tag, "style", name)
                self.assertFalse({"style"} & set(attributes) or any(key.startswith("on") for key in attributes), name)
                self.assertEqual(tag == "script", "src" in attributes and tag != "img", name)
                for key in ("src", "href", "action"):
                    self.assertTrue((attributes.get(key) or "/").startswith(("/", "#")), name)
                    self.assertFalse((attributes.get(key) or "/").startswith("//"), name)
