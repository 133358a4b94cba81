"""What the tests of probes have in common."""

import shlex

from cmdserver_probe.options import parse
from cmdserver_probe.run import Run
from cmdserver_probe.steps import Steps
from cmdserver_probe.target import Target


def a_run(line: str) -> Run:
    """Make what a kind is given, of a command line, at a time that stands still."""
    return Run(parse(shlex.split(line)), Target("h", 1), Steps(lambda: 0.0))
