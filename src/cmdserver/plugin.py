"""What ``twistd cmdserver`` takes on its command line, and nothing else.

The one place that knows the global reactor.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from cmdserver import structured
from cmdserver.configuration import Configuration, Source, configure, load
from cmdserver.errors import BadTLSFiles
from cmdserver.host import Host
from cmdserver.listening import parse_endpoint
from cmdserver.reading import Mistakes
from cmdserver.service import CmdserverService
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
            sys.exit("cmdserver: twistd's --uid and --gid are not supported; start as that user (systemd: User=)")
        if self.parent is not None and self.parent.get("pidfile"):
            # The daemon leaves this directory; twistd would not find the file again.
            self.parent["pidfile"] = str(Path(self.parent["pidfile"]).absolute())


def makeService(options: Options) -> IService:
    """Make the daemon, as twistd asks for it."""
    from twisted.internet import reactor  # noqa: PLC0415 - its import installs it, and that is for here to decide

    # Resolved before the daemon leaves the directory that it was started in.
    file = options.source.path
    state_directory = choose_directory(options["state-dir"], options.configuration.settings.state_dir, dict(os.environ))
    return CmdserverService(
        reactor,
        options.configuration,
        state_directory,
        lambda: _configure(load(file, {})),
        sys.stdout if sys.stdout.isatty() else None,
    )


def _configure(source: Source) -> Configuration:
    # The built-in configuration is for those who have installed nothing yet; what somebody has written down is meant.
    load_parser = structured.load_if_installed if source.path is None else structured.load
    return configure(source.text, Host(), _check_endpoint, _check_tls, load_parser)


def _check_endpoint(description: str) -> Any:
    from twisted.internet import reactor  # noqa: PLC0415 - see makeService

    return parse_endpoint(reactor, description)


def _check_tls(files: TLS) -> None:
    from cmdserver import tls  # noqa: PLC0415 - OpenSSL is not for doors that do without

    try:
        if files.certificate is None or files.key is None:  # they are made at the first start
            if files.client_ca is not None:
                tls.read_authorities(Path(files.client_ca))
            return
        tls.load(tls.files_of(files, files.certificate, files.key), datetime.now(UTC))
    except BadTLSFiles as error:
        raise ValueError(str(error)) from error


def _count(mistakes: int) -> str:
    return "1 mistake" if mistakes == 1 else f"{mistakes} mistakes"
