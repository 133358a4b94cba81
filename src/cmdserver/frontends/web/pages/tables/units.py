"""Numbers as people read them: bytes, percentages, durations, and what is just counted."""

import re
from typing import Final

_KIB: Final = 1024
#: From here on a number has no digit behind the point.
_TWO_DIGITS: Final = 9.95
#: Digits are grouped from here on; not before, as it may be a year.
_GROUPED: Final = 10_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

#: As ps and top write processor time: ``[[days-]hours:]minutes:seconds[.hundredths]``.
_TIME: Final = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d\d)(?:\.\d+)?")


def bytes_text(value: float) -> str:
    """Render a number of bytes as ``df -h`` does, in powers of 1024, with two or three digits."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if round(abs(value)) < _KIB:
            is_short = unit != "B" and abs(value) < _TWO_DIGITS and value
            return f"{value:.1f} {unit}" if is_short else f"{value:.0f} {unit}"
        value /= _KIB
    return f"{value:,.1f} PiB"


def percent_text(value: float, *, has_tenths: bool) -> str:
    """Render a percentage; with tenths if another one in its column has them, so that they stand below each other."""
    return f"{value:,.1f} %" if has_tenths else f"{value:,.0f} %"


def number_text(value: float) -> str:
    """Render what is counted or measured in a unit that nobody knows."""
    if abs(value) < _GROUPED:
        return f"{value:.6g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def seconds_of(text: str) -> float | None:
    """Read processor time as ps and top write it; None if it is something else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return float(days * _DAY + hours * _HOUR + minutes * _MINUTE + seconds)


def clock_text(seconds: float) -> str:
    """Render a duration as ``3:41:09``, of days as ``2 d 3:41:09``."""
    whole = int(seconds)
    days, rest = divmod(whole, _DAY)
    clock = f"{rest // _HOUR}:{rest % _HOUR // _MINUTE:02}:{rest % _MINUTE:02}"
    return f"{days:,} d {clock}" if days else clock
