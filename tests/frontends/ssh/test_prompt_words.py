"""Tests of the words that are the prompt's own."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.names import RESERVED_WORDS
from cmdserver.frontends.ssh.prompt_words import PromptWord, described, find_word, spelled_out


class PromptWordTests(SynchronousTestCase):
    def test_words(self) -> None:
        """A line of one word is meant; commands of that name come first."""
        for word in PromptWord:
            self.assertIs(find_word(word, lambda: ()), word)
            self.assertIsNone(find_word(word, lambda: list(PromptWord)), word)
            self.assertIsNone(find_word(f"{word} x", lambda: ()))
        self.assertIsNone(find_word("uptime", self.fail))

    def test_they_are_described(self) -> None:
        """All but those that are commands."""
        self.assertEqual([word for word, _ in described(())], list(PromptWord))
        self.assertEqual([word for word, _ in described({"clear", "x"})], ["history", "exit", "logout"])

    def test_they_are_no_words_of_lines(self) -> None:
        """A configuration may have commands of these names."""
        self.assertEqual(set(PromptWord) & RESERVED_WORDS, set())

    def test_a_question_mark(self) -> None:
        """It asks for help."""
        cases = {"?": "help", "? df": "help df", "?df": "?df", "df ?": "df ?"}
        for line, meant in cases.items():
            self.assertEqual(spelled_out(line), meant)
