"""Start the daemon as an ordinary user, where the tests are run by root."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import cmdserver
from tests.integration.daemon import Daemon

NOBODY = 65534

#: What a Python must be able to do: to be found again, for the runner, and to import what is not ours.
_NEEDED = "import sys; open(sys.executable); import cmdserver.plugin, bcrypt; from twisted.internet import reactor"

_RUN = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"

#: In front of what is to be this user's.
BECOME = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def _python() -> tuple[str, Mapping[str, str]]:
    """Find a Python that this user may run, and the environment in which it finds what the tests have found."""
    plugin = Path(__file__).parents[2]
    paths = [str(Path(cmdserver.__file__).parents[1]), str(plugin), sysconfig.get_path("purelib")]
    for python, environment in ((sys.executable, {}), ("/usr/bin/python3", {"PYTHONPATH": ":".join(paths)})):
        attempt = subprocess.run(
            [*BECOME, python, "-c", _NEEDED],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            check=False,
        )
        if attempt.returncode == 0:
            return python, environment
    pytest.skip("nobody may not run this Python, nor the system's with these packages")


@contextmanager
def directory_of_nobody() -> Iterator[Path]:
    """Make a directory that this user can get to: pytest's own are below one that is for us alone."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        yield Path(directory)


def as_nobody(daemon: Daemon, *wrapper: str) -> None:
    """Start a configured daemon as the user nobody, in a `directory_of_nobody`."""
    python, environment = _python()
    for path in (daemon.directory, *daemon.directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    _, *options = daemon.command_line()
    daemon.start(command_line=[*wrapper, *BECOME, python, "-c", _RUN, *options], environment=environment)


def as_number(daemon: Daemon, number: int, *options: str) -> None:
    """Start a configured daemon as a user without a name and with nothing in its environment, in ``/``."""
    python, environment = _python()
    os.chown(daemon.state_directory, number, number)
    become = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    variables = [f"{name}={value}" for name, value in {"PATH": os.environ["PATH"], **environment}.items()]
    there = ["env", "-i", "-C", "/", *variables]
    daemon.start(command_line=[*become, *there, python, "-c", _RUN, "-n", "cmdserver", *options])
