"""What is said of values."""

import unittest

from cmdserver.parameters.mistakes import BadValues, NotAccepted, ValueMistake


class MistakeTests(unittest.TestCase):
    def test_sentences(self) -> None:
        """The parameter, what is accepted, what is near to it."""
        for mistake, text in (
            (ValueMistake("unit", "must be a"), "unit must be a"),
            (ValueMistake(None, "too many values"), "too many values"),
            (ValueMistake("unit", "must be a", ("a", "b")), "unit must be a; did you mean a or b?"),
        ):
            self.assertEqual(text, str(mistake))

    def test_all_of_them(self) -> None:
        """An exception has them all."""
        error = BadValues([ValueMistake("a", "x"), ValueMistake("b", "y")])
        self.assertEqual(("a x; b y", 2), (str(error), len(error.mistakes)))
        self.assertEqual(("a",), NotAccepted("must be a", ("a",)).suggestions)
