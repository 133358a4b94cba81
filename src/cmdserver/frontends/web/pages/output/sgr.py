"""What colour sequences mean on a page, as names of classes (ECMA-48, 8.3.117, "SGR": select graphic rendition).

A page has eight colours, bold, underlined, and a ground of a colour. Bright is bold; those of 256 and of 16 million
colours are the nearest of the eight by their hue, so that everything can be read in light and in dark.
"""

import re
from collections.abc import Iterator
from typing import Final, TypedDict

from msgspec import Struct
from msgspec.structs import replace

#: The parameters of a sequence: more of them than in any that is meant.
PARAMETERS: Final = "[0-9;:]{0,64}"

_BLACK, _WHITE, _BRIGHT = 0, 7, 8
_NO_COLOUR: Final = -1
#: Out of 255: what differs less is grey, and above the half it is white.
_GREY_RANGE, _HALF = 48, 128
_NUMBER: Final = re.compile("[0-9]{1,3}")
#: How many numbers follow the form of an extended colour: an index, or three parts.
_EXTENDED: Final = {5: 1, 2: 3}


class Rendition(Struct, frozen=True, kw_only=True):
    """How text looks that comes now; the colours are 0 to 7, or None for the usual one."""

    colour: int | None = None
    ground: int | None = None
    is_bright: bool = False
    is_bold: bool = False
    is_underlined: bool = False
    is_inverse: bool = False

    @property
    def classes(self) -> str:
        """The names of classes, with blanks between them: ``c0`` to ``c7``, ``k`` (as a ground), ``b`` and ``u``."""
        colour, ground = self.colour, self.ground
        is_ground = ground is not None
        if self.is_inverse:
            colour, is_ground = (ground, False) if is_ground and colour is None else (colour, True)
        elif is_ground:
            colour = ground
        return " ".join(
            name
            for name, is_so in (
                ("k", is_ground),
                (f"c{colour}", colour is not None),
                ("b", self.is_bold or self.is_bright),
                ("u", self.is_underlined),
            )
            if is_so
        )

    def after(self, parameters: str) -> "Rendition":
        """Return how text looks after a sequence; what is not known changes nothing.

        Args:
            parameters: What stands between ``ESC [`` and ``m``.
        """
        rendition = self
        parts = iter(parameters.split(";"))
        for part in parts:
            head, *sub = part.split(":")
            code = _number(head)
            if code in {38, 48}:
                index = _extended([_number(each) for each in sub] if sub else _following(parts))
                if index != _NO_COLOUR:
                    base = code - 8 if index < _BRIGHT else code + 52
                    rendition = replace(rendition, **_CHANGES[base + index % _BRIGHT])
            elif code == 0:
                rendition = PLAIN
            else:
                # 4:0 is not underlined, 4:3 is with a wave.
                code = 24 if sub and code == 4 and _number(sub[0]) == 0 else code  # noqa: PLR2004
                rendition = replace(rendition, **_CHANGES.get(code, {}))
        return rendition


class _Changes(TypedDict, total=False):
    """What a code changes."""

    colour: int | None
    ground: int | None
    is_bright: bool
    is_bold: bool
    is_underlined: bool
    is_inverse: bool


#: By codes; 0 is no change, but the beginning.
_CHANGES: Final[dict[int, _Changes]] = {
    1: {"is_bold": True},
    22: {"is_bold": False},
    4: {"is_underlined": True},
    24: {"is_underlined": False},
    7: {"is_inverse": True},
    27: {"is_inverse": False},
    39: {"colour": None, "is_bright": False},
    49: {"ground": None},
    **{30 + index: {"colour": index, "is_bright": False} for index in range(8)},
    **{90 + index: {"colour": index, "is_bright": True} for index in range(8)},
    **{base + index: {"ground": index} for index in range(8) for base in (40, 100)},
}

#: As text looks at the beginning.
PLAIN: Final = Rendition()


def _number(text: str) -> int:
    """Return a parameter; none is 0, and one that is none of ours is -1."""
    if not text:
        return 0
    return int(text) if _NUMBER.fullmatch(text) else -1


def _following(parts: Iterator[str]) -> list[int]:
    """Take what belongs to an extended colour where it is not joined to that by colons."""
    form = _number(next(parts, ""))
    return [form, *(_number(next(parts, "")) for _ in range(_EXTENDED.get(form, 0)))]


def _extended(numbers: list[int]) -> int:
    """Return the index of an extended colour, from `_BRIGHT` on bright; `_NO_COLOUR` if it is none."""
    form, *values = numbers
    count = _EXTENDED.get(form)
    # With colons a name of the colour space may come first, which is empty.
    values = values[-count:] if count is not None else []
    if len(values) != count or not all(0 <= value <= 255 for value in values):  # noqa: PLR2004
        return _NO_COLOUR
    return _of_256(values[0]) if count == 1 else _nearest(*values)


def _of_256(index: int) -> int:
    """Return the nearest of a palette of 256, as xterm has it: 16, a cube of 6 x 6 x 6, and 24 greys."""
    if index < 16:  # noqa: PLR2004
        return index
    if index >= 232:  # noqa: PLR2004
        level = 8 + 10 * (index - 232)
        return _nearest(level, level, level)
    red, green, blue = ((index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6)
    return _nearest(*(55 + 40 * each if each else 0 for each in (red, green, blue)))


def _nearest(red: int, green: int, blue: int) -> int:
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < _GREY_RANGE:
        return _WHITE if high >= _HALF else _BLACK
    return sum(bit for bit, part in ((1, red), (2, green), (4, blue)) if 2 * part > low + high)
