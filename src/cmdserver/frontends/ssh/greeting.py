"""What a person sees before they type: which host this is, what the administrator has to say, and the prompt."""

import colorsys
from typing import Final

from cmdserver.core.escaping import printable_line
from cmdserver.core.site import Site

GREETING: Final = "What can I do for you? (Try help; Ctrl-D leaves.)"

#: ECMA-48, section 8.3.117: colours of the foreground that every colour terminal knows, by their hue in degrees.
_BY_HUE: Final = ((20, 31), (70, 33), (165, 32), (200, 36), (255, 34), (335, 35), (360, 31))
#: Below that a colour is a grey.
_LEAST_SATURATION: Final = 0.3


def prompt(user: str, site_name: str) -> str:
    """Return what is shown where a line is expected, as shells show it: ``ann@shop1> ``."""
    return f"{printable_line(user)}@{printable_line(site_name)}> "


def greeting(site: Site, *, has_colours: bool) -> bytes:
    """Return the lines before the first prompt: which host this is, if it has a label, and the notice."""
    lines = []
    if site.label:
        label = f"[{printable_line(site.label)}]"
        lines.append(f"{printable_line(site.name)} {_coloured(label, site.colour) if has_colours else label}")
    if site.notice:
        lines.append(printable_line(site.notice))
    return "".join(f"{line}\n" for line in (*lines, GREETING)).encode(errors="replace")


def _coloured(text: str, colour: str) -> str:
    """Show a text in bold and reversed: on the colour, in the terminal's own background, which can be read on it."""
    return f"\x1b[1;7{_parameter(colour)}m{text}\x1b[0m"


def _parameter(colour: str) -> str:
    """Return the nearest of the eight colours, as a further parameter; nothing for greys.

    Not the colour itself (``38;2;R;G;B``): a terminal that does not know that form takes its numbers for attributes,
    such as blinking.
    """
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
    if saturation < _LEAST_SATURATION:
        return ""
    return f";{next(code for end, code in _BY_HUE if hue * 360 <= end)}"
