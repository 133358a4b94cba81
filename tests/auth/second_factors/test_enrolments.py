"""The file ``totp``, as text and as values."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.second_factors.enrolments import (
    RECOVERY_CODES,
    Enrolment,
    format_enrolment,
    new_recovery_codes,
    new_secret,
    parse_totp,
    recovery_digest,
)
from tests.auth.doubles import SECRET
from tests.doubles import LAW

DIGEST = recovery_digest("aaaa-bbbb-cccc-dddd")


class ParseTests(SynchronousTestCase):
    def test_good_lines(self) -> None:
        """A name, a secret, and perhaps recovery codes."""
        parsed = parse_totp(f"# who\nann {SECRET}\n\nben\t{SECRET} recovery={DIGEST.hex()}\n")

        self.assertEqual((), parsed.complaints)
        self.assertEqual(
            {
                "ann": Enrolment(name="ann", secret=SECRET),
                "ben": Enrolment(name="ben", secret=SECRET, recovery=frozenset({DIGEST})),
            },
            parsed.value,
        )

    def test_bad_lines_keep_out(self) -> None:
        """Whose line is not understood has a second factor, for which no code is right."""
        for rest in ("", " short", f" {SECRET.lower()}", f" {SECRET} recovery=", f" {SECRET} more", f" {SECRET} a b"):
            parsed = parse_totp(f"ann{rest}\n")
            self.assertEqual({"ann": Enrolment(name="ann", secret=None)}, parsed.value, rest)
            self.assertEqual([1], [each.line for each in parsed.complaints], rest)
            self.assertNotIn(SECRET, str(parsed.complaints))

    def test_nobodys_lines(self) -> None:
        """A second line of somebody's, and one of nobody's, say nothing."""
        parsed = parse_totp(f"ann {SECRET}\nann {SECRET[::-1]}\n../x {SECRET}\n")

        self.assertEqual({"ann": Enrolment(name="ann", secret=SECRET)}, parsed.value)
        self.assertEqual([2, 3], [each.line for each in parsed.complaints])

    @LAW
    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text gives values and complaints."""
        parse_totp(text)

    @LAW
    @given(st.binary(min_size=20, max_size=20), st.sets(st.binary(min_size=32, max_size=32)))
    def test_written_is_read(self, secret: bytes, recovery: set[bytes]) -> None:
        """What is written is read as it was."""
        enrolment = Enrolment(name="ann", secret=new_secret(lambda _: secret), recovery=frozenset(recovery))

        self.assertEqual({"ann": enrolment}, parse_totp(format_enrolment(enrolment)).value)


class RecoveryTests(SynchronousTestCase):
    def test_codes(self) -> None:
        """There are ten, all different, of eighty random bits each."""
        numbers = iter(range(100))
        codes = new_recovery_codes(lambda count: next(numbers).to_bytes(count, "big"))

        self.assertEqual(RECOVERY_CODES, len(set(codes)))
        for code in codes:
            self.assertRegex(code, r"\A[a-z2-7]{4}(-[a-z2-7]{4}){3}\Z")

    def test_however_it_is_typed(self) -> None:
        """Capitals, spaces and dashes do not matter; every other character does."""
        for typed in ("AAAA-BBBB-CCCC-DDDD", "aaaabbbbccccdddd", " aaaa bbbb cccc dddd \r"):
            self.assertEqual(DIGEST, recovery_digest(typed))
        self.assertNotEqual(DIGEST, recovery_digest("aaaa-bbbb-cccc-ddde"))
        recovery_digest("\ud800")
