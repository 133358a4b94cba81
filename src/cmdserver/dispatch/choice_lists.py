"""The choices that a command prints for another one's parameter (``choices_from``).

The list is as fresh as any answer: its process is started after the question. It is run for whoever asks, by the role
that allows the command which wants it, and shared like every other run.
"""

from collections.abc import Callable

from twisted.logger import Logger

from cmdserver.core.errors import Fault
from cmdserver.core.events import new_id
from cmdserver.core.model import Caller, Command, Grant
from cmdserver.core.output import Answer
from cmdserver.dispatch.narrowing import listed, with_parameters
from cmdserver.dispatch.policy import bad_argument
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import NotAccepted, ValueMistake
from cmdserver.parameters.text_types import Choice

_log = Logger()


class ChoiceLists:
    """Has lists of choices made.

    Args:
        scheduler: Runs what prints them.
        grant: Gives leave to run that, by its name.
    """

    def __init__(self, scheduler: Scheduler, grant: Callable[[str], Grant]) -> None:
        self._scheduler = scheduler
        self._grant = grant

    async def require(self, request: Request, command: Command) -> None:
        """Look whether the values of a request are in their lists.

        Args:
            request: Granted.
            command: Its command, as its caller may have it.

        Raises:
            BadArgument: One is not.
            Fault: A list cannot be made; the log says why.
            Refusal: There is no room for its process.
        """
        mistakes = []
        for name, values in request.grant.values:
            parameter = command.parameters.named(name)
            if parameter is not None and parameter.source is not None:
                accepting = await self._listed(request.caller, command, parameter)
                try:
                    for value in values:
                        _require_choice(accepting, value)
                except NotAccepted as error:
                    mistakes.append(ValueMistake(name, str(error), error.suggestions))
        if mistakes:
            raise bad_argument(mistakes)

    async def fill(self, caller: Caller, command: Command) -> Command:
        """Return a command all of whose choices are known.

        Raises:
            RequestError: See `require`.
        """
        parameters = [
            each if each.source is None else await self._listed(caller, command, each) for each in command.parameters
        ]
        return with_parameters(command, parameters)

    async def _listed(self, caller: Caller, command: Command, parameter: Parameter) -> Parameter:
        """Return a parameter with the choices that its source prints now, and this caller may give."""
        grant = self._grant(parameter.source or "")
        words = (grant.command.name, *grant.arguments)
        request = Request(new_id(), caller, words, grant, wanted_for=command.name)
        self._scheduler.enter(request)
        return listed(parameter, _printed(await request.answered))


def _require_choice(parameter: Parameter, value: str) -> None:
    """Raise a `NotAccepted` for a value that its list has not, though it matches the pattern."""
    assert isinstance(parameter.type, Choice)  # noqa: S101 - it has a source
    if value not in parameter.type.choices:
        raise parameter.type.refusal(value)


def _printed(answer: Answer) -> bytes:
    result = answer.finished
    if result.exit_status != 0 or result.timed_out or result.truncated:
        _log.error(
            "fault {id}: {command} printed no choices: exit status {status}, signal {signal}, timed out: {timed_out}, "
            "truncated: {truncated}",
            id=answer.id,
            command=answer.command,
            status=result.exit_status,
            signal=result.signal,
            timed_out=result.timed_out,
            truncated=result.truncated,
        )
        raise Fault(answer.id)
    return result.stdout
