"""An administrator's patterns and a stranger's texts."""

import time
import unittest

from cmdserver.parameters.patterns import SECONDS, Pattern


class PatternTests(unittest.TestCase):
    def test_all_of_a_text(self) -> None:
        """Not its beginning, nor all but a last line break."""
        pattern = Pattern("[a-z]+")
        for text in ("abc", "a"):
            self.assertTrue(pattern.matches(text), text)
        for text in ("", "abc\n", "\nabc", "abc1", "1abc", "abc\nabc", "ABC"):
            self.assertFalse(pattern.matches(text), text)
        self.assertFalse(Pattern("^a$").matches("a\n"))
        self.assertFalse(Pattern("a|b").matches("ab"))

    def test_ascii(self) -> None:
        """The letters and digits of other scripts are none."""
        for text, other in ((r"\d", "\u0663"), (r"\w", "\u00e9"), (r"\s", "\u2003"), ("(?i)k", "\u212a")):
            self.assertFalse(Pattern(text).matches(other), text)

    def test_pythons_syntax(self) -> None:
        """Where others read it otherwise."""
        self.assertTrue(Pattern("a{,3}").matches("aa"))
        self.assertTrue(Pattern(r"(?P<x>a)(?P=x)").matches("aa"))

    def test_no_pattern(self) -> None:
        """It is said what is wrong."""
        for text in ("(", "[", "*", "a{2,1}", "(?P<x>a", "\\"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "is no regular expression: "):
                Pattern(text)

    def test_syntax_that_is_not_pythons(self) -> None:
        """A brace that is no count would be leave to match anything (fuzzy matching)."""
        for text in ("img{i}", "x{e}", "[a-z]{s<=2}", "a{", "a{}", r"\K", "(?R)", r"\pL"):
            with self.subTest(text), self.assertRaises(ValueError):
                Pattern(text)
        for text, matched in ((r"a\{i\}", "a{i}"), ("[{]a", "{a"), ("[]{]b", "{b"), ("a{2}", "aa"), ("a{1,}", "aaa")):
            self.assertTrue(Pattern(text).matches(matched), text)

    def test_what_would_take_long_to_compile(self) -> None:
        """It is refused before: the runner process reads the file, too."""
        for text in (
            "(" * 3000 + ")" * 3000,
            "a" * 1001,
            "a{2147483648}",
            "((a{1000}){1000}){1000}",
            "a{99999999999999}",
        ):
            with self.subTest(text[:20]), self.assertRaises(ValueError):
                Pattern(text)
        self.assertTrue(Pattern("[a-z]{0,63}(-[a-z]{0,63}){0,10}").matches("a-b"))

    def test_bounded_time(self) -> None:
        """A pattern that goes astray is given up, and does not match."""
        for text in ("(a+)+b", "(a|a)*b", "(a|aa)+$b"):
            before = time.process_time()
            self.assertFalse(Pattern(text).matches("a" * 256))
            self.assertLess(time.process_time() - before, SECONDS * 5)

    def test_values(self) -> None:
        """Those of one text are equal, whenever they were made."""
        self.assertEqual(Pattern("a"), Pattern("a"))
        self.assertEqual(hash(Pattern("a")), hash(Pattern("a")))
        self.assertNotEqual(Pattern("a"), Pattern("b"))
        self.assertNotEqual(Pattern("a"), "a")
        self.assertEqual("Pattern('a')", repr(Pattern("a")))
