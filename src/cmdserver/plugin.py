"""What ``twistd cmdserver`` takes on its command line, and nothing else.

The one place that knows the global reactor.
"""

import functools
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from cmdserver import structured
from cmdserver.configuration import Configuration, Source, configure, load
from cmdserver.errors import BadTLSFiles
from cmdserver.host import Host, TrustedHost
from cmdserver.listening import parse_endpoint
from cmdserver.reading import Mistakes
from cmdserver.service import CmdserverService, Rereading
from cmdserver.settings import TLS
from cmdserver.state import choose_directory


class Options(usage.Options):
    """The options of ``twistd cmdserver``."""

    optParameters = [  # noqa: RUF012 - as usage.Options wants it
        [
            "config",
            "c",
            None,
            "The configuration file; else $CMDSERVER_CONFIG, else the system's file, else the built-in default",
        ],
        [
            "state-dir",
            "s",
            None,
            "Where state is kept; else state_dir in the file, else $STATE_DIRECTORY, else the usual place",
        ],
    ]
    optFlags = [["check", None, "Read everything, print every mistake with its place, and exit"]]  # noqa: RUF012

    def postOptions(self) -> None:
        """Read the configuration; with ``--check`` that is all, and the process exits with 0 or 1."""
        try:
            self.source = load(self["config"], dict(os.environ))
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"cmdserver: cannot read the configuration: {error}")
        try:
            self.configuration = _configure(self.source)
        except Mistakes as mistakes:
            for mistake in mistakes.mistakes:
                sys.stderr.write(f"{self.source.name}:{mistake}\n")
            sys.exit(f"cmdserver: {_count(len(mistakes.mistakes))} in {self.source.name}")
        if self["check"]:
            sys.stdout.write(f"{self.source.name}: no mistakes\n")
            sys.exit(0)
        if self.parent is not None and (self.parent.get("uid") is not None or self.parent.get("gid") is not None):
            sys.exit("cmdserver: instead of twistd's --uid and --gid say [runner] daemon_user, or start as that user")
        if self.parent is not None and self.parent.get("pidfile"):
            # The daemon leaves this directory; twistd would not find the file again.
            self.parent["pidfile"] = str(Path(self.parent["pidfile"]).absolute())

    def leave_pid_file(self) -> str:
        """Take twistd's file off its hands; empty if there is none."""
        if self.parent is None:
            return ""
        path: str = self.parent.get("pidfile") or ""
        self.parent["pidfile"] = ""
        return path


def makeService(options: Options) -> IService:
    """Make the daemon, as twistd asks for it."""
    from twisted.internet import reactor  # noqa: PLC0415 - its import installs it, and that is for here to decide

    # Resolved before the daemon leaves the directory that it was started in.
    file = options.source.path
    state_directory = choose_directory(options["state-dir"], options.configuration.settings.state_dir, dict(os.environ))
    started_as = (os.geteuid(), os.getegid())
    return CmdserverService(
        reactor,
        options.source,
        options.configuration,
        state_directory,
        Rereading(
            load=lambda: load(file, {}),
            look=_configure,
            believe=lambda source, read: _configure(source, TrustedHost(started_as), read),
        ),
        options.leave_pid_file,
        sys.stdout if sys.stdout.isatty() else None,
    )


def _configure(
    source: Source, host: Host | None = None, read: Callable[[Path], bytes] = Path.read_bytes
) -> Configuration:
    # The built-in configuration is for those who have installed nothing yet; what somebody has written down is meant.
    load_parser = structured.load_if_installed if source.path is None else structured.load
    check_tls = functools.partial(_check_tls, read=read)
    return configure(source.text, host or Host(), _check_endpoint, check_tls, load_parser)


def _check_endpoint(description: str) -> Any:
    from twisted.internet import reactor  # noqa: PLC0415 - see makeService

    return parse_endpoint(reactor, description)


def _check_tls(files: TLS, read: Callable[[Path], bytes]) -> None:
    from cmdserver import tls  # noqa: PLC0415 - OpenSSL is not for doors that do without

    try:
        if files.certificate is None or files.key is None:  # they are made at the first start
            if files.client_ca is not None:
                tls.check_authorities(Path(files.client_ca), read)
            return
        tls.load(tls.files_of(files, files.certificate, files.key), datetime.now(UTC), read)
    except BadTLSFiles as error:
        raise ValueError(str(error)) from error


def _count(mistakes: int) -> str:
    return "1 mistake" if mistakes == 1 else f"{mistakes} mistakes"
