"""From what somebody gives to values, and from those to the words that the runner process reads."""

import unittest
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.parameters.declaration import Values
from cmdserver.parameters.mistakes import BadValues, ValueMistake
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.parameter_list import MASK, MOST_MISTAKES, NO_PARAMETERS, Field, ParameterList, words_of
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from tests.doubles import LAW
from tests.parameters.doubles import TYPES, a_parameter, accepted, optional, texts

_UNIT = a_parameter("unit", Choice(choices={"nginx": "nginx", "sshd": "sshd"}))
_LINES = optional("lines", Integer(minimum=1, maximum=500), default=("50",))
_SINCE = optional("since")
_UTC = optional("utc", Flag(gives=("--utc",)))
JOURNAL = ParameterList([_UNIT, _LINES, _SINCE, _UTC])
_LOGIN = ParameterList([a_parameter("user"), a_parameter("password", Secret()), optional("count", Integer())])


class BindTestCase(unittest.TestCase):
    def assert_values(
        self,
        expected: dict[str, str | tuple[str, ...]],
        words: Sequence[str],
        fields: Sequence[Field] = (),
        parameters: ParameterList = JOURNAL,
    ) -> None:
        """Fail unless these values are made, and their words give them again."""
        values = parameters.bind(words, fields)
        self.assertEqual(
            {name: (each,) if isinstance(each, str) else each for name, each in expected.items()}, dict(values)
        )
        self.assertEqual(values, parameters.bind_canonical(words_of(values)))
        self.assertEqual([each.name for each in parameters if each.name in dict(values)], [name for name, _ in values])

    def mistakes(
        self, words: Sequence[str], fields: Sequence[Field] = (), parameters: ParameterList = JOURNAL
    ) -> list[str]:
        """Say all that is wrong."""
        with self.assertRaises(BadValues) as raised:
            parameters.bind(words, fields)
        return [str(each) for each in raised.exception.mistakes]


class WordTests(BindTestCase):
    def test_positional(self) -> None:
        """In the order of the parameters; what is left out has its default, or no value."""
        self.assert_values({"unit": "nginx", "lines": "50"}, ["nginx"])
        self.assert_values({"unit": "nginx", "lines": "7"}, ["nginx", "007"])
        self.assert_values({"unit": "nginx", "lines": "7", "since": "a b", "utc": "true"}, ["nginx", "7", "a b", "yes"])

    def test_named(self) -> None:
        """In any order, before and behind positional ones."""
        self.assert_values({"unit": "sshd", "lines": "7"}, ["lines=7", "unit=sshd"])
        self.assert_values({"unit": "sshd", "lines": "7", "utc": "true"}, ["utc=1", "sshd", "lines=7"])
        self.assert_values({"unit": "sshd", "lines": "50", "since": "a=b"}, ["since=a=b", "sshd"])
        self.assert_values({"unit": "sshd", "lines": "50", "since": "utc=1"}, ["since=utc=1", "sshd"])

    def test_behind_two_dashes(self) -> None:
        """All are positional, another `--` too."""
        self.assert_values({"unit": "nginx", "lines": "5", "since": "lines=7"}, ["--", "nginx", "5", "lines=7"])
        self.assert_values(
            {"unit": "nginx", "lines": "5", "since": "x=y"}, ["lines=5", "unit=nginx", "since=x=y", "--"]
        )
        self.assertEqual(
            ['since must not begin with "-"; accepted is a line of 1 to 256 characters'],
            self.mistakes(["nginx", "5", "--", "--"]),
        )
        self.assertEqual(["x is no parameter of this command"], self.mistakes(["nginx", "5", "x=y"]))

    def test_what_looks_like_a_name(self) -> None:
        """Is one only if a parameter could be called so."""
        self.assert_values({"unit": "nginx", "lines": "5", "since": "A=1"}, ["nginx", "5", "A=1"])
        self.assert_values({"unit": "nginx", "lines": "5", "since": "=1"}, ["nginx", "5", "=1"])
        self.assertEqual(
            ['since must not begin with "-"; accepted is a line of 1 to 256 characters'],
            self.mistakes(["nginx", "5", "--x=1"]),
        )
        self.assertEqual(["a is no parameter of this command"], self.mistakes(["nginx", "a=\n"]))

    def test_twice(self) -> None:
        """In whatever ways."""
        for words, fields in (
            (["nginx", "unit=nginx"], []),
            (["unit=nginx", "unit=nginx"], []),
            (["nginx"], [("unit", "nginx")]),
        ):
            self.assertEqual(["unit was given twice"], self.mistakes(words, fields))
        self.assertEqual(["utc was given twice"], self.mistakes(["nginx", "utc=0", "utc=0"]))

    def test_too_many(self) -> None:
        """More than there are parameters."""
        self.assertEqual(
            ["too many values: the command takes 4 values at most"], self.mistakes(["nginx", "5", "x", "1", "y"])
        )
        self.assertEqual(["too many values: the command takes no values"], self.mistakes(["x"], (), NO_PARAMETERS))

    def test_missing(self) -> None:
        """It is said what it must be."""
        self.assertEqual(["unit is missing: it must be one of nginx, sshd"], self.mistakes([]))

    def test_empty_words(self) -> None:
        """Who gives an empty word has given one."""
        self.assertEqual(["lines must be a whole number from 1 to 500"], self.mistakes(["nginx", ""]))
        self.assertEqual(["since must be a line of 1 to 256 characters"], self.mistakes(["nginx", "since="]))
        may_be_empty = ParameterList([optional("a", String(min_length=0))])
        self.assert_values({"a": ""}, [""], (), may_be_empty)
        self.assert_values({"a": ""}, ["a="], (), may_be_empty)
        self.assert_values({}, [], (), may_be_empty)

    def test_all_that_is_wrong(self) -> None:
        """At once, in the order of the parameters, behind what is none's; suggestions too."""
        self.assertEqual(
            [
                "unti is no parameter of this command; did you mean unit?",
                "unit is missing: it must be one of nginx, sshd",
                "lines must be a whole number from 1 to 500",
                "utc must be true or false",
            ],
            self.mistakes(["unti=nginx", "lines=0", "utc=perhaps"]),
        )
        with self.assertRaises(BadValues) as raised:
            JOURNAL.bind(["ngimx"])
        self.assertEqual((ValueMistake("unit", "must be one of nginx, sshd", ("nginx",)),), raised.exception.mistakes)

    def test_their_number_is_bounded(self) -> None:
        """How many are left out is said; what is not told is compared with nothing, as that takes its time."""
        mistakes = self.mistakes([f"unit{number}=x" for number in range(100)])
        self.assertEqual((MOST_MISTAKES + 1, "and there are 81 more mistakes"), (len(mistakes), mistakes[-1]))
        with self.assertRaises(BadValues) as raised:
            JOURNAL.bind([], [(f"unti{number}", "x") for number in range(30)])
        self.assertEqual(MOST_MISTAKES, sum(bool(each.suggestions) for each in raised.exception.mistakes))
        long = self.mistakes(["nginx"], [("u" * 1000, "x")])
        self.assertEqual([f"{'u' * 64}... is no parameter of this command"], long)
        self.assertEqual(1, len(self.mistakes(["nginx", *["x=1"] * 100])), "the same again is the same")


class FillingTests(unittest.TestCase):
    def test_what_may_be_left_out_leaves_a_word_for_what_may_not(self) -> None:
        """One that takes several values, and none of them is needed."""
        parameters = ParameterList([optional("files", repeat=5), a_parameter("target")])

        self.assertEqual((("target", ("x",)),), parameters.bind(["x"]))
        self.assertEqual((("files", ("a", "b")), ("target", ("x",))), parameters.bind(["a", "b", "x"]))


class RepeatTests(BindTestCase):
    COPY = ParameterList([a_parameter("files", repeat=3), a_parameter("to")])

    def test_several_values(self) -> None:
        """As many as may be, but what others need is theirs."""
        self.assert_values({"files": ("a", "b"), "to": "c"}, ["a", "b", "c"], (), self.COPY)
        self.assert_values({"files": ("a",), "to": "b"}, ["a", "b"], (), self.COPY)
        self.assert_values({"files": ("a", "b", "c"), "to": "d"}, ["a", "b", "c", "d"], (), self.COPY)
        self.assert_values({"files": ("a", "b"), "to": "c"}, ["files=a", "to=c", "files=b"], (), self.COPY)
        self.assert_values({"files": ("a", "b"), "to": "c"}, ["a", "b", "to=c"], (), self.COPY)
        self.assert_values({"files": ("a", "b"), "to": "c"}, ["b", "c"], [("files", "a")], self.COPY)

    def test_too_many(self) -> None:
        """One more than that."""
        self.assertEqual(
            ["too many values: the command takes 4 values at most"], self.mistakes(list("abcde"), (), self.COPY)
        )
        self.assertEqual(["files takes 3 values at most"], self.mistakes(["files=a"] * 4 + ["to=a"], (), self.COPY))
        self.assertEqual(["to was given twice"], self.mistakes(["files=a", "to=a", "to=b"], (), self.COPY))

    def test_one_that_is_wrong(self) -> None:
        """The first is told."""
        numbers = ParameterList([a_parameter("n", Integer(minimum=1), repeat=9)])
        self.assertEqual(["n must be a whole number, 1 or more"], self.mistakes(["1", "x", "0"], (), numbers))

    def test_defaults_of_several(self) -> None:
        """They are given together, or not at all."""
        several = ParameterList([optional("a", repeat=3, default=("x", "y"))])
        self.assert_values({"a": ("x", "y")}, [], (), several)
        self.assert_values({"a": ("z",)}, ["z"], (), several)


class FlagTests(BindTestCase):
    def test_false_is_no_value(self) -> None:
        """Whether it was given, or is the default, or there is none: questions that are the same share a process."""
        for default in (None, ("false",), ("true",)):
            flag = ParameterList([optional("utc", Flag(), default=default)])
            self.assert_values({}, ["utc=no"], (), flag)
            self.assert_values({"utc": "true"}, ["utc=on"], (), flag)
            self.assert_values({"utc": "true"} if default == ("true",) else {}, [], (), flag)

    def test_false_is_a_value_of_others(self) -> None:
        """Of a choice, say."""
        choice = ParameterList([a_parameter("a", Choice(choices={"false": "", "true": ""}))])
        self.assert_values({"a": "false"}, ["false"], (), choice)


class FieldTests(BindTestCase):
    def test_fields(self) -> None:
        """Names and values; their order is not of importance."""
        self.assert_values({"unit": "nginx", "lines": "7"}, [], [("lines", "7"), ("unit", "nginx")])
        self.assert_values({"unit": "nginx", "lines": "7"}, ["nginx"], [("lines", "7")])

    def test_an_empty_field(self) -> None:
        """Is none, if the parameter may be left out; else it is an empty value."""
        self.assert_values(
            {"unit": "nginx", "lines": "50"}, [], [("unit", "nginx"), ("lines", ""), ("since", ""), ("utc", "")]
        )
        self.assertEqual(["unit must be one of nginx, sshd"], self.mistakes([], [("unit", "")]))
        self.assert_values({"unit": "nginx", "lines": "5"}, [], [("unit", "nginx"), ("lines", ""), ("lines", "5")])

    def test_names_that_are_none(self) -> None:
        """Whatever they are; the words for all that are positional mean nothing here."""
        for name in ("", "--", "UNIT", "unit ", "follow", "a\nb", "\ud800"):
            self.assertEqual(
                [f"{name} is no parameter of this command"],
                [each.partition(";")[0] for each in self.mistakes(["nginx"], [(name, "x")])],
            )


class CanonicalTests(BindTestCase):
    """What the runner process believes of the daemon: nothing."""

    def test_refused(self) -> None:
        """Whatever `bind` would not have made."""
        good = ["unit=nginx", "lines=50"]
        for words, why in (
            ([], "unit is missing"),
            (["unit=nginx"], "lines is missing"),
            (["nginx", "lines=50"], "a word has no name"),
            (["unit", "lines=50"], "a word has no name"),
            (["unit=ngimx", "lines=50"], "unit must be one of nginx, sshd"),
            (["unit=nginx", "lines=050"], "lines is not in its canonical form"),
            (["unit=nginx", "lines=501"], "lines must be a whole number from 1 to 500"),
            (["unit=nginx", "lines="], "lines must be a whole number from 1 to 500"),
            ([*good, "lines=50"], "lines was given twice"),
            ([*good, "utc=yes"], "utc is not in its canonical form"),
            ([*good, "utc=false"], "utc is not in its canonical form"),
            ([*good, "since=-rf"], 'since must not begin with "-"; accepted is a line of 1 to 256 characters'),
            ([*good, "since=a\nb"], "since must have no control characters; accepted is a line of 1 to 256 characters"),
            ([*good, "since=a\0b"], "since must have no control characters; accepted is a line of 1 to 256 characters"),
            ([*good, "other=x"], "other is no parameter of this command"),
            ([*good, "=x"], " is no parameter of this command"),
            ([*good, "--=x"], "-- is no parameter of this command"),
            ([*good, "unit =x"], "unit  is no parameter of this command; did you mean unit?"),
            ([*good, "UNIT=sshd"], "UNIT is no parameter of this command"),
        ):
            with self.subTest(words), self.assertRaises(BadValues) as raised:
                JOURNAL.bind_canonical(words)
            self.assertEqual(
                [why.partition(";")[0]], [str(each).partition(";")[0] for each in raised.exception.mistakes]
            )

    def test_the_order_is_not_of_importance(self) -> None:
        """Values come in the order of the parameters."""
        self.assertEqual((("unit", ("nginx",)), ("lines", ("50",))), JOURNAL.bind_canonical(["lines=50", "unit=nginx"]))
        self.assertEqual((), NO_PARAMETERS.bind_canonical(()))

    def test_equal_signs_and_line_breaks(self) -> None:
        """What stands behind the first equals sign is the value, all of it."""
        body = ParameterList([a_parameter("body", Text())])
        self.assert_values({"body": "a=b\nbody=c\n"}, ["body=a=b\r\nbody=c"], (), body)


class MaskTests(unittest.TestCase):
    def test_shown(self) -> None:
        """Values as words; a secret is masked, whatever it is."""
        values = _LOGIN.bind(["ada", "hunter2", "3"])
        self.assertEqual(("user=ada", f"password={MASK}", "count=3"), _LOGIN.shown(values))
        self.assertEqual((), NO_PARAMETERS.shown(()))

    def test_masked(self) -> None:
        """Of what was typed only what is named as something public is written down."""
        for words, shown in (
            (["user=ada", "password=hunter2"], ("user=ada", MASK)),
            (["ada", "hunter2"], (MASK, MASK)),
            (["user=ada", "pasword=hunter2"], ("user=ada", MASK)),
            (["PASSWORD=hunter2"], (MASK,)),
            (["--", "ada", "hunter2"], ("--", MASK, MASK)),
            (["--", "ada", "user=hunter2"], ("--", MASK, MASK)),
            (["user=ada", "--", "count=hunter2"], ("user=ada", "--", MASK)),
        ):
            self.assertEqual(shown, _LOGIN.masked(words), words)
        fields = [("user", "ada"), ("password", "hunter2"), ("pasword", "hunter2")]
        self.assertEqual(("user=ada", f"password={MASK}", f"pasword={MASK}"), _LOGIN.masked([], fields))

    def test_without_secrets_all_is_shown(self) -> None:
        """As it was typed."""
        self.assertEqual(
            ("nginx", "--", "lines=x", "utc=1"), JOURNAL.masked(["nginx", "--", "lines=x"], [("utc", "1")])
        )

    def test_no_mistake_has_a_secret(self) -> None:
        """Whatever is wrong with it; it may be in what was no value, and then only its name is told."""
        for words in (
            ["ada", "-hunter2"],
            ["ada", "hunter2\n"],
            ["ada", "hunter2", "x"],
            ["user=ada", "hunter2"],
            ["ada", "hunter2" * 99],
        ):
            with self.assertRaises(BadValues) as raised:
                _LOGIN.bind(words)
            self.assertNotIn("hunter2", str(raised.exception))


class SequenceTests(unittest.TestCase):
    def test_it_is_a_sequence(self) -> None:
        """Of its parameters, in their order."""
        self.assertEqual((4, _LINES, [*JOURNAL]), (len(JOURNAL), JOURNAL[1], [_UNIT, _LINES, _SINCE, _UTC]))
        self.assertEqual((_UNIT, None), (JOURNAL.named("unit"), JOURNAL.named("none")))
        self.assertEqual((JOURNAL, hash(JOURNAL)), (ParameterList(list(JOURNAL)), hash(ParameterList(list(JOURNAL)))))
        self.assertNotEqual(JOURNAL, NO_PARAMETERS)
        self.assertNotEqual(JOURNAL, [*JOURNAL])
        self.assertIn("unit", repr(JOURNAL))
        self.assertEqual((frozenset({"password"}), frozenset()), (_LOGIN.secrets, JOURNAL.secrets))
        self.assertEqual(
            (False, True), (JOURNAL.has_sources, ParameterList([a_parameter("c", Choice(source="x"))]).has_sources)
        )


_LISTS = st.lists(
    st.builds(
        lambda type_, repeat, is_required: (type_, repeat, is_required),
        st.sampled_from(sorted(TYPES)),
        st.sampled_from([1, 1, 3]),
        st.booleans(),
    ),
    max_size=5,
).map(
    lambda kinds: ParameterList(
        a_parameter(
            f"p{index}", TYPES[name], repeat=repeat, is_required=is_required and not isinstance(TYPES[name], Flag)
        )
        for index, (name, repeat, is_required) in enumerate(kinds)
    )
)
_NAMES = st.sampled_from(["p0", "p1", "p2", "p3", "p4", "q", "", "p0 "])
_WORDS = st.lists(
    st.one_of(
        texts(),
        st.builds("{}={}".format, _NAMES, texts()),
        st.sampled_from(["--", "p0=1", "nginx", "true", "1", "2026-11-28", "a.example.org"]),
    ),
    max_size=6,
)


def _checked(parameters: ParameterList, values: Values) -> None:
    """Fail unless values are what their types accept, in their canonical form, and all that are needed."""
    given = dict(values)
    assert len(given) == len(values)
    for parameter in parameters:
        texts_ = given.pop(parameter.name, ())
        assert len(texts_) <= parameter.repeat
        assert all(accepted(parameter.type, each) == each for each in texts_)
        assert texts_ or not parameter.is_required
    assert not given


class LawTests(unittest.TestCase):
    @given(_LISTS, _WORDS, st.lists(st.tuples(_NAMES, texts()), max_size=3))
    @LAW
    def test_values_or_what_is_wrong(self, parameters: ParameterList, words: list[str], fields: list[Field]) -> None:
        """Whatever is given; and the runner process reads the values as they are."""
        try:
            values = parameters.bind(words, fields)
        except BadValues as error:
            self.assertTrue(0 < len(error.mistakes) <= MOST_MISTAKES + 1)
            return
        _checked(parameters, values)
        self.assertEqual(values, parameters.bind_canonical(list(words_of(values))))
        hash(values)

    @given(_LISTS, st.data())
    @LAW
    def test_a_daemon_that_was_taken_over(self, parameters: ParameterList, data: st.DataObject) -> None:
        """Of any words, good ones that were changed too, the runner makes values that the types accept, or none."""
        words = list(data.draw(_WORDS))
        for parameter in parameters:
            text = data.draw(texts())
            words.append(f"{parameter.name}={accepted(parameter.type, text) or text}")
        words = data.draw(st.permutations(words))
        for some in (words, words[: len(parameters)], [each for each in words if each.startswith("p")]):
            try:
                values = parameters.bind_canonical(some)
            except BadValues:
                continue
            _checked(parameters, values)
            self.assertEqual(sorted(some), sorted(words_of(values)), "nothing is left out, and nothing is new")
