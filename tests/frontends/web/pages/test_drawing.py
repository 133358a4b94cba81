"""Pictures as HTML."""

from unittest import TestCase

from hypothesis import given

from cmdserver.dispatch.output_parsers import Json
from cmdserver.frontends.web.pages.drawing import draw
from cmdserver.frontends.web.pages.markup import encode
from cmdserver.frontends.web.pages.picture import picture
from tests.doubles import LAW
from tests.frontends.web.reading import HOSTILE, Read, shown


def drawn(data: Json) -> Read:
    """Draw data, and read it."""
    markup = draw(picture(data))
    assert markup is not None
    return Read(encode(markup))


class DrawingTests(TestCase):
    def test_bars(self) -> None:
        """A percentage is a bar with a name, within its range; what is full has limits."""
        meters = drawn([{"disk": "/srv", "use_percent": 95}, {"disk": "/", "use_percent": 130}]).all("meter")

        self.assertEqual(
            {
                "min": "0",
                "max": "100",
                "low": "80",
                "high": "90",
                "optimum": "0",
                "value": "95",
                "aria-label": "Use of /srv",
            },
            meters[0],
        )
        self.assertEqual("100", meters[1]["value"])
        self.assertNotIn("low", drawn({"idle_percent": 5.5}).all("meter")[0])

    def test_tables(self) -> None:
        """A table has heads for its columns and its rows, and the keyboard can move it."""
        read = drawn([{"name": "a", "n": 1}, {"name": "b", "n": None}])

        self.assertEqual(["col", "col", "row", "row"], [each["scope"] for each in read.all("th")])
        self.assertEqual(["Name", "N", "a", "1", "b"], read.text)
        self.assertEqual("0", read.all("div")[1]["tabindex"])

    def test_nothing(self) -> None:
        """What is neither facts nor a table is not drawn."""
        cases: tuple[Json, ...] = (None, [], {}, "text", 5, [1, 2], [{}], True)
        for data in cases:
            with self.subTest(data):
                self.assertIsNone(draw(picture(data)))

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Data has the same elements whatever it says, and is read as text."""

        def tagged(text: str) -> list[str]:
            rows: Json = [{"name": text, "use_percent": 5, "other": {"nested": text}}]
            read = drawn({"fact": text, "rows": rows})
            self.assertGreaterEqual(read.text.count(shown(text)), 2)  # short words are in others, too
            return [tag for tag, _ in read.elements]

        self.assertEqual(tagged("plain"), tagged(words))
