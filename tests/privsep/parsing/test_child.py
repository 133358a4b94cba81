"""A child of the parsing process: what comes of output."""

from unittest import TestCase

from cmdserver.checks.data import Json
from cmdserver.core.output import NotParsed
from cmdserver.privsep.parsing.child import outcome
from cmdserver.privsep.parsing.messages import RESULT_BYTES, Kind


class OutcomeTests(TestCase):
    def test_data(self) -> None:
        """They are one line of ASCII."""
        self.assertEqual(
            outcome(lambda name, output: [name, output.decode()], "df", "ü\n".encode()),
            (Kind.DATA, b'["df", "\\u00fc\\n"]'),
        )

    def test_reasons(self) -> None:
        """Why there are none is told; other errors are for the exit status."""

        def refuse(_: str, __: bytes) -> Json:
            raise NotParsed("it is ü")

        self.assertEqual(outcome(refuse, "df", b""), (Kind.NOT_PARSED, b"it is ?"))
        with self.assertRaises(ZeroDivisionError):
            outcome(lambda _, __: 1 // 0, "df", b"")

    def test_bounds(self) -> None:
        """More than is told is not written."""
        self.assertEqual(outcome(lambda _, __: "x" * (RESULT_BYTES - 2), "x", b"")[0], Kind.DATA)
        self.assertEqual(outcome(lambda _, __: "x" * (RESULT_BYTES - 1), "x", b""), (Kind.TOO_LONG, b""))
