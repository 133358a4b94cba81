"""What is run with values: byte for byte what they are, and nothing that they could do."""

import unittest
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import (
    Element,
    Invocation,
    Pieces,
    Place,
    Template,
    filled,
    names_in,
    parse_pieces,
)
from cmdserver.parameters.text_types import Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date
from tests.doubles import LAW
from tests.parameters.doubles import a_parameter, optional


def template(*run: str | list[str], environment: dict[str, str] | None = None, stdin: str | None = None) -> Template:
    """Make a template of what stands behind the program."""
    return Template(
        elements=tuple(
            Element((parse_pieces(each),))
            if isinstance(each, str)
            else Element(tuple(map(parse_pieces, each)), is_nested=True)
            for each in run
        ),
        environment=tuple((name, parse_pieces(value)) for name, value in (environment or {}).items()),
        stdin=None if stdin is None else parse_pieces(stdin),
    )


def fill(what: Template, parameters: list[Parameter], *words: str) -> Invocation:
    """Fill it with what somebody gives."""
    known = ParameterList(parameters)
    return what.fill("/bin/x", known, known.bind(words))


class PiecesTests(unittest.TestCase):
    def test_pieces(self) -> None:
        """Texts and places; two braces are one."""
        for text, pieces in (
            ("", ()),
            ("a", ("a",)),
            ("{a}", (Place("a"),)),
            ("--x={a}!", ("--x=", Place("a"), "!")),
            ("{a}{b}", (Place("a"), Place("b"))),
            ("{{a}}", ("{", "a", "}")),
            ("{{{a}}}", ("{", Place("a"), "}")),
            ("{ a }", (Place(" a "),)),
            ("{a.b[0]!r:>9}", (Place("a.b[0]!r:>9"),)),
            ("\n{a}\0", ("\n", Place("a"), "\0")),
        ):
            with self.subTest(text):
                self.assertEqual(pieces, parse_pieces(text))

    def test_braces_that_stand_alone(self) -> None:
        """Are a mistake, and so is a place without a name."""
        for text, why in (
            ("{", "has a { that stands alone"),
            ("}", "has a } that stands alone"),
            ("{a", "has a { that stands alone"),
            ("a}", "has a } that stands alone"),
            ("{{a}", "has a } that stands alone"),
            ("{}", "has {} without a parameter's name"),
        ):
            with self.subTest(text), self.assertRaisesRegex(ValueError, why.replace("{", r"\{")):
                parse_pieces(text)

    def test_names(self) -> None:
        """Of the places."""
        self.assertEqual(["a", "b", "a"], list(names_in(parse_pieces("{a}{b}{{c}}{a}"))))

    def test_sentences(self) -> None:
        """For people; what has no value is left out."""
        self.assertEqual(
            "Restart nginx {now}?", filled(parse_pieces("Restart {unit} {{now}}?{more}"), {"unit": "nginx"})
        )


class FillTests(unittest.TestCase):
    def test_a_word_or_a_part_of_one(self) -> None:
        """Never split, expanded or interpreted, and not filled in again."""
        pair = [a_parameter("a"), a_parameter("b")]
        for value in ("a b", "$(id)", "`id`", "*", "~", "{b}", "{{", "%s", "\\", "'", '"', ";", "ä€😀", "a=b"):
            argv, _, _ = fill(template("{a}", "--x={a}{b}", "{{{a}}}"), pair, f"a={value}", "b={a}")
            self.assertEqual(("/bin/x", value, f"--x={value}{{a}}", f"{{{value}}}"), argv)

    def test_the_program(self) -> None:
        """Is the first word, and no value is."""
        self.assertEqual(("/bin/x",), fill(template(), []).argv)
        self.assertEqual(("/bin/x", ""), fill(template(""), []).argv)
        self.assertEqual(("/bin/x", ""), fill(template("{a}"), [a_parameter("a", String(min_length=0))], "").argv)

    def test_nested_lists(self) -> None:
        """All of it or nothing of it."""
        parameters = [optional("a"), optional("b")]
        nested = template(["--a", "{a}"], ["--ab={a}-{b}", "x"], ["c"], "d")
        self.assertEqual(("/bin/x", "c", "d"), fill(nested, parameters).argv)
        self.assertEqual(("/bin/x", "--a", "1", "c", "d"), fill(nested, parameters, "a=1").argv)
        self.assertEqual(("/bin/x", "c", "d"), fill(nested, parameters, "b=1").argv)
        self.assertEqual(("/bin/x", "--a", "1", "--ab=1-2", "x", "c", "d"), fill(nested, parameters, "1", "2").argv)
        self.assertEqual(
            ("/bin/x", "--a", "", "c", "d"), fill(nested, [optional("a", String(min_length=0)), parameters[1]], "").argv
        )

    def test_flags(self) -> None:
        """Their words, or nothing; a nested list of a flag that is false is left out."""
        flag = [optional("f", Flag(gives=("-u", "a b")))]
        for text, argv in (("yes", ("/bin/x", "-u", "a b", "-n", "-u", "a b", "z")), ("no", ("/bin/x", "z"))):
            self.assertEqual(argv, fill(template("{f}", ["-n", "{f}"], "z"), flag, text).argv)
        self.assertEqual(("/bin/x", "z"), fill(template("{f}", ["-n", "{f}"], "z"), flag).argv)
        self.assertEqual(("/bin/x", "-n"), fill(template(["-n", "{f}"]), [optional("f", Flag())], "1").argv)

    def test_several_values(self) -> None:
        """Each becomes an element."""
        parameters = [a_parameter("a", repeat=3), optional("b", repeat=2)]
        several = template("--", "{a}", ["-b", "{b}"])
        self.assertEqual(("/bin/x", "--", "1", "2 3"), fill(several, parameters, "a=1", "a=2 3").argv)
        self.assertEqual(("/bin/x", "--", "1", "-b", "2", "3"), fill(several, parameters, "a=1", "b=2", "b=3").argv)

    def test_canonical_forms_and_formats(self) -> None:
        """Are what the command is given."""
        parameters = [a_parameter("n", Integer()), a_parameter("d", Date(format="%d.%m.%Y"))]
        self.assertEqual(
            ("/bin/x", "7", "on 28.11.2026"), fill(template("{n}", "on {d}"), parameters, "+007", "20261128").argv
        )

    def test_environment_and_standard_input(self) -> None:
        """Values are parts of a text there; without a `stdin` there is none."""
        parameters = [a_parameter("p", Secret()), optional("f", Flag(gives=("a", "b"))), a_parameter("t", Text())]
        whole = template(environment={"HOME": "/", "TOKEN": "x{p}", "F": "{f}"}, stdin="p={p}\n{t}{{}}")
        invocation = fill(whole, parameters, "p=hunter2", "t=ä\r\n", "f=1")
        self.assertEqual((("/bin/x",), {"HOME": "/", "TOKEN": "xhunter2", "F": "a b"}), invocation[:2])
        self.assertEqual("p=hunter2\nä\n{}".encode(), invocation.stdin)
        self.assertEqual("", fill(whole, parameters, "p=hunter2", "t=ä").environment["F"])
        self.assertIsNone(fill(template(), []).stdin)
        self.assertEqual(b"", fill(template(stdin=""), []).stdin)

    def test_runs_have_nothing_in_common(self) -> None:
        """What one caller has given is in no other's run."""
        parameters, shared = [a_parameter("a")], template("{a}", environment={"A": "{a}"}, stdin="{a}")
        first, second = (fill(shared, parameters, each) for each in ("one", "two"))
        self.assertEqual((("/bin/x", "one"), {"A": "one"}, b"one"), tuple(first))
        self.assertEqual((("/bin/x", "two"), {"A": "two"}, b"two"), tuple(second))


_PARAMETERS: Final = [a_parameter("a"), optional("b"), optional("f", Flag(gives=("-f",))), optional("r", repeat=3)]
_TEXTS: Final = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=9).filter(
    lambda text: text[0] != "-"
)
_PIECES: Final[st.SearchStrategy[Pieces]] = st.lists(
    st.one_of(st.text("ab{} ", max_size=3), st.sampled_from([Place("a"), Place("b")])), max_size=3
).map(tuple)
_ELEMENTS: Final = st.lists(
    st.one_of(
        _PIECES.map(lambda pieces: Element((pieces,), is_nested=True)),
        st.lists(_PIECES, min_size=1, max_size=3).map(lambda words: Element(tuple(words), is_nested=True)),
        st.sampled_from([Element(((Place("f"),),)), Element((("-r",), (Place("r"),)), is_nested=True)]),
    ),
    max_size=5,
).map(tuple)


class LawTests(unittest.TestCase):
    @given(_ELEMENTS, _TEXTS, st.none() | _TEXTS, st.booleans(), st.lists(_TEXTS, max_size=3), _TEXTS)
    @LAW
    def test_the_number_of_words(
        self, elements: tuple[Element, ...], a: str, b: str | None, f: bool, r: list[str], other: str
    ) -> None:
        """It depends on which parameters have values, and how many, and not on what they are; each is all there."""
        known, whole = ParameterList(_PARAMETERS), Template(elements=elements)

        def argv(a: str, b: str | None, r: list[str]) -> tuple[str, ...]:
            fields = [("a", a), *([("b", b)] if b is not None else []), ("f", str(f)), *(("r", each) for each in r)]
            return whole.fill("/bin/x", known, known.bind((), fields)).argv

        filled_, others = argv(a, b, r), argv(other, None if b is None else other, [other] * len(r))
        self.assertEqual(len(others), len(filled_))
        given = {"a": a, "b": b}
        words = iter(filled_[1:])
        for element in elements:
            if element.names <= ({"a"} | ({"b"} if b is not None else set())):
                for pieces in element.words:
                    expected = "".join((given[each.name] or "") if isinstance(each, Place) else each for each in pieces)
                    self.assertEqual(expected, next(words))
            elif element.names == {"f"} and f:
                self.assertEqual("-f", next(words))
            elif element.names == {"r"} and r:
                self.assertEqual(["-r", *r], [next(words) for _ in range(len(r) + 1)])
        self.assertEqual([], list(words))
