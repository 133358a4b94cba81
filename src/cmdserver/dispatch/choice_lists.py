"""The choices that a command prints for another one's parameter (``choices_from``).

The list is as fresh as any answer: its process is started after the question. It is run for whoever asks, by the role
that allows the command which wants it, and shared like every other run.
"""

from collections.abc import Callable, Container, Mapping, Sequence

from twisted.logger import Logger

from cmdserver.core.errors import BadArgument, Fault
from cmdserver.core.model import Answer, Caller, Command, Grant
from cmdserver.dispatch.narrowing import with_choices
from cmdserver.dispatch.request_log import new_id
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.scheduler import Scheduler
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import ValueMistake
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

    async def require(self, request: Request, command: Command) -> None:
        """Look whether the values of a request are in their lists.

        Args:
            request: Granted.
            command: Its command, as its caller may see it.

        Raises:
            BadArgument: One is not.
            Fault: A list cannot be made; the log says why.
            Refusal: There is no room for its process.
        """
        given = dict(request.grant.values)
        filled = await self.fill(request.caller, command, given.keys())
        mistakes = []
        for parameter in filled.parameters:
            if parameter.source is not None and isinstance(parameter.type, Choice):
                wrong = [each for each in given.get(parameter.name, ()) if each not in parameter.type.choices]
                refusals = map(parameter.type.refusal, wrong)
                mistakes += [ValueMistake(parameter.name, str(each), each.suggestions) for each in refusals]
        if mistakes:
            raise BadArgument("; ".join(map(str, mistakes)), tuple(mistakes))

    async def fill(self, caller: Caller, command: Command, names: Container[str] | None = None) -> Command:
        """Return a command whose choices are known.

        Args:
            caller: Who asks.
            command: As this caller may see it.
            names: Of the parameters whose choices are wanted; None: of all.

        Raises:
            RequestError: See `require`.
        """
        choices = {}
        for parameter in command.parameters:
            if parameter.source is not None and (names is None or parameter.name in names):
                choices[parameter.name] = await self._listed(caller, parameter, parameter.source)
        return with_choices(command, choices)

    async def _listed(self, caller: Caller, parameter: Parameter, source: str) -> Mapping[str, str]:
        """Return the choices that a command prints now, and this caller may give."""
        grant = self._grant(source)
        request = Request(new_id(), caller, (source, *grant.arguments), grant)
        self._scheduler.enter(request)
        lines = _lines(await request.answered)
        return {each: each for each in lines if parameter.lists(each) and parameter.permits((each,))}


def _lines(answer: Answer) -> Sequence[str]:
    """Return the lines that count; raise a `Fault` if the command has not made a list."""
    result = answer.finished
    if result.exit_status == 0 and not result.timed_out and not result.truncated:
        return result.stdout.decode(errors="replace").splitlines()[:MOST_CHOICES]
    _log.error(
        "fault {id}: {command} printed no choices: exit status {status}, signal {signal}, timed out: {timed_out}",
        id=answer.id,
        command=answer.grant.command.name,
        status=result.exit_status,
        signal=result.signal,
        timed_out=result.timed_out,
    )
    raise Fault(answer.id)
