"""Tests that the daemon's own options are all told."""

from cmdserver.plugin import Options
from manpages import daemon
from tests.manpages.reading import plain, tags


def test_every_option() -> None:
    """By both names, with what each takes."""
    told = tags("".join(f"{line}\n" for line in daemon.options()))
    long = [f"--{name}" for name, *_ in [*Options.optParameters, *Options.optFlags]]

    assert set(long) <= set(told)
    assert {"-c", "-s"} <= set(told)
    assert plain(daemon.synopsis()) == "twistd [OPTION...] cmdserver [--config FILE] [--state-dir DIR] [--check]"
