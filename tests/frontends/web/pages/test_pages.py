"""Pages are what they say, and nothing that is put into them becomes part of them."""

import re
from pathlib import Path
from typing import Any
from unittest import TestCase

from hypothesis import given

from cmdserver.core.errors import BadArgument, RequestError, Throttled, UnknownCommand
from cmdserver.core.run_states import RunState
from cmdserver.core.site import Site
from cmdserver.frontends.web.pages import command_list, command_pages, pages
from cmdserver.frontends.web.pages.command_list import Listing
from cmdserver.frontends.web.pages.forms.beside_form import Experience
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm
from cmdserver.frontends.web.pages.help_page import help_page
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.pages.static import FILES, PARTS, SITE_SHEET, sheet_of
from tests.doubles import LAW, a_command
from tests.frontends.web.pages.runs.test_run_list import NOON
from tests.frontends.web.reading import HOSTILE, Read, shown
from tests.frontends.web.samples import SHOP
from tests.runs.doubles import a_record

STRANGER = Visitor(site=SHOP, name=None, may_log_in=True, token="t0ken")


def every_page(words: str, visitor: Visitor = STRANGER) -> dict[str, bytes]:
    """Make all pages with a stranger's words wherever there is room for words."""
    command = a_command(help=words, run=("df", words), title=words, section=words)
    site = Site(name=words, label=words, notice=words)
    hostile: Any = Visitor(site=site, name=words, roles=(words,), may_log_in=True, token=words)
    error: RequestError = BadArgument(words)
    return {
        "index": command_list.index(hostile, Listing(commands=[command], now=0.0)),
        "button": command_pages.form(visitor, FilledForm(command=command), Experience(now=0.0), words),
        "login": pages.login(hostile, words, words, words),
        "problem": pages.problem(visitor, 422, error, 0.0),
        "wait": pages.problem(visitor, 429, Throttled(words, 5, "limits.x"), 0.0, again="./x"),
        "help": help_page(hostile, [a_command(name=words)], words),
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


STATIC = Path(pages.__file__).parent / "static"

#: What people on slow lines wait for, whatever they look at first; nothing is compressed.
BUDGET_BYTES = 80_000


class VisitorTests(TestCase):
    def test_the_way_in_and_out(self) -> None:
        """Who can log in finds the way, who has logged in the way out; nobody else finds either."""
        cases = [
            (Visitor(site=SHOP, name=None, may_log_in=True, token=None), ["Log in"]),
            (Visitor(site=SHOP, name=None, may_log_in=False, token=None), []),
            (Visitor(site=SHOP, name="ann", may_log_in=True, token="t"), ["ann", "no role", "Log out"] * 2),
            (Visitor(site=SHOP, name="ann", roles=("a", "b"), may_log_in=False, token=None), ["ann", "a, b"] * 2),
        ]
        for visitor, words in cases:
            with self.subTest(words):
                text = Read(command_list.index(visitor, Listing(commands=[], now=0.0))).text
                top = text[text.index("production") + 1 : text.index("Ask first.")]
                self.assertEqual(["Commands", *words], top)

    def test_suggestions(self) -> None:
        """Names that are near to an unknown one are links."""
        page = Read(pages.problem(STRANGER, 404, UnknownCommand("dg", ("df", "du")), 0.0))

        self.assertLess({"./df", "./du", "./-/login"}, {each["href"] for each in page.all("a")})


class StrictnessTests(TestCase):
    def test_the_budget(self) -> None:
        """A page with all that it loads is small, a list of fifty commands and their last runs included."""
        commands = [
            a_command(name=f"command-{each}", help="What it does, in a line of some length", section=f"S{each // 9}")
            for each in range(50)
        ]
        latest = {each.name: a_record(command=each.name, state=RunState.FAILED, exit_status=3) for each in commands}
        recent = [Shown(a_record(), each) for each in commands[:4]]
        listing = Listing(commands=commands, latest=latest, recent=recent, now=NOON)
        ann = Visitor(site=SHOP, name="ann", may_log_in=True, token="t0ken" * 12, running=2)
        for page in (*every_page("plain").values(), *(command_list.index(each, listing) for each in (STRANGER, ann))):
            names = set(re.findall(r"/-/static/([a-z.]+)", page.decode())) - {SITE_SHEET}
            loaded = sum(len(FILES[name].body) for name in (*names, "marks.svg")) + len(sheet_of(SHOP).body)
            self.assertLess(len(page) + loaded, BUDGET_BYTES)

    def test_static_files_load_nothing(self) -> None:
        """Style and scripts name no other host, and scripts make no code of text; markup only of our own pages."""
        texts = {path.name: path.read_text("utf-8") for path in STATIC.iterdir()}

        self.assertEqual(set(texts), {part for _, parts in PARTS.values() for part in parts})
        for name, text in texts.items():
            addresses = set(re.findall(r"https?://[^\s\"'`)]+|url\([^)]*\)|@import|import\(?[^\"\n]*\"[^\"]*\"", text))
            ours = {each for each in addresses if re.search(r"\"marks\.svg\"", each)}
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
