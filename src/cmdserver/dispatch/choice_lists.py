"""The choices that a command prints for another one's parameter (``choices_from``).

The list is as fresh as any answer: its process is started after the question. It is run for whoever asks, by the role
that allows the command which wants it, and shared like every other run.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from twisted.logger import Logger

from cmdserver.core.errors import BadArgument, Fault
from cmdserver.core.model import Answer, Caller, Command, Grant
from cmdserver.dispatch.request_log import new_id
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.scheduler import Scheduler
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import ValueMistake
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.text_types import Choice

#: The most lines of a list that count.
MOST_CHOICES = 1000

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

    async def require(self, request: Request, parameters: ParameterList) -> None:
        """Look whether the values of a request are in their lists.

        Args:
            request: Granted.
            parameters: Those of its command, as its caller may give them.

        Raises:
            BadArgument: One is not.
            Fault: A list cannot be made; the log says why.
            Refusal: There is no room for its process.
        """
        mistakes = []
        for name, values in request.grant.values:
            parameter = parameters.named(name)
            if parameter is not None and parameter.source is not None:
                listed = await self._listed(request.caller, parameter)
                refusals = [listed.refusal(value) for value in values if value not in listed.choices]
                mistakes += [ValueMistake(name, str(each), each.suggestions) for each in refusals]
        if mistakes:
            raise BadArgument("; ".join(map(str, mistakes)), tuple(mistakes))

    async def fill(self, caller: Caller, command: Command) -> Command:
        """Return a command all of whose choices are known.

        Raises:
            RequestError: See `require`.
        """
        parameters = [
            each if each.source is None else replace(each, type=await self._listed(caller, each))
            for each in command.parameters
        ]
        return replace(command, parameters=ParameterList(parameters))

    async def _listed(self, caller: Caller, parameter: Parameter) -> Choice:
        """Return the type of a parameter with the choices that its source prints now, and this caller may give."""
        assert isinstance(parameter.type, Choice)  # noqa: S101 - it has a source
        grant = self._grant(parameter.source or "")
        request = Request(new_id(), caller, (grant.command.name, *grant.arguments), grant)
        self._scheduler.enter(request)
        answer = await request.answered
        return replace(parameter.type, choices=_choices(answer, parameter, parameter.type))


def _choices(answer: Answer, parameter: Parameter, type_: Choice) -> Mapping[str, str]:
    result, name = answer.finished, answer.grant.command.name
    if result.exit_status != 0 or result.timed_out or result.truncated:
        _log.error(
            "fault {id}: {command} printed no choices: exit status {status}, signal {signal}, timed out: {timed_out}",
            id=answer.id,
            command=name,
            status=result.exit_status,
            signal=result.signal,
            timed_out=result.timed_out,
        )
        raise Fault(answer.id)
    lines = result.stdout.decode(errors="replace").splitlines()[:MOST_CHOICES]
    return {line: line for line in lines if type_.may_be_listed(line) and parameter.permits((line,))}
