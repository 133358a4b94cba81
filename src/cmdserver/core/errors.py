"""The errors of requests, and the one vocabulary of codes that every protocol speaks.

A class exists only if some caller acts differently on it. A code is stable: programs may rely on it. A text is for
people, and says what was wrong and what to do.
"""

import math
from enum import StrEnum
from typing import ClassVar

from cmdserver.core.escaping import visible
from cmdserver.parameters.mistakes import ValueMistake


class Code(StrEnum):
    """How a request ended, in every answer and in the audit file."""

    OK = "ok"
    #: An exit status that is not in ``ok_statuses``, a signal, or somebody has ended it.
    FAILED = "failed"
    #: Not UTF-8, too long, unbalanced quotes.
    MALFORMED = "malformed"
    #: No such command; for the anonymous also every command that they may not run.
    UNKNOWN_COMMAND = "unknown_command"
    #: A logged-in caller whose roles do not include the command.
    DENIED = "denied"
    #: An argument that the command does not take.
    BAD_ARGUMENT = "bad_argument"
    #: The caller's own allowance is used up.
    THROTTLED = "throttled"
    #: The host's allowance is used up.
    BUSY = "busy"
    #: Ran into ``timeout_seconds``.
    TIMEOUT = "timeout"
    #: No such run, or none that this caller may see.
    UNKNOWN_RUN = "unknown_run"
    #: Nothing was run, and nobody refused it: the last run of a schedule went on, or a hook's conditions did not hold.
    SKIPPED = "skipped"
    #: Nobody was there to ask when a schedule's time came.
    MISSED = "missed"
    #: Ours: the log has the details under the id that the caller is told.
    FAULT = "fault"


#: Those that are in the audit file alone: nobody has asked, and so nobody is told.
UNASKED = frozenset({Code.SKIPPED, Code.MISSED})


class RequestError(Exception):
    """A request that has no answer; never raised itself."""

    code: ClassVar[Code]


class Refusal(RequestError):  # noqa: N818 - the contract's word
    """The caller's side can do something about it; never raised itself."""


class Malformed(Refusal):
    """The bytes are not a request."""

    code = Code.MALFORMED


class UnknownCommand(Refusal):
    """There is no such command for this caller.

    Args:
        name: What was asked for; may hold anything.
        suggestions: Names near to it of commands that only read, and that this caller may run; best first.
    """

    code = Code.UNKNOWN_COMMAND

    def __init__(self, name: str, suggestions: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {' or '.join(suggestions)}?" if suggestions else "; try: help"
        super().__init__(f'no command named "{visible(name)}"{hint}')
        self.name = name
        self.suggestions = suggestions


class Denied(Refusal):
    """The command exists, and none of the caller's roles includes it, or may give it these values.

    Args:
        text: For people.
        mistakes: The values that may not be given, if that is what it is about.
    """

    code = Code.DENIED

    def __init__(self, text: str, mistakes: tuple[ValueMistake, ...] = ()) -> None:
        super().__init__(text)
        self.mistakes = mistakes


class LoginRequired(Denied):
    """Somebody who has not logged in asks where that is required."""

    def __init__(self) -> None:
        super().__init__("a login is required here: log in first")


class LoginRefused(Refusal):
    """Who somebody said they were could not be proved; why is for the audit file."""

    code = Code.DENIED

    def __init__(self) -> None:
        super().__init__("Login failed.")


class UnreadableCredentials(Refusal):
    """What somebody shows to prove who they are is not as it has to be spelled; nothing was tried."""

    code = Code.DENIED


class SessionEnded(Refusal):
    """Somebody shows a session that is over; whoever wants to be somebody has to log in again."""

    code = Code.DENIED

    def __init__(self) -> None:
        super().__init__("your session has ended: log in again")


class UnknownRun(Refusal):
    """There is no such run for this caller.

    Args:
        run_id: What was asked for; may hold anything.
    """

    code = Code.UNKNOWN_RUN

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {visible(run_id[:64])}; try: runs")


class BadArgument(Refusal):
    """An argument that the command does not take.

    Args:
        text: For people.
        mistakes: What is wrong with which value, if that is what it is about.
    """

    code = Code.BAD_ARGUMENT

    def __init__(self, text: str, mistakes: tuple[ValueMistake, ...] = ()) -> None:
        super().__init__(text)
        self.mistakes = mistakes


class TryAgain(Refusal):
    """A refusal that time heals; never raised itself.

    Args:
        text: What is used up.
        retry_after_seconds: How long to wait, rounded up to whole seconds, at least 1.
        setting: The key of the configuration that the limit comes from; empty: none.
    """

    def __init__(self, text: str, retry_after_seconds: float, setting: str = "") -> None:
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))
        self.what = text
        self.setting = setting
        super().__init__(f"{text}; try again in {self.retry_after_seconds} s")


class Throttled(TryAgain):
    """The caller has used up its own allowance."""

    code = Code.THROTTLED


class Busy(TryAgain):
    """The host has no room for this request now."""

    code = Code.BUSY


class Fault(RequestError):  # noqa: N818 - the contract's word
    """Ours. The caller is told the id and nothing else.

    Args:
        fault_id: Under which the log tells what happened.
    """

    code = Code.FAULT

    def __init__(self, fault_id: str) -> None:
        super().__init__(f"internal fault {fault_id}; the administrator finds it in the log under this id")
        self.fault_id = fault_id


class AuditError(Exception):
    """The audit file cannot be written, so nothing may be run."""


class Unavailable(OSError):  # noqa: N818 - a statement
    """Something cannot be had at the moment, which says nothing about whether it is there."""


class CannotListen(Exception):  # noqa: N818 - a statement, as in Twisted's CannotListenError
    """A listener cannot be opened; the text says which endpoint and why.

    Args:
        text: For people.
        is_taken: Whether somebody has the address, perhaps we ourselves.
    """

    def __init__(self, text: str, *, is_taken: bool = False) -> None:
        super().__init__(text)
        self.is_taken = is_taken


class BadTLSFiles(Exception):  # noqa: N818 - a statement
    """Certificate, key or authorities cannot be used; the text says which file and why."""


class CannotStart(SystemExit, Exception):  # noqa: N818 - a statement, as in "Cannot start: ..."
    """The daemon refuses to start; the text says which part and why.

    Both a SystemExit, so that the interpreter prints the text alone and exits with status 1, and an Exception, so that
    twistd tidies up (pid file, status pipe) on its way out: it catches nothing else there.
    """
