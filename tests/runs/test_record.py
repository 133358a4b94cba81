"""Tests of whose run a run is."""

from unittest import TestCase

from cmdserver.runs.record import Asked
from tests.runs.doubles import a_record


class OwnerTests(TestCase):
    def test_who_has_asked(self) -> None:
        """Each of those who share it, and nobody else."""
        record = a_record(user="ada", others=(Asked(id="b", user="guy"), Asked(id="c", user=None)))

        self.assertEqual([record.is_of(name) for name in ("ada", "guy", "bob", "")], [True, True, False, False])

    def test_the_anonymous(self) -> None:
        """Have no runs of their own, as anybody is anonymous."""
        self.assertFalse(a_record(user=None).is_of(None))
        self.assertFalse(a_record(user="ada", others=(Asked(id="c", user=None),)).is_of(None))
