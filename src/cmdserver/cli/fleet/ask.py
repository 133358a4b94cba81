"""The work of ``cmdserver ask``: one question to many hosts of a fleet."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from cmdserver.auth.signatures.request_signing import Question
from cmdserver.cli.command_line import Trouble
from cmdserver.cli.fleet import connecting
from cmdserver.cli.fleet.connecting import INTERRUPTED, Access, FleetSettings
from cmdserver.cli.fleet.options import AskOptions, CallerOptions
from cmdserver.cli.fleet.report import JSONLines, Lines, OneJSON, Report
from cmdserver.config.schema.settings import Settings
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.client.asking import Asking, Batching
from cmdserver.fleet.client.choosing import choose, split_globs, split_wanted
from cmdserver.fleet.client.outcomes import NOT_ASKED, Outcome, Summary
from cmdserver.fleet.client.roll_call import Calling
from cmdserver.fleet.client.words import question_of

#: For hosts to say by which facts they are chosen.
_ROLL_CALL_SECONDS: Final = 1.0


def ask(ctx: click.Context, command: str, values: Sequence[str], manner: AskOptions, given: CallerOptions) -> int:
    """Ask; return the exit status."""
    try:
        globs, wanted = split_globs(manner.hosts), split_wanted(manner.where)
        question = question_of(command, values)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    fleet = connecting.read_fleet(ctx)
    _require_no_secret(fleet.settings, command, values)
    access = connecting.find_access(given)
    names = access.known.matching(globs)
    if not names:
        raise Trouble(f"nobody is meant: {connecting.why_no_host_matches(access, globs)}")
    run = _Run(fleet, access, question, manner)
    return connecting.run(lambda: run.run(names, globs, wanted), run.interrupt)


class _Run:
    """One question, from the connection to the summary."""

    def __init__(self, fleet: FleetSettings, access: Access, question: Question, manner: AskOptions) -> None:
        self._exchange = connecting.exchange(fleet, access)
        self._bus = Bus(fleet.bus, f"cmdserver ask {access.user}", self._exchange.subscribe, connecting.jitter)
        self._known = access.known
        self._manner = manner
        self._asking = Asking(self._exchange, self._bus, self._known, question, self._tell, connecting.clock)
        self._outcomes: list[Outcome] = []
        self._report: Report = JSONLines(sys.stdout)
        self._is_asking = self._is_interrupted = False

    async def run(self, names: Sequence[str], globs: Sequence[str], wanted: Mapping[str, str]) -> int:
        """Ask; return the exit status."""
        async with connecting.connected(self._bus):
            others: Sequence[Outcome] = ()
            if wanted:
                calling = Calling(self._exchange, self._bus, self._known, connecting.clock)
                names, others = choose(names, await calling.call(globs, _ROLL_CALL_SECONDS), wanted)
            expected = [*names, *(each.host for each in others)]
            if not expected:
                raise Trouble(f"nobody is meant: no host that is there has {' '.join(self._manner.where)}")
            self._report = self._make_report(expected)
            for each in others:
                self._tell(each)
            self._is_asking = True
            began = connecting.clock()
            pace = Batching(
                batch=self._manner.batch or len(expected), pause=self._manner.wait, timeout=self._manner.timeout
            )
            await self._asking.ask(names, pace)
        summary = Summary.of(self._outcomes)
        self._report.finish(summary, connecting.clock() - began)
        if self._is_interrupted:
            return INTERRUPTED
        return 0 if summary.is_success else 1

    def interrupt(self) -> bool:
        """Ask nobody any more, and finish with what there is; return whether there is anything to finish with."""
        self._is_interrupted = True
        self._asking.stop()
        return self._is_asking

    def _tell(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._report.tell(outcome)
        if self._manner.fail_fast and not outcome.is_ok and outcome.state != NOT_ASKED:
            self._asking.stop()

    def _make_report(self, expected: Sequence[str]) -> Report:
        if self._manner.is_json:
            return OneJSON(sys.stdout)
        if self._manner.is_jsonl:
            return JSONLines(sys.stdout)
        is_terminal = sys.stdout.isatty()
        return Lines(
            sys.stdout,
            sys.stderr if sys.stderr.isatty() else None,
            expected,
            width=shutil.get_terminal_size().columns if is_terminal and not self._manner.output else 0,
            shows_output=self._manner.output,
            is_coloured=is_terminal,
        )


def _require_no_secret(settings: Settings, command: str, values: Sequence[str]) -> None:
    """Refuse a secret before the bus has read it, where this host's own configuration knows that it is one."""
    table = settings.commands.get(command)
    secrets = [] if table is None else [each.name for each in table.parameters or () if each and each.type == "secret"]
    if secrets and values:
        text = "and a bus reads what it carries; ask the host itself"
        raise Trouble(f"{command} takes a secret ({', '.join(secrets)}), {text}")
