"""What is printed: a Nagios plugin's lines, or one JSON object. Pure.

The syntax is that of the Monitoring Plugins' development guidelines, "Plugin Output for Nagios" and "Performance data":
``'label'=value[UOM];[warn];[crit];[min];[max]``.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from cmdserver_probe.printable import shown

#: How much of a first line there is at most, before the performance data.
FIRST_LINE_CHARACTERS = 1000
#: How many lines of certificates, answers and the like there are below it.
LINES = 20


class State(IntEnum):
    """A plugin's exit statuses; the worst is the highest of the first three."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Value:
    """A number for performance data.

    Attributes:
        number: The number.
        unit: ``s``, ``B``, or nothing for a count.
        warning, critical: Ranges as the guidelines define them, or nothing.
        minimum, maximum: The bounds of the number itself, or nothing.
    """

    __slots__ = ("critical", "maximum", "minimum", "number", "unit", "warning")

    def __init__(
        self,
        number: float,
        unit: str = "",
        *,
        warning: str = "",
        critical: str = "",
        minimum: str = "0",
        maximum: str = "",
    ) -> None:
        self.number = number
        self.unit = unit
        self.warning = warning
        self.critical = critical
        self.minimum = minimum
        self.maximum = maximum

    def __str__(self) -> str:
        parts = (f"{plain(self.number)}{self.unit}", self.warning, self.critical, self.minimum, self.maximum)
        return ";".join(parts).rstrip(";")


class TLSDetails:
    """What TLS has shown of the target.

    Attributes:
        version: Such as ``TLSv1.3``.
        cipher: OpenSSL's name of it.
        is_verified: Whether the certificate was checked.
        names: Whom the certificate is for; none if it was verified, but they cannot be read.
        ends: Until when it, or the one of its chain that ends first, is valid; ISO 8601.
        days: How many days that is from now; negative if it has passed.
        chain: Subjects, from the target's own to the authority's.
    """

    __slots__ = ("chain", "cipher", "days", "ends", "is_verified", "names", "version")

    def __init__(
        self,
        *,
        version: str,
        cipher: str,
        is_verified: bool,
        names: Sequence[str],
        ends: str,
        days: float,
        chain: Sequence[str],
    ) -> None:
        self.version = version
        self.cipher = cipher
        self.is_verified = is_verified
        self.names = names
        self.ends = ends
        self.days = days
        self.chain = chain

    def as_json(self) -> dict[str, object]:
        """Say it for a program."""
        return {
            "version": self.version,
            "cipher": self.cipher,
            "verified": self.is_verified,
            "names": list(self.names),
            "ends": self.ends,
            "days": round(self.days, 3),
            "chain": list(self.chain),
        }


class Finding:
    """What a kind found at a target that answers.

    Attributes:
        text: In a few words.
        state: What that means.
        values: Numbers beside the times, by label.
        lines: More, a line each.
    """

    __slots__ = ("lines", "state", "text", "values")

    def __init__(
        self,
        text: str,
        state: State = State.OK,
        *,
        values: Mapping[str, Value] | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        self.text = text
        self.state = state
        self.values = values or {}
        self.lines = lines


class Report:
    """All that is said in the end.

    Attributes:
        kind, target: What was asked for.
        finding: What came of it.
        step: The step at which the probe stopped; None if it came to its end.
        seconds: How long it took.
        steps: How long each finished step took.
        times: The time as performance data, with its thresholds.
        address: Where it connected to.
        tls: What TLS has shown.
    """

    __slots__ = ("address", "finding", "kind", "seconds", "step", "steps", "target", "times", "tls")

    def __init__(
        self,
        *,
        kind: str,
        target: str,
        finding: Finding,
        step: str | None,
        seconds: float,
        steps: Mapping[str, float],
        times: Value,
        address: str | None,
        tls: TLSDetails | None,
    ) -> None:
        self.kind = kind
        self.target = target
        self.finding = finding
        self.step = step
        self.seconds = seconds
        self.steps = steps
        self.times = times
        self.address = address
        self.tls = tls

    def as_text(self) -> str:
        """Write a plugin's output."""
        first = shown(f"{self.finding.state.name} - {self.sentence()}", FIRST_LINE_CHARACTERS)
        values = {
            "time": self.times,
            **{step: Value(seconds, "s") for step, seconds in self.steps.items()},
            **self.finding.values,
        }
        performance = " ".join(f"'{label}'={value}" for label, value in values.items())
        return "".join(f"{line}\n" for line in (f"{first} | {performance}", *self._lines()))

    def sentence(self) -> str:
        """Say what it is about and what came of it."""
        about = (f"{self.kind} {self.target}", self.step, self.finding.text)
        return ": ".join(each for each in about if each is not None)

    def as_json(self) -> dict[str, object]:
        """Say it for a program."""
        return {
            "state": self.finding.state.name,
            "text": shown(self.sentence(), FIRST_LINE_CHARACTERS),
            "kind": self.kind,
            "target": self.target,
            "address": self.address,
            "stopped_at": self.step,
            "seconds": round(self.seconds, 6),
            "steps": [{"name": name, "seconds": round(seconds, 6)} for name, seconds in self.steps.items()],
            "values": {label: value.number for label, value in self.finding.values.items()},
            "tls": None if self.tls is None else self.tls.as_json(),
            "lines": self._lines(),
        }

    def _lines(self) -> list[str]:
        lines = [shown(line) for line in self.finding.lines]
        more = len(lines) - LINES
        return [*lines[:LINES], f"[{more} more lines]"] if more > 0 else lines


def plain(number: float) -> str:
    """Write a number without an exponent, to the microsecond."""
    return str(number) if isinstance(number, int) else f"{number:.6f}".rstrip("0").rstrip(".")
