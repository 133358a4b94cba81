"""Codes, by the clock."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.second_factors.codes import matching_step, provisioning_uri
from tests.auth.doubles import SECRET

#: RFC 6238, appendix B, for SHA-1: the last six of its eight digits.
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


class MatchingStepTests(SynchronousTestCase):
    def test_the_rfcs_own(self) -> None:
        """The standard's vectors are right at their times, and only at them."""
        for time, code in VECTORS.items():
            self.assertEqual(time // 30, matching_step(SECRET, code, time))
            self.assertIsNone(matching_step(SECRET, code, time + 86400))

    def test_a_step_either_side(self) -> None:
        """A code counts a step early and a step late, to the second, and no more."""
        step = 1111111109 // 30
        start = step * 30
        for off, counts in ((-31, False), (-30, True), (0, True), (29, True), (59, True), (60, False)):
            self.assertEqual(step if counts else None, matching_step(SECRET, "081804", start + off), off)

    def test_how_it_is_typed(self) -> None:
        """Spaces are nothing, other digits than ours are no digits, and no more or fewer than six count."""
        for typed in ("081 804", " 081804\r"):
            self.assertIsNotNone(matching_step(SECRET, typed, 1111111109))
        for typed in ("", "81804", "0081804", "٠٨١٨٠٤", "08180a", "-81804", "081804081804"):
            self.assertIsNone(matching_step(SECRET, typed, 1111111109), typed)

    def test_before_time_began(self) -> None:
        """A clock that is at nothing has steps from 0."""
        self.assertIsNone(matching_step(SECRET, "000000", 0))

    def test_what_an_app_reads(self) -> None:
        """Names are quoted."""
        uri = provisioning_uri(SECRET, "ann@x", "cmdserver a b")
        self.assertEqual(f"otpauth://totp/cmdserver%20a%20b:ann%40x?secret={SECRET}&issuer=cmdserver%20a%20b", uri)
