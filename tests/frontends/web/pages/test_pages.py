"""Pages are what they say, and nothing that is put into them becomes part of them."""

import re
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import BadArgument, RequestError, UnknownCommand
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Grant
from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.web.pages import command_pages, pages
from cmdserver.frontends.web.pages.filled_form import FilledForm
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.static import TYPES
from tests.doubles import LAW, a_command, a_grant, an_answer
from tests.frontends.web.reading import HOSTILE, Read, shown

STRANGER = Visitor(name=None, may_log_in=True, token="t0ken")


def every_page(words: str, visitor: Visitor = STRANGER) -> dict[str, bytes]:
    """Make all pages with a stranger's words wherever there is room for words."""
    command = a_command(help=words, run=("df", words), title=words, section=words)
    hostile: Any = Visitor(name=words, may_log_in=True, token=words)
    answer = an_answer(a_grant(help=words))
    error: RequestError = BadArgument(words)
    plain = FilledForm(command=command)
    return {
        "index": pages.index(hostile, [command]),
        "button": command_pages.form(visitor, plain, command_pages.CHANGES_SOMETHING),
        "run": command_pages.head(visitor, Grant(command=command), "a7")
        + command_pages.output_piece(b"plain", is_error=False)
        + command_pages.tail(visitor, answer, plain),
        "failed": command_pages.head(visitor, Grant(command=command), "a7") + command_pages.failure(error),
        "login": pages.login(visitor, words, words),
        "problem": pages.problem(visitor, 422, error),
    }


class EscapingTests(TestCase):
    @LAW
    @given(words=HOSTILE)
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

        read = Read(command_pages.output_piece(clean, is_error=is_error))

        self.assertEqual("".join(read.text), clean.decode(errors="replace"))
        self.assertEqual([tag for tag, _ in read.elements], ["span"] if is_error else [])


STATIC = Path(pages.__file__).parent / "static"

#: What people on slow lines wait for, whatever they look at first; nothing is compressed.
BUDGET_BYTES = 92_000


class RunTests(TestCase):
    """The page of a run says how it ended, and how to run it again."""

    def tail(self, visitor: Visitor = STRANGER, **overrides: Any) -> Read:
        """Read the end of the page of an answer; what `an_answer` and `a_grant` know of is overridden."""
        grant = a_grant(**{key: overrides.pop(key) for key in ("read_only", "parser") if key in overrides})
        filled = FilledForm(command=grant.command)
        return Read(command_pages.tail(visitor, an_answer(grant, **overrides), filled))

    def test_how_it_ended(self) -> None:
        """The outcome is told in words, not by colour alone."""
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({"duration_seconds": 0.0123}, ["exit status 0", "took 12 ms"]),
            ({"duration_seconds": 2.34, "shared": True}, ["exit status 0", "took 2.3 s", "shared with other callers"]),
            ({"exit_status": 3, "duration_seconds": 75}, ["exit status 3", "took 1 min 15 s"]),
            ({"exit_status": None, "signal": "SIGKILL", "duration_seconds": 1}, ["ended by SIGKILL", "took 1.0 s"]),
            ({"truncated": True, "duration_seconds": 1}, ["output truncated at 1048576 bytes", "took 1.0 s"]),
        ]
        for overrides, words in cases:
            with self.subTest(words):
                self.assertEqual([*words, "Run again"], self.tail(**overrides).text)

    def test_run_again(self) -> None:
        """What only reads is run by GET and without a token, which would be in histories; the rest by POST with it."""
        reads, writes = self.tail(), self.tail(read_only=False)

        self.assertEqual([("get", "./df")], [(each["method"], each["action"]) for each in reads.all("form")])
        self.assertEqual([], reads.all("input"))
        self.assertEqual([("post", "./df")], [(each["method"], each["action"]) for each in writes.all("form")])
        self.assertEqual(["t0ken"], [each["value"] for each in writes.all("input")])

    def test_data_is_drawn(self) -> None:
        """A command with a parser shows its data, if its output is complete."""
        pytest.importorskip("jc", reason="jc is not installed")
        output = b"Filesystem      Size  Used Avail Use% Mounted on\n/dev/vda        252G   24G   78G  24% /\n"
        drawn = self.tail(parser="df", stdout=output, stdout_bytes=len(output))
        stopped = self.tail(parser="df", stdout=output, stdout_bytes=len(output), ended_by=EndedBy.STOP)

        self.assertEqual(["24"], [each["value"] for each in drawn.all("meter")])
        self.assertEqual([], stopped.all("meter"))

    def test_leading_line_breaks_are_kept(self) -> None:
        """HTML drops the first line break in a ``pre``; the output's own is not the first."""
        self.assertTrue(command_pages.head(STRANGER, a_grant(), "a7").endswith(b">\n"))


class VisitorTests(TestCase):
    def test_the_way_in_and_out(self) -> None:
        """Who can log in finds the way, who has logged in the way out; nobody else finds either."""
        cases = [
            (Visitor(name=None, may_log_in=True, token=None), ["Log in"]),
            (Visitor(name=None, may_log_in=False, token=None), []),
            (Visitor(name="ann", may_log_in=True, token="t"), ["ann", "Log out"]),
            (Visitor(name="ann", may_log_in=False, token=None), ["ann"]),
        ]
        for visitor, words in cases:
            with self.subTest(words):
                text = Read(pages.index(visitor, [])).text
                top = text[text.index("cmdserver") + 1 : text.index("What can I do for you?")]
                self.assertEqual(words, top)

    def test_suggestions(self) -> None:
        """Names that are near to an unknown one are links."""
        page = Read(pages.problem(STRANGER, 404, UnknownCommand("dg", ("df", "du"))))

        self.assertLess({"./df", "./du", "./-/login"}, {each["href"] for each in page.all("a")})


class StrictnessTests(TestCase):
    def test_the_budget(self) -> None:
        """A page with all that it loads is small, a list of fifty commands included."""
        commands = [
            a_command(name=f"command-{each}", help="What it does, in a line of some length") for each in range(50)
        ]
        ann = Visitor(name="ann", may_log_in=True, token="t0ken", running=2)
        for page in (*every_page("plain").values(), *(pages.index(each, commands) for each in (STRANGER, ann))):
            names = set(re.findall(r"/-/static/([a-z.]+)", page.decode()))
            loaded = sum((STATIC / name).stat().st_size for name in (*names, "marks.svg"))
            self.assertLess(len(page) + loaded, BUDGET_BYTES)

    def test_static_files_load_nothing(self) -> None:
        """Style and scripts name no other host, and scripts make no code of text; markup only of our own pages."""
        texts = {path.name: path.read_text("utf-8") for path in STATIC.iterdir()}

        self.assertEqual(set(texts), set(TYPES))
        for name, text in texts.items():
            addresses = set(re.findall(r"https?://[^\s\"'`)]+|url\([^)]*\)|@import|import\(?[^\"\n]*\"[^\"]*\"", text))
            ours = {each for each in addresses if re.search(r"\"(\./)?(marks\.svg|(base|runs|run)\.js)\"", each)}
            self.assertEqual(addresses - ours - {"http://www.w3.org/2000/svg"}, set(), name)
        dangerous = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\"style\"|\.style\b|srcdoc"
        )
        scripts = [text for name, text in texts.items() if name.endswith(".js")]
        self.assertIsNone(re.search(dangerous, "".join(scripts)))
        self.assertEqual(sum(text.count("DOMParser") for text in scripts), 1)

    def test_nothing_is_inline_and_nothing_is_from_elsewhere(self) -> None:
        """No page has a script or style of its own, or the address of another host."""
        for name, page in every_page("plain").items():
            for tag, attributes in Read(page).elements:
                self.assertNotEqual(tag, "style", name)
                self.assertFalse({"style"} & set(attributes) or any(key.startswith("on") for key in attributes), name)
                self.assertEqual(tag == "script", "src" in attributes and tag != "img", name)
                for key in ("src", "href", "action"):
                    self.assertTrue((attributes.get(key) or "./").startswith(("./", "#")), name)
