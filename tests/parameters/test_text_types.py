"""Choices, lines, texts, secrets and flags."""

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from tests.parameters.test_number_types import TypeTestCase

_CONTROLS = ("\0", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800", "a\udcff")


class ChoiceTests(TypeTestCase):
    def test_forms(self) -> None:
        """The values, exactly: not their labels, not other spellings."""
        choice = Choice(choices={"nginx": "Web", "post gres": "DB", "-v": "verbose", "ä": "ä"})
        self.assert_forms(choice, {each: each for each in choice.choices})
        self.assert_forms(
            choice, dict.fromkeys(("", "Web", "NGINX", "nginx ", "nginx\n", "ngin*", "a\u0308", "*", "\ud800"))
        )

    def test_suggestions(self) -> None:
        """The nearest three, best first; a text of which nobody knows how long it is is compared with none."""
        choice = Choice(choices=dict.fromkeys(("nginx", "nginx-1", "nginx-2", "nginx-3", "sshd"), ""))
        with self.assertRaises(NotAccepted) as raised:
            choice.canonical("ngimx")
        self.assertEqual(("nginx", 3), (raised.exception.suggestions[0], len(raised.exception.suggestions)))
        self.assertEqual("must be one of nginx, nginx-1, nginx-2, nginx-3, sshd", str(raised.exception))
        with self.assertRaises(NotAccepted) as raised:
            choice.canonical("nginx" + "x" * 60)
        self.assertEqual((), raised.exception.suggestions)

    def test_many_choices(self) -> None:
        """A message lists twelve, and says how many more there are."""
        choice = Choice(choices=dict.fromkeys(map(str, range(100)), ""))
        listed = ", ".join(map(str, range(12)))
        self.assert_refusal(f"must be one of {listed} and 88 more", choice, "x")

    def test_printed_lists(self) -> None:
        """Of these only the pattern is known; by itself it is a word that no option can be."""
        listed = Choice(source="units")
        self.assert_forms(listed, {each: each for each in ("nginx", "a@b:c/d+e-f.g_h", "1", "A" * 128)})
        no_words = ("", "-rf", ".x", "/etc", "a b", "a=b", "a;b", "$x", "a\n", "ä", "A" * 129, *_CONTROLS)
        self.assert_forms(listed, dict.fromkeys(no_words))
        self.assert_refusal("must be one of those that this host lists", listed, "-rf")

    def test_printed_lists_with_a_pattern(self) -> None:
        """Whatever the pattern is, no line is an option, an empty word, or holds control characters."""
        listed = Choice(source="files", pattern=Pattern("(?s).*"))
        self.assert_forms(
            listed, {"a b": "a b", ".x": ".x", "ä": "ä", "": None, "-rf": None, **dict.fromkeys(_CONTROLS)}
        )
        self.assert_forms(Choice(source="files", pattern=Pattern("[ab]")), {"a": "a", "c": None, "ab": None})


class StringTests(TypeTestCase):
    def test_forms(self) -> None:
        """One line, as it is; nothing in it is looked at twice."""
        self.assert_forms(
            String(), {each: each for each in ("a", " ", "a -b", "; id", "$(id)", "{x}", "ä€😀", "a" * 256, "=")}
        )
        self.assert_forms(String(), dict.fromkeys(("", "a" * 257, "-", "-rf", "--", *_CONTROLS)))

    def test_messages(self) -> None:
        """They say what is wrong, and never repeat the text."""
        self.assert_refusal('must not begin with "-"; accepted is a line of 1 to 256 characters', String(), "-rf")
        self.assert_refusal("must be a line of 1 to 256 characters", String(), "")
        self.assert_refusal("must be a line of 3 characters", String(min_length=3, max_length=3), "abcd")
        self.assert_refusal("must be a line of 1 character", String(min_length=1, max_length=1), "ab")
        self.assert_refusal(
            "must have no control characters; accepted is a line of 1 to 256 characters", String(), "a\nb"
        )
        self.assert_refusal(
            "must be a line of 1 to 256 characters that matches [a-z]+", String(pattern=Pattern("[a-z]+")), "A"
        )
        self.assertEqual("a line of 1 to 256 characters that matches x", String(pattern=Pattern("x")).accepts)

    def test_dashes(self) -> None:
        """Only where it is said that the command can take them."""
        self.assert_forms(String(may_begin_with_dash=True), {"-rf": "-rf", "-": "-"})
        self.assert_forms(String(pattern=Pattern("-.*")), {"-rf": None})
        self.assert_forms(String(), {"\u2010rf": "\u2010rf", "\u2212rf": "\u2212rf"})

    def test_lengths_are_characters(self) -> None:
        """Whatever their bytes are."""
        self.assert_forms(String(min_length=2, max_length=2), {"😀😀": "😀😀", "😀": None, "abc": None})
        self.assert_forms(String(min_length=0), {"": ""})


class SecretTests(TypeTestCase):
    def test_it_is_a_string(self) -> None:
        """But may stand neither on a command line nor in a question."""
        self.assert_forms(Secret(), {"hunter2": "hunter2", "-x": None, "a\nb": None})
        self.assertEqual(frozenset({"environment", "stdin"}), Secret().places)

    def test_messages(self) -> None:
        """They do not have it in them."""
        for secret, text in (
            (Secret(pattern=Pattern("[0-9]+")), "hunter2"),
            (Secret(max_length=3), "hunter2"),
            (Secret(), "-hunter2"),
        ):
            with self.assertRaises(NotAccepted) as raised:
                secret.canonical(text)
            self.assertNotIn("hunter2", f"{raised.exception} {raised.exception.suggestions}")


class TextTests(TypeTestCase):
    def test_forms(self) -> None:
        """Lines end in LF, the last one too."""
        self.assert_forms(
            Text(),
            {
                "a": "a\n",
                "a\n": "a\n",
                "a\r\nb": "a\nb\n",
                "": "\n",
                "\n\n": "\n\n",
                "\ta": "\ta\n",
                "-x": "-x\n",
                "\u2028": "\u2028\n",
            },
        )
        self.assert_forms(
            Text(), dict.fromkeys(("\0", "a\rb", "\r", "\x1b", "\x0b", "\x0c", "\x7f", "\x85", "\ud800", "a\r\r\n"))
        )

    def test_bytes(self) -> None:
        """They count when it is as the command reads it."""
        self.assert_forms(Text(max_bytes=3), {"ab": "ab\n", "ab\r\n": "ab\n", "abc": None, "ä": "ä\n", "ää": None})
        self.assert_forms(Text(), {"a" * 65535: "a" * 65535 + "\n", "a" * 65536: None})
        self.assert_refusal("must be lines of 3 bytes at most", Text(max_bytes=3), "abc")
        self.assertEqual("lines of 3 bytes at most", Text(max_bytes=3).accepts)


class FlagTests(TypeTestCase):
    def test_forms(self) -> None:
        """The eight words, in upper case too."""
        self.assert_forms(Flag(), {**dict.fromkeys(("true", "yes", "on", "1", "TRUE", "On"), "true")})
        self.assert_forms(Flag(), {**dict.fromkeys(("false", "no", "off", "0", "False"), "false")})
        self.assert_forms(Flag(), dict.fromkeys(("", "t", "y", "2", "01", "true ", "true\n", "--utc", "ja", "\uff11")))
        self.assert_refusal("must be true or false", Flag(), "x")

    def test_words(self) -> None:
        """Its words, or nothing."""
        flag = Flag(gives=("--utc", "-x y"))
        self.assertEqual((("--utc", "-x y"), ()), (flag.words("true"), flag.words("false")))
