"""What came of asking one host, and what of all of them. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from msgspec import Struct

from cmdserver.auth.signatures.answer_verification import Answer
from cmdserver.core.errors import Code

#: States besides the codes with which a host ends its answers.
MISSING: Final = "missing"
UNVERIFIED: Final = "unverified"
NOT_ASKED: Final = "not-asked"
_OWN: Final = frozenset({MISSING, UNVERIFIED, NOT_ASKED})
_LEAST_ERROR: Final = 400
_UNSIGNED: Final = {
    401: "the login is refused, as by a host that does not know your key",
    503: "it is busy, as a host that has just started",
}
#: An answer that says nothing of how it went.
_OTHER: Final = "answered"
#: What a host may say of that: the codes that there are, and those of newer versions.
_CODE: Final = re.compile(r"[a-z][a-z_]{0,31}")


def unsigned_error(answer: Answer) -> str:
    """Say what an error means that is not signed: a refusal by the host, most likely; empty: it is none."""
    if answer.status < _LEAST_ERROR or answer.field("signature-input") is not None:
        return ""
    return f"{_UNSIGNED.get(answer.status, 'an error')} ({answer.status}), not signed"


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
    #: Why something that came besides the answer is none: somebody makes up answers; empty: nothing came.
    besides: str = ""

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
        is_code = isinstance(state, str) and _CODE.fullmatch(state) is not None and state not in _OWN
        return cls(host=host, state=str(state) if is_code else _OTHER, seconds=seconds, answer=answer)

    @property
    def is_answer(self) -> bool:
        """Whether the host has answered, however."""
        return self.state not in _OWN

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
        said = {"why": self.why, "unverified": self.besides}
        return {**record, **{name: text for name, text in said.items() if text}}


class Summary(Struct, frozen=True):
    """What came of all."""

    #: One of each expected host, in the order of their names.
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Self:
        """Sum up."""
        return cls(tuple(sorted(outcomes, key=lambda each: each.host)))

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
        return tuple(each.host for each in self.outcomes if each.state in {MISSING, UNVERIFIED})

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
