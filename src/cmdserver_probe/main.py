"""The program: one question, one answer, an exit status, and never a traceback nor a wait beyond the time."""

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module

from cmdserver_probe import kind_table
from cmdserver_probe.deadline import Deadline, write
from cmdserver_probe.errors import NONSENSE, CannotTell, ProbeFailed, WrongUsage, describe
from cmdserver_probe.kind_table import KINDS
from cmdserver_probe.options import PROGRAM, Options, parse
from cmdserver_probe.printable import shown
from cmdserver_probe.report import FIRST_LINE_CHARACTERS, Finding, Report, State, Value, plain
from cmdserver_probe.run import Run
from cmdserver_probe.steps import Steps
from cmdserver_probe.target import Target, parse_target

#: Between the first word and the first step: a place to stop at as well.
_BEGIN = "begin"


def main() -> None:
    """Answer the command line, and end with its exit status."""
    # What Python has to say to programmers is nothing for a monitoring system.
    warnings.simplefilter("ignore")
    sys.exit(answer(sys.argv[1:]))


def answer(words: list[str]) -> int:
    """Print what becomes of a command line; tell the exit status."""
    try:
        options = parse(words)
    except WrongUsage as error:
        help_of = f"{PROGRAM} {words[0]}" if words and words[0] in KINDS else PROGRAM
        text = f"UNKNOWN: {shown(str(error), FIRST_LINE_CHARACTERS)}\n{help_of} --help says what there is\n"
        write(text.encode("utf-8", "backslashreplace"))
        return State.UNKNOWN
    run = Run(options, Target("", 0), Steps(time.monotonic))
    deadline = Deadline(options.timeout, lambda: _printed(run, _too_late(run)))
    deadline.start()
    octets, status = _printed(run, outcome(run))
    if not deadline.claim():
        time.sleep(options.timeout)  # the watchdog is printing, and ends the process
    write(octets)
    return status


def outcome(run: Run) -> Finding:
    """Probe, whatever may come of it; the step at which it stopped is the current one."""
    failures: tuple[type[Exception], ...] = ()
    try:
        probe, failures = _prepare(run)
        return _judge(run, probe(run))
    except (ProbeFailed, OSError) as error:
        return Finding(describe(error), State.CRITICAL)
    except (WrongUsage, CannotTell) as error:
        return Finding(str(error), State.UNKNOWN)
    except KeyboardInterrupt:
        return Finding("interrupted", State.UNKNOWN)
    except Exception as error:  # noqa: BLE001  (a traceback helps nobody who reads a pager)
        if isinstance(error, failures) or (run.address is not None and isinstance(error, NONSENSE)):
            return Finding(describe(error), State.CRITICAL)
        # Its text could hold what is secret.
        return Finding(f"a mistake in {PROGRAM}: {type(error).__name__}", State.UNKNOWN)
    finally:
        run.close()


def _prepare(run: Run) -> tuple[Callable[[Run], Finding], tuple[type[Exception], ...]]:
    """Load what the kind needs and read its files, before the time of the steps."""
    options = run.options
    kind = KINDS[options.kind]
    run.steps.current = _BEGIN
    module = import_module(f"cmdserver_probe.kinds.{options.kind}")
    if kind.target == kind_table.HOST_AND_PORT:
        run.target = parse_target(options.target, kind.tls_port if options.tls else kind.port)
    else:
        run.target = module.where(options)
    if options.password_file is not None:
        from cmdserver_probe.password import read_password  # noqa: PLC0415  (most have none)

        read_password(run)
    if options.kind == "http" and options.target.lower().startswith("https:"):
        import_module("cmdserver_probe.tls")
    run.steps = Steps(time.monotonic)
    return module.probe, module.FAILURES


def _judge(run: Run, finding: Finding) -> Finding:
    """Add the certificate and the time to what a kind found."""
    if run.tls is not None:
        from cmdserver_probe.tls import add_days  # noqa: PLC0415  (is loaded, if there was TLS)

        finding = add_days(run, finding)
    seconds, options = run.steps.seconds(), run.options
    text, state = f"{finding.text} in {seconds:.3f} s", finding.state
    for limit, slow in ((options.critical, State.CRITICAL), (options.warning, State.WARNING)):
        if limit is not None and seconds > limit:
            text, state = f"{text}, slower than {plain(limit)} s", max(state, slow)
            break
    return Finding(text, state, values=finding.values, lines=finding.lines)


def _too_late(run: Run) -> Finding:
    if run.steps.current == _BEGIN:
        return Finding(f"did not begin within {plain(run.options.timeout)} s", State.UNKNOWN)
    return Finding(f"no answer within {plain(run.options.timeout)} s", State.CRITICAL)


def _printed(run: Run, finding: Finding) -> tuple[bytes, int]:
    """Write what is printed in the end, and tell the exit status."""
    options, seconds = run.options, run.steps.seconds()
    said, lines = finding.text, [*run.notes, *finding.lines]
    if run.password:
        from cmdserver_probe.password import hidden  # noqa: PLC0415  (is loaded, if there is one)

        said, *lines = (hidden(run, each) for each in (said, *lines))
    report = Report(
        kind=options.kind,
        target=shown(_target_text(run)),
        finding=Finding(said, finding.state, values=finding.values, lines=lines),
        step=None if run.steps.current == _BEGIN else run.steps.current,
        seconds=seconds,
        steps=dict(run.steps.finished),
        times=_times(options, seconds),
        address=run.address,
        tls=run.tls,
    )
    if options.json:
        import json  # noqa: PLC0415  (takes longer than to probe)

        text = json.dumps(report.as_json()) + "\n"
    else:
        text = report.as_text()
    return text.encode("utf-8", "backslashreplace"), finding.state


def _target_text(run: Run) -> str:
    is_known = KINDS[run.options.kind].target == kind_table.HOST_AND_PORT and run.target.port
    return str(run.target) if is_known else run.options.target


def _times(options: Options, seconds: float) -> Value:
    return Value(
        seconds,
        "s",
        warning="" if options.warning is None else plain(options.warning),
        critical="" if options.critical is None else plain(options.critical),
        maximum=plain(options.timeout),
    )
