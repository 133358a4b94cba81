"""Tests of the frame of all pages."""

from unittest import TestCase

from hypothesis import given

from cmdserver.core.site import Site
from cmdserver.core.version import VERSION
from cmdserver.frontends.web.pages.layout import Visitor, notice, page
from cmdserver.frontends.web.pages.markup import encode
from tests.doubles import LAW
from tests.frontends.web.reading import HOSTILE, Read, shown
from tests.frontends.web.samples import SHOP

ANN = Visitor(site=SHOP, name="ann", roles=("operator", "helpdesk"), may_log_in=True, token="t0ken", running=1)


class FrameTests(TestCase):
    def test_where_one_is(self) -> None:
        """The name and the label are in the header, the name in the title, too."""
        text = Read(page(ANN, "Runs")).text
        self.assertIn("Runs – shop1", text)
        self.assertEqual(text[text.index("Skip to the content") + 1 :][:2], ["shop1", "production"])

    def test_no_label(self) -> None:
        """Where there is none there is no place for it."""
        plain = Visitor(site=Site(name="shop1"), name=None, may_log_in=False, token=None)
        self.assertNotIn("label", [each.get("class") for each in Read(page(plain, "x")).all("span")])
        self.assertIsNone(notice(plain))

    def test_who_one_is(self) -> None:
        """The name with the roles, and the way out, with the token, for a desk and for a phone."""
        read = Read(page(ANN, "Runs"))
        self.assertEqual(read.text.count("operator, helpdesk"), 2)
        self.assertEqual([each["action"] for each in read.all("form")], ["./-/logout"] * 2)
        self.assertEqual([each["value"] for each in read.all("input")], ["t0ken"] * 2)

    def test_a_bare_page(self) -> None:
        """A login leads nowhere else."""
        read = Read(page(Visitor(site=SHOP, name=None, may_log_in=True, token=None), "Log in", is_bare=True))
        self.assertNotIn("Commands", read.text)
        self.assertNotIn("Log in", read.text)
        self.assertIn("shop1", read.text)

    def test_the_foot(self) -> None:
        """The version, and what is there for others than people with a browser."""
        read = Read(page(ANN, "x"))
        self.assertIn(f"cmdserver {VERSION}", read.text)
        addresses = {each["href"] for each in read.all("a")}
        self.assertLessEqual({"./-/help", "./metrics", "./-/openapi.json"}, addresses)

    def test_one_sheet_and_one_script(self) -> None:
        """Those of lists, or those of other pages; and the sheet with the host's colour."""
        for is_list, kind in ((True, "list"), (False, "page")):
            read = Read(page(ANN, "x", is_list=is_list))
            sheets = [each["href"] for each in read.all("link") if each["rel"] == "stylesheet"]
            self.assertEqual(sheets, [f"./-/static/{kind}.css", "./-/static/site.css"])
            self.assertEqual([each["src"] for each in read.all("script")], [f"./-/static/{kind}.js"])

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Whatever the administrator calls the host, and users and roles are called."""

        def frame(text: str) -> Read:
            site = Site(name=text, label=text, notice=text)
            visitor = Visitor(site=site, name=text, roles=(text,), may_log_in=True, token=text, running=1)
            return Read(encode(page(visitor, text, notice(visitor))))

        self.assertEqual(frame(words).outline, frame("plain").outline)
        self.assertGreaterEqual("".join(frame(words).text).count(shown(words)), 5)
