"""Tests of remembering passwords that were right."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.password_cache import PasswordCache
from tests.doubles import LAW

KEY = bytes(32)


class RememberedTests(unittest.TestCase):
    def setUp(self) -> None:
        self.remembered = PasswordCache(KEY, seconds=60.0, most=3)

    def test_what_was_right_is_known_for_a_while(self) -> None:
        """A password is known for its time, and then has to be checked again."""
        self.remembered.remember(b"right", b"$2b$hash", 0.0)

        self.assertTrue(self.remembered.knows(b"right", b"$2b$hash", 59.9))
        self.assertFalse(self.remembered.knows(b"right", b"$2b$hash", 60.0))

    def test_to_be_used_does_not_prolong_it(self) -> None:
        """However often it is asked for, a password is checked again when its time is over."""
        self.remembered.remember(b"right", b"$2b$hash", 0.0)
        self.assertTrue(self.remembered.knows(b"right", b"$2b$hash", 59.0))

        self.assertFalse(self.remembered.knows(b"right", b"$2b$hash", 61.0))

    def test_another_hash_knows_nothing(self) -> None:
        """When the password is changed, or is another user's, what was known is not."""
        self.remembered.remember(b"right", b"$2b$hash", 0.0)

        self.assertFalse(self.remembered.knows(b"right", b"$2b$another", 1.0))
        self.assertFalse(self.remembered.knows(b"wrong", b"$2b$hash", 1.0))

    def test_only_so_many_are_kept(self) -> None:
        """The one that was remembered longest ago makes room."""
        for number in range(5):
            self.remembered.remember(b"%d" % number, b"$2b$hash", float(number))

        self.assertEqual(len(self.remembered._until), 3)
        known = [number for number in range(5) if self.remembered.knows(b"%d" % number, b"$2b$hash", 5.0)]
        self.assertEqual(known, [2, 3, 4])

    @LAW
    @given(st.binary(), st.binary(), st.binary(), st.binary())
    def test_nothing_is_taken_for_something_else(self, one: bytes, another: bytes, hashed: bytes, other: bytes) -> None:
        """A pair is known only if this very pair was remembered; hashes have no NUL in them."""
        remembered = PasswordCache(KEY)
        hashed, other = hashed.replace(b"\0", b""), other.replace(b"\0", b"")
        remembered.remember(one, hashed, 0.0)

        self.assertEqual(remembered.knows(another, other, 1.0), (one, hashed) == (another, other))
