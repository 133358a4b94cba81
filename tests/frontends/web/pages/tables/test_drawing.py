"""Tables as HTML."""

from unittest import TestCase

from hypothesis import given
from msgspec.structs import replace

from cmdserver.checks.data import Json
from cmdserver.core.output import Parsed
from cmdserver.frontends.web.pages.markup import encode
from cmdserver.frontends.web.pages.tables.drawing import FILTERED_ROWS, AddressOfSort, draw, html_of
from tests.doubles import LAW, a_grant, an_answer
from tests.frontends.web.reading import HOSTILE, Read, shown

DF: Json = [
    {"mounted_on": "/srv", "use_percent": 95},
    {"mounted_on": "/", "use_percent": 80},
    {"mounted_on": "/x", "use_percent": 79},
    {"mounted_on": "/y", "use_percent": 130},
]


def drawn(data: Json, sort: str = "", address_of_sort: AddressOfSort | None = None) -> Read:
    """Draw data, and read them."""
    markup = draw(Parsed(value=data), "x", b"", sort, address_of_sort)
    assert markup is not None
    return Read(encode(markup))


class DrawingTests(TestCase):
    def test_bars(self) -> None:
        """How full a file system is is a bar with a name, within its range, and words from two limits on."""
        read = drawn(DF)
        first, *_, last = read.all("meter")

        self.assertEqual(
            first,
            {
                "min": "0",
                "max": "100",
                "low": "80",
                "high": "90",
                "optimum": "0",
                "value": "95",
                "aria-label": "Use of /srv",
            },
        )
        self.assertEqual(last["value"], "100")
        words = [each for each in read.text if each in {"nearly full", "filling up"}]
        self.assertEqual(words, ["nearly full", "filling up", "nearly full"])

    def test_bars_of_other_percentages(self) -> None:
        """No limits and no words, and no bar where it would say nothing."""
        read = drawn([{"pid": 1, "cpu_percent": 95}, {"pid": 2, "cpu_percent": 0.9}])
        (meter,) = read.all("meter")
        self.assertNotIn("low", meter)
        self.assertNotIn("nearly full", read.text)

    def test_heads_and_rows(self) -> None:
        """A table has heads for its columns and its rows, numbers for the script, and the keyboard can move it."""
        read = drawn([{"name": "a", "size_bytes": 2048}, {"name": "b", "size_bytes": None}])

        self.assertEqual(["col", "col", "row", "row"], [each["scope"] for each in read.all("th")])
        self.assertEqual([each.get("data-v") for each in read.all("td") if each["class"] != "more"], ["2048", None])
        (box,) = [each for each in read.all("div") if each.get("class") == "t-box"]
        self.assertEqual((box["tabindex"], box["role"], box["aria-label"]), ("0", "region", "2 rows"))

    def test_links_that_sort(self) -> None:
        """Heads are links to what a click asks for; the one that rules says so."""
        read = drawn([{"name": "a", "n": 1}, {"name": "b", "n": 2}], "-n", lambda sort: f"./x?sort={sort}")

        self.assertEqual([each["href"] for each in read.all("a")], ["./x?sort=name", "./x?sort=n"] * 2)
        self.assertEqual([each.get("aria-sort") for each in read.all("th")][:2], [None, "descending"])
        self.assertEqual(["data-numbers" in each for each in read.all("th")][:2], [False, True])
        self.assertEqual(drawn([{"n": 1}], "n").all("th")[0]["aria-sort"], "ascending")

    def test_without_an_address(self) -> None:
        """Only the script can sort: heads are buttons of its."""
        read = drawn([{"name": "a", "n": 1}])
        self.assertEqual(read.all("a"), [])
        self.assertEqual([each["data-sort"] for each in read.all("button")], ["name", "n"] * 2)
        (details,) = read.all("details")
        self.assertEqual(details["class"], "sort by-script")

    def test_a_filter_where_it_helps(self) -> None:
        """From twenty rows on."""
        rows: list[Json] = [{"id": number} for number in range(FILTERED_ROWS)]
        self.assertEqual(drawn(rows).all("input")[0]["aria-label"], "Filter 20 rows")
        self.assertEqual(drawn(rows[1:]).all("input"), [])

    def test_facts(self) -> None:
        """Values of an object are tiles; a percentage has a bar."""
        read = drawn({"host": "a", "idle_percent": 5.5})
        self.assertEqual(read.text, ["Host", "a", "Idle", "5.5 %", "5.5 %"])
        self.assertEqual(len(read.all("meter")), 1)

    def test_no_data(self) -> None:
        """One sentence says why; where there is nothing to draw, or nobody has asked, there is nothing."""
        markup = draw(Parsed(problem="the parser df took longer than 2 s"), "df", b"")
        assert markup is not None
        self.assertEqual(
            Read(encode(markup)).text,
            ["There is no table: the parser df took longer than 2 s. The output is shown as text."],
        )
        self.assertIsNone(draw(None, "df", b""))
        self.assertIsNone(draw(Parsed(value=[1, 2]), "json", b""))

    def test_once_a_run(self) -> None:
        """Those who share a run share what is drawn."""
        parsed = Parsed(value=DF)
        self.assertIs(draw(parsed, "df", b""), draw(parsed, "df", b""))

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Data have the same elements whatever they say, and are read as text."""

        def tagged(text: str) -> list[str]:
            rows: Json = [{"name": text, "cpu_percent": 5, "other": {"nested": text}}]
            read = drawn({"fact": text, "rows": rows}, "-name", lambda sort: f"{sort}{text}")
            self.assertGreaterEqual("".join(read.text).count(shown(text)), 2)
            return [tag for tag, _ in read.elements]

        self.assertEqual(tagged("plain"), tagged(words))

    @LAW
    @given(words=HOSTILE)
    def test_no_names_become_markup(self, words: str) -> None:
        """The same of keys."""
        tags = {tag for tag, _ in drawn([{"name": "a", words: "x"}, {"name": "b", words: 5}]).elements}
        known = "div span details summary b ul li button table thead tbody tr th td meter"
        self.assertEqual([each for each in tags if each not in known.split()], [])


class AnswerTests(TestCase):
    def test_answers(self) -> None:
        """One with data is drawn, in the order that is asked for; its output says in which unit free counts."""
        output = b"       total  used  free\nMem:  4194304  1048576  3145728\n"
        row: Json = {"type": "Mem", "total": 4_194_304, "used": 1_048_576, "free": 3_145_728}
        answer = an_answer(a_grant(parser="free"), stdout=output, stdout_bytes=len(output))
        self.assertIsNone(html_of(answer))
        parsed = replace(answer, parsed=Parsed(value=[row]))

        self.assertIn("4.0 GiB", html_of(parsed) or "")
        self.assertIn('aria-sort="descending"', html_of(parsed, "-used") or "")
        self.assertIn('href="?sort=-used"', html_of(parsed, "", lambda sort: f"?sort={sort}") or "")
