"""What came of asking one host, and what of all of them. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from msgspec import Struct

from cmdserver.core.errors import Code

#: States besides the codes with which a host ends its answers.
MISSING: Final = "missing"
UNVERIFIED: Final = "unverified"
NOT_ASKED: Final = "not-asked"
#: An answer that says nothing of how it went.
_OTHER: Final = "answered"


class Outcome(Struct, frozen=True, kw_only=True):
    """What is known of one host."""

    host: str
    #: The code of its answer (``ok``, ``failed``, ``denied``, …), or one of the states above.
    state: str
    #: From the question to the answer; None: there was none.
    seconds: float | None = None
    #: What the host has answered, parsed; None: nothing that is verified.
    answer: Mapping[str, Any] | None = None
    #: Why there is no answer, in a line.
    why: str = ""

    @classmethod
    def of_answer(cls, host: str, status: int, body: bytes, seconds: float) -> Self:
        """Read a verified answer."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return cls(host=host, state=Code.MALFORMED, seconds=seconds, why=f"its answer ({status}) is no JSON object")
        return cls.of_parsed(host, answer, seconds)

    @classmethod
    def of_parsed(cls, host: str, answer: Mapping[str, Any], seconds: float) -> Self:
        """Take a verified answer that is parsed."""
        error = answer.get("error")
        state = answer.get("outcome") or (error.get("code") if isinstance(error, dict) else None)
        return cls(host=host, state=state if isinstance(state, str) else _OTHER, seconds=seconds, answer=answer)

    @property
    def is_answer(self) -> bool:
        """Whether the host has answered, however."""
        return self.state not in {MISSING, UNVERIFIED, NOT_ASKED}

    @property
    def is_ok(self) -> bool:
        """Whether what was asked for was done, and went well."""
        return self.state == Code.OK

    def as_json(self) -> dict[str, object]:
        """Return it as programs read it."""
        record: dict[str, object] = {
            "host": self.host,
            "state": self.state,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "answer": self.answer,
        }
        return {**record, "why": self.why} if self.why else record


class Summary(Struct, frozen=True):
    """What came of all."""

    #: Each expected host's last outcome, in the order of their names.
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Self:
        """Sum up; of each host the last one that is not merely unverified counts."""
        last: dict[str, Outcome] = {}
        for each in outcomes:
            if each.state != UNVERIFIED:
                last[each.host] = each
        return cls(tuple(last[name] for name in sorted(last)))

    @property
    def asked(self) -> int:
        """How many were asked."""
        return len(self.outcomes) - len(self.not_asked)

    @property
    def ok(self) -> int:
        """How many have answered that all went well."""
        return sum(each.is_ok for each in self.outcomes)

    @property
    def failed(self) -> int:
        """How many have answered something else."""
        return sum(each.is_answer and not each.is_ok for each in self.outcomes)

    @property
    def missing(self) -> tuple[str, ...]:
        """Who was asked and has not answered."""
        return tuple(each.host for each in self.outcomes if each.state == MISSING)

    @property
    def not_asked(self) -> tuple[str, ...]:
        """Who was expected, and not asked any more."""
        return tuple(each.host for each in self.outcomes if each.state == NOT_ASKED)

    @property
    def is_success(self) -> bool:
        """Whether everybody who was expected has answered ``ok``; nobody at all is no success."""
        return bool(self.outcomes) and self.ok == len(self.outcomes)

    def as_json(self) -> dict[str, object]:
        """Return it as programs read it."""
        record: dict[str, object] = {
            "asked": self.asked,
            "answered": self.ok + self.failed,
            "ok": self.ok,
            "failed": self.failed,
            "missing": list(self.missing),
        }
        return {**record, "not_asked": list(self.not_asked)} if self.not_asked else record
