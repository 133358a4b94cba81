"""The runner's processes: from a request to a process, from its death to a report, until nobody is left of it.

It is told of requests and of the time, and gives reports to a `Post`.
"""

import errno
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence

from cmdserver.core.model import Command
from cmdserver.execution.posix import next_death
from cmdserver.parameters.mistakes import BadValues
from cmdserver.parameters.template import Invocation
from cmdserver.privsep.messages import SIGKILL, Exited, Ran, Refused, Report, Signal, Start, Started, Trouble
from cmdserver.privsep.process_tags import ProcessTags, end_tagged
from cmdserver.privsep.runner.command_process import HOLD_SECONDS, CommandProcess
from cmdserver.privsep.runner.control_groups import ControlGroups
from cmdserver.privsep.runner.escaped import EscapedProcesses
from cmdserver.privsep.runner.launching import SHORT_LIVED_SECONDS, Launcher, has_begun

#: From fork to exec. It takes a millisecond, from a slow disk a second, on a host that swaps a few: who takes longer
#: was stopped by somebody, or hangs in a file system.
START_SECONDS = 5.0
#: Looks in a row for processes that have left a run which is to be ended, before others have a turn.
_LOOKS_IN_A_ROW = 16
#: With nobody new in that many looks in a row there is nobody: one look may miss who forks and exits.
_QUIET_LOOKS = 2
#: Until the next ones, and until those that should only confirm a death that we are told of.
_LOOK_AGAIN_SECONDS = 0.05
_LOOK_LATER_SECONDS = 0.5
#: Of what is wrong with values, as a report has to fit into a packet.
_MOST_CHARACTERS = 1000
#: What the daemon has to end a run that has met its time limit; then we do.
GRACE_SECONDS = 15.0

#: Takes a report, and descriptors to go with it: they are the taker's from then on.
Post = Callable[[Report, tuple[int, ...]], None]


class ProcessTable:
    """All processes that were started for runs and are not over.

    Args:
        groups: The launcher's; None if it makes none.
        spared: Children of ours that are no command's.
    """

    def __init__(
        self,
        launcher: Launcher,
        tags: ProcessTags,
        post: Post,
        groups: ControlGroups | None = None,
        spared: Container[int] = (),
    ) -> None:
        self._launcher = launcher
        self._tags = tags
        self._post = post
        self._groups = groups
        self._escaped = EscapedProcesses(tags, spared, groups.holds if groups is not None else lambda _: False)
        self._commands: Mapping[str, Command] = {}
        self._most = 0
        self._last_id = -1
        self._by_id: dict[int, CommandProcess] = {}
        self._by_pid: dict[int, CommandProcess] = {}
        #: Started and not yet told of, in the order in which they are to be looked at.
        self._held: deque[CommandProcess] = deque()
        #: Started in vain, and not dead: they hang in the kernel.
        self._hanging: set[CommandProcess] = set()
        #: Of each command, whether its last run was a short one that left nobody behind.
        self._was_short_lived: dict[str, bool] = {}
        #: When to look again for those who are to be ended; None: nobody is.
        self._look_at: float | None = None
        self._has_complained = False

    def allow(self, commands: Sequence[Command], most: int) -> None:
        """Use this allow-list from now on; ``most`` processes at once, those included that are being ended."""
        self._commands = {each.name: each for each in commands}
        self._most = most
        self._was_short_lived = {name: was for name, was in self._was_short_lived.items() if name in self._commands}

    @property
    def count(self) -> int:
        """How many are not over."""
        return len(self._by_id)

    # Requests

    def start(self, request: Start, now: float) -> None:
        """Start a process; whatever keeps us from it is reported."""
        if request.id <= self._last_id:
            return  # it would be another's, and only a daemon that was taken over asks for it
        self._last_id = request.id
        command = self._commands.get(request.command)
        if command is None:
            self._post(Refused(request.id, errno.ENOENT, "there is no such command"), ())
        elif len(self._by_id) >= self._most:
            self._post(Refused(request.id, errno.EAGAIN, "too many commands are running"), ())
        elif any(each.command.name == command.name for each in self._hanging):
            # They would take all the places that there are, one by one.
            self._post(Refused(request.id, errno.EAGAIN, "the program could not be started before, and hangs"), ())
        else:
            try:
                invocation = command.invocation(request.arguments)
            except BadValues as error:
                self._post(Refused(request.id, errno.EINVAL, str(error)[:_MOST_CHARACTERS]), ())
            else:
                self._launch(request, command, invocation, now)

    def _launch(self, request: Start, command: Command, invocation: Invocation, now: float) -> None:
        tag = self._tags.of(request.id)
        is_short_lived = self._was_short_lived.get(command.name, False)
        try:
            launched = self._launcher.launch(command, invocation, tag, is_short_lived=is_short_lived)
        except OSError as error:
            self._post(Refused(request.id, error.errno or errno.EIO, error.strerror or str(error)), ())
            return
        run = CommandProcess(request.id, command, launched, tag, now)
        self._by_id[run.id] = self._by_pid[run.pid] = run
        self._held.append(run)
        if self._groups is not None and run.group is None and run.complaint is not None:
            self._complain("no control group can be made for a command: who leaves it is found by its tag alone")

    def _complain(self, text: str) -> None:
        """Tell the administrator once: it may be so each time."""
        if not self._has_complained:
            self._has_complained = True
            self._post(Trouble(text), ())

    def signal(self, request: Signal, now: float) -> None:
        """Signal a run; do nothing if there is none, as it is over."""
        run = self._by_id.get(request.id)
        if run is None:
            return
        if request.number == SIGKILL:
            self._make_an_end(run, now)
        elif self._has_begun(run):
            run.signal_group(request.number)
        else:
            # It leads no group yet, perhaps; but nobody else has its number, and the launcher keeps this for it.
            run.signal_process(request.number)

    def _make_an_end(self, run: CommandProcess, now: float) -> None:
        run.is_ending = True
        run.kill()
        self._end_escaped(now)

    def _has_begun(self, run: CommandProcess) -> bool:
        """Whether a run's process is the program; one that cannot be is refused."""
        if run.complaint is not None:
            try:
                if has_begun(run.complaint):
                    run.close_complaint()
            except OSError as error:
                self._refuse(run, error.errno or errno.EIO, error.strerror or str(error))
        return run.complaint is None and not run.is_refused

    def _refuse(self, run: CommandProcess, number: int, text: str) -> None:
        """Tell the daemon that a run was not started, and see to its end ourselves."""
        self._post(Refused(run.id, number, text), ())
        run.is_refused = True
        run.is_ending = True
        run.kill()
        run.close()

    # Time

    def seconds_to_wait(self, now: float) -> float | None:
        """Say when `pass_time` is to be called, in seconds; None: when something else happens."""
        times = [each for each in (self._held[0].look_at if self._held else None, self._look_at) if each is not None]
        if times:
            return max(0.0, min(times) - now)
        return 1.0 if self._by_id else None

    def pass_time(self, now: float) -> None:
        """Tell of runs that take longer, and end those that the daemon should have ended."""
        while self._held and self._held[0].look_at <= now:
            run = self._held.popleft()
            if not run.has_ended:
                self._tell_of(run, now)
        for run in list(self._by_id.values()):
            if not run.is_ending and run.started_at + run.command.timeout_seconds + GRACE_SECONDS < now:
                self._make_an_end(run, now)
        if self._look_at is not None and self._look_at <= now:
            self._end_escaped(now)

    def _tell_of(self, run: CommandProcess, now: float) -> None:
        """Tell that a run has begun, or that it cannot; or look again."""
        if self._has_begun(run):
            self._post(Started(run.id, run.pid), run.ends)
            run.ends = ()
        elif run.is_refused:
            pass
        elif now - run.started_at < START_SECONDS:
            run.look_at = now + HOLD_SECONDS
            self._held.append(run)
        else:
            self._hanging.add(run)
            self._refuse(run, errno.EAGAIN, f"the program could not be started within {START_SECONDS:g} s")

    # Deaths

    def reap(self, now: float) -> list[int]:
        """Take note of all children that have died; return those that were none of ours."""
        others: list[int] = []
        ended: list[tuple[CommandProcess, int]] = []
        while (death := next_death()) is not None:
            pid, status = death
            self._escaped.reaped(pid)
            run = self._by_pid.pop(pid, None)
            if run is None:
                others.append(pid)
            else:
                ended.append((run, status))
                if not (self._by_pid or self._escaped.are_there) and self._look_at is None:
                    break  # nobody is known who could have died, too; who has all the same is found soon, see `Server`
        # Others are escaped, most often; and who forks and exits leaves another one.
        escaped = self._escaped.look(self._by_pid) if ended or others else {}
        for run, status in ended:
            self._ended(run, status, now, has_escaped=run.tag in escaped)
        if self._look_at is not None or (escaped and not self._under_way().issuperset(escaped)):
            self._end_escaped(now)
        return others

    def _ended(self, run: CommandProcess, status: int, now: float, *, has_escaped: bool) -> None:
        run.has_ended = True
        if self._escaped.are_there:
            run.signal_group(0)  # seen now, while the number is surely still the group's
        else:
            run.process_group.is_gone = True  # whoever had been left in it would be our child by now
        self._has_begun(run)
        run.close_complaint()
        self._hanging.discard(run)
        is_alone = run.is_alone() and not has_escaped
        if not run.is_refused:
            self._was_short_lived[run.command.name] = is_alone and now - run.started_at < SHORT_LIVED_SECONDS
            self._tell_of_end(run, status, is_alone=is_alone)
        if is_alone:
            del self._by_id[run.id]
        elif run.is_ending:
            self._look_at = now

    def _tell_of_end(self, run: CommandProcess, status: int, *, is_alone: bool) -> None:
        if run.ends:
            self._post(Ran(run.id, run.pid, status, is_alone), run.ends)
            run.ends = ()
        else:
            self._post(Exited(run.id, status, is_alone), ())

    # Processes that have left their group

    def _under_way(self) -> set[int | None]:
        """The tags of all runs that are not over."""
        return {run.tag for run in self._by_id.values()}

    def _end_escaped(self, now: float) -> None:
        """Kill who is left of runs that are to be ended, and who is nobody's: until nobody new is there.

        Who carries no tag has taken it off, so nobody can say whose it is; and who carries that of a run that is over
        was not to be seen at its end.
        """
        spared = self._under_way() - {run.tag for run in self._by_id.values() if run.is_ending}
        found: Mapping[int | None, list[int]] = {}
        condemned: list[int] = []
        quiet = 0
        for _ in range(_LOOKS_IN_A_ROW):
            found = self._escaped.look(self._by_pid)
            condemned = [pid for tag, pids in found.items() if tag not in spared for pid in pids]
            quiet = 0 if self._escaped.kill(condemned) else quiet + 1
            if quiet == _QUIET_LOOKS:
                break
        for run in [each for each in self._by_id.values() if each.is_ending and each.has_ended]:
            run.kill()
            if run.is_alone() and run.tag not in found:
                del self._by_id[run.id]
        if quiet < _QUIET_LOOKS:
            self._look_at = now + _LOOK_AGAIN_SECONDS
        elif condemned or any(each.is_ending and each.has_ended for each in self._by_id.values()):
            self._look_at = now + _LOOK_LATER_SECONDS
        else:
            self._look_at = None

    # The end

    def end_all(self) -> None:
        """Kill everything that we started, and whatever came of it, and wait until it is dead, but not for ever."""
        for run in self._by_id.values():
            run.is_ending = True
            run.kill()
        self._end_escaped(0.0)
        end_tagged(self._tags, self._groups.end if self._groups is not None else None)
        self._end_escaped(0.0)

    def let_go(self) -> None:
        """Close what is open here for the daemon; in a standby, which has copies of it."""
        for run in self._by_id.values():
            run.close()
        self._escaped.let_go()
