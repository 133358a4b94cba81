"""Sections of rows in two columns of nearly the same height; pure, and without markup."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from cmdserver.core.model import Command

#: What the head of a section and the gap below it take, in rows.
_HEAD_ROWS: Final = 1.6
#: By how much the higher column may exceed the half before a section is cut in two.
_UNEVEN_ROWS: Final = 1.5


class Block(Struct, frozen=True):
    """The commands of a section, or a part of them."""

    #: Empty for those without a section.
    name: str
    members: tuple[Command, ...]
    #: Whether what is before it is in the other column.
    is_rest: bool = False
    #: How many the section has, if this is a part.
    of: int | None = None

    @property
    def count(self) -> int:
        """How many commands the section has."""
        return len(self.members) if self.of is None else self.of

    @property
    def rows(self) -> float:
        """How high it is."""
        return len(self.members) + _HEAD_ROWS


def in_columns(blocks: Sequence[Block]) -> tuple[Sequence[Block], Sequence[Block]]:
    """Cut where the heights of the columns differ least; within a section only if they would differ much.

    Args:
        blocks: In their order, which stays: down the left column, then down the right.
    """
    total = sum(block.rows for block in blocks)
    heights = list(accumulate((block.rows for block in blocks), initial=0.0))
    at = min(range(len(heights)), key=lambda index: abs(total - 2 * heights[index]))
    if max(heights[at], total - heights[at]) - total / 2 <= _UNEVEN_ROWS:
        return blocks[:at], blocks[at:]
    return _cut_within(blocks, heights, total / 2)


def _cut_within(
    blocks: Sequence[Block], heights: Sequence[float], half: float
) -> tuple[Sequence[Block], Sequence[Block]]:
    at = max(index for index, height in enumerate(heights[:-1]) if height <= half)
    block = blocks[at]
    # The rest has a head of its own.
    fit = min(max(1, round(half - heights[at] - _HEAD_ROWS / 2)), len(block.members) - 1)
    if fit < 1:
        return blocks[: at + 1], blocks[at + 1 :]
    first, rest = _halves(block, fit)
    return (*blocks[:at], first), (rest, *blocks[at + 1 :])


def _halves(block: Block, fit: int) -> Iterator[Block]:
    count = len(block.members)
    yield replace(block, members=block.members[:fit], of=count)
    yield replace(block, members=block.members[fit:], of=count, is_rest=True)
