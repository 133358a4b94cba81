"""Tests of sections in two columns."""

from collections.abc import Sequence
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.model import Command
from cmdserver.frontends.web.pages.columns import Block, in_columns
from tests.doubles import LAW, a_command


def blocks_of(sizes: Sequence[int]) -> list[Block]:
    """Make sections with so many commands."""
    return [
        Block(f"s{index}", tuple(a_command(name=f"c{index}-{each}") for each in range(size)))
        for index, size in enumerate(sizes)
    ]


def members(blocks: Sequence[Block]) -> list[Command]:
    """List what is in blocks."""
    return [each for block in blocks for each in block.members]


class ColumnsTests(TestCase):
    @LAW
    @given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12))
    def test_nothing_is_lost(self, sizes: list[int]) -> None:
        """Down the left column and then down the right, each command stands once, in its order; and none is empty."""
        blocks = blocks_of(sizes)
        left, right = in_columns(blocks)

        self.assertEqual(members(left) + members(right), members(blocks))
        self.assertTrue(all(block.members for block in (*left, *right)))

    @LAW
    @given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) > 1))
    def test_the_columns_are_alike(self, sizes: list[int]) -> None:
        """Neither is more than some rows higher than half of all."""
        left, right = (sum(block.rows for block in column) for column in in_columns(blocks_of(sizes)))

        self.assertLessEqual(abs(left - right), 9)

    def test_a_cut_section(self) -> None:
        """It says how many it has in all, and its rest that it is one."""
        (first,), (rest,) = in_columns(blocks_of([50]))

        self.assertEqual((first.name, first.count, first.is_rest), ("s0", 50, False))
        self.assertEqual((rest.name, rest.count, rest.is_rest), ("s0", 50, True))

    def test_sections_stay_whole_where_they_can(self) -> None:
        """A cut between two of them comes first."""
        left, right = in_columns(blocks_of([15, 10, 13, 12]))

        self.assertEqual([block.name for block in left], ["s0", "s1"])
        self.assertEqual([block.name for block in right], ["s2", "s3"])
