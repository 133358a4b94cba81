"""What ``twistd cmdserver`` takes on its command line, and nothing else.

The one place that knows the global reactor.
"""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from twisted.application.service import IService
from twisted.logger import ILogObserver
from twisted.python import usage

from cmdserver.app import hook_secrets, standard_streams, state_checks
from cmdserver.app.drop_privileges import find_target_user
from cmdserver.app.host_process import on_signal, open_standard_streams
from cmdserver.app.monotonic import use_clock
from cmdserver.app.reload import Rereading
from cmdserver.app.service import CmdserverService
from cmdserver.app.state_directory import choose_directory
from cmdserver.config import loading
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Finding, Mistakes
from cmdserver.config.defaults import settings_of
from cmdserver.config.host import Host, TrustedHost
from cmdserver.config.loading import Source, configure, find_file, name_of
from cmdserver.config.schema.host import TLS
from cmdserver.config.schema.settings import Settings
from cmdserver.config.validation.others import State
from cmdserver.core.endpoints import Endpoint
from cmdserver.core.errors import CannotStart
from cmdserver.core.model import TargetUser
from cmdserver.dispatch import output_parsers
from cmdserver.files.opening import ReadFile, opener_for, reader_for
from cmdserver.files.pid_file import PidFile
from cmdserver.files.run_as_owner import Rights
from cmdserver.files.safe_path import read_file
from cmdserver.logs.formats import JournalLog, TextLog
from cmdserver.logs.log_file import DaemonLog
from cmdserver.logs.systemd import goes_to_journal
from cmdserver.net.listener import server_endpoint
from cmdserver.triggers.next_times import next_times
from cmdserver.triggers.time_zone import host_zone


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
    #: Whether the state directory is looked at as for ``--check``, though the process goes on.
    looks_at_state = False

    optFlags = [["check", None, "Read everything, print every mistake with its place, and exit"]]  # noqa: RUF012

    def postOptions(self) -> None:
        """Read the configuration; with ``--check`` that is all, and the process exits with 0 or 1."""
        open_standard_streams()
        standard_streams.prepare()
        path = None
        try:
            path = find_file(self["config"], os.environ)
            self.source = loading.read_file(path)
            self.configuration = _configure(self.source, read=self._read, look_at_state=self._look_at_state)
        except OSError as error:
            sys.exit(f"cmdserver: cannot read the configuration: {error}")
        except Mistakes as mistakes:
            _list(mistakes.mistakes)
            sys.exit(f"cmdserver: {_count(len(mistakes.mistakes), 'mistake')} in {name_of(path)}")
        if self["check"]:
            _list(self.configuration.warnings)
            zone = host_zone(os.environ)
            summary = self.summary(self.configuration.warnings)
            lines = [summary, *next_times(self.configuration.commands, time.time(), zone)]
            standard_streams.say("".join(f"{line}\n" for line in lines))
            sys.exit(0)
        if self.parent is not None and (self.parent.get("uid") is not None or self.parent.get("gid") is not None):
            sys.exit("cmdserver: instead of twistd's --uid and --gid say [runner] daemon_user, or start as that user")
        self.pid_file_path = self._take_pid_file()
        self._take_log()

    def summary(self, warnings: Sequence[Finding]) -> str:
        """Say of a configuration without mistakes which it is, and how many warnings there are."""
        counted = f", {_count(len(warnings), 'warning')}" if warnings else ""
        return f"{self.source.name}{_with_included(self.source)}: no mistakes{counted}"

    def _look_at_state(self, settings: Settings) -> State:
        """Look at what only a check looks at: the daemon says these things itself when it starts."""
        is_looked_at = self["check"] or self.looks_at_state
        return state_checks.look(self._state_directory(settings), settings) if is_looked_at else State()

    @functools.cached_property
    def state_directory(self) -> Path:
        """Where state is kept; from the first look on, as the daemon leaves the directory that it was started in."""
        return self._state_directory(self.configuration.settings)

    @functools.cached_property
    def target_user(self) -> TargetUser | None:
        """Whom the daemon becomes."""
        return find_target_user(self.configuration.settings.runner, self.state_directory)

    def _state_directory(self, settings: Settings) -> Path:
        return choose_directory(self["state-dir"], settings.state_dir, dict(os.environ))

    def _read(self, path: Path) -> bytes:
        """Read a file as the daemon will."""
        return self._read_as_daemon(path)

    @functools.cached_property
    def _read_as_daemon(self) -> ReadFile:
        """What reads files as the daemon will; asked before there is a configuration, for each file that it names."""
        settings = settings_of(self.source.reader()) if os.geteuid() == 0 else None
        if settings is None:
            return read_file
        try:
            target_user = find_target_user(settings.runner, self._state_directory(settings))
        except CannotStart:  # there is no such user, which is another mistake
            target_user = None
        return reader_for(target_user)

    def _take_pid_file(self) -> Path | None:
        """Take twistd's file off its hands: it would write there as root, and not find the file again at its end."""
        if self.parent is None:
            return None
        path, self.parent["pidfile"] = self.parent.get("pidfile"), ""
        # Nobody needs a process in the foreground to have one, and its directory may be no place for files.
        is_wanted = not self._stays_in_foreground() or any(word.startswith("--pi") for word in sys.argv)
        return Path(path).absolute() if path and is_wanted else None

    def _take_log(self) -> None:
        """Open the log file for twistd, which would do that as root, wherever it is."""
        if self.parent is None or self.parent.get("logger") or self.parent.get("syslog"):
            return
        name = self.parent.get("logfile") or ("-" if self._stays_in_foreground() else "twistd.log")
        if name != "-":
            self._log_path = Path(name).absolute()
            _with_logs.append(self)
            self.parent["logger"] = f"{__name__}.{open_log.__name__}"
        else:
            self.parent["logger"] = f"{__name__}.{open_stream.__name__}"

    def _stays_in_foreground(self) -> bool:
        return self.parent is not None and bool(self.parent.get("nodaemon") or self.parent.get("debug"))

    def open_log(self) -> ILogObserver:
        """Open the log, which is a file."""
        path, target_user = self._log_path, self.target_user
        try:
            log = DaemonLog(path, opener_for(target_user, 0o644), lambda: target_user is None or os.getuid() != 0)
        except OSError as error:
            raise CannotStart(
                f"cmdserver: cannot open the log {path}: {error.strerror}; say where with --logfile"
            ) from error
        reactor = _global_reactor()
        on_signal(signal.SIGUSR1, lambda: reactor.callFromThread(log.rotate_or_reopen))
        return TextLog(cast("TextIO", log))


#: Those that have a log to open: twistd takes a logger by its name alone, and gives it nothing.
_with_logs: list[Options] = []


def open_log() -> ILogObserver:
    """Open the log of the options that were read last, as twistd asks for it."""
    return _with_logs[-1].open_log()


def open_stream() -> ILogObserver:
    """Write the log to standard output, for systemd's journal if that listens, as twistd asks for it."""
    is_journal = goes_to_journal(os.environ, is_terminal=sys.stdout.isatty())
    return JournalLog(sys.stdout) if is_journal else TextLog(sys.stdout)


def makeService(options: Options) -> IService:
    """Make the daemon, as twistd asks for it."""
    reactor = _global_reactor()
    use_clock(reactor, time.monotonic)
    file = options.source.path
    pid_file = None
    if options.pid_file_path is not None:
        pid_file = PidFile(options.pid_file_path, Rights(options.target_user))
        pid_file.require_free()
    started_as = (os.geteuid(), os.getegid())
    return CmdserverService(
        reactor,
        options.source,
        options.configuration,
        options.state_directory,
        options.target_user,
        Rereading(
            load=lambda: loading.read_file(file),
            look=_configure,
            believe=lambda source, read: _configure(source, TrustedHost(started_as), read),
        ),
        pid_file,
        sys.stdout if sys.stdout.isatty() else None,
    )


def _configure(
    source: Source,
    host: Host | None = None,
    read: ReadFile = read_file,
    look_at_state: Callable[[Settings], State] = lambda _: State(),
) -> Configuration:
    # The built-in configuration is for those who have installed nothing yet; what somebody has written down is meant.
    load_parser = output_parsers.load_if_installed if source.path is None else output_parsers.load

    def check_tls(wanted: TLS) -> None:
        from cmdserver.app import tls  # noqa: PLC0415 - OpenSSL is not for listeners that do without

        tls.check(wanted, read)

    def check_ca(file: str) -> None:
        from cmdserver.app import tls  # noqa: PLC0415 - likewise

        tls.check_authorities(file, read)

    return configure(
        source,
        host or Host(),
        _check_endpoint,
        check_tls,
        load_parser,
        look_at_state,
        lambda file: hook_secrets.check(file, read),
        check_ca,
    )


def _check_endpoint(endpoint: Endpoint) -> None:
    server_endpoint(_global_reactor(), endpoint)


def _global_reactor() -> Any:
    """Return the reactor: ours, unless another one was chosen, perhaps by ``twistd --reactor``."""
    if "twisted.internet.reactor" not in sys.modules:
        from cmdserver.app import epoll_reactor  # noqa: PLC0415 - who has chosen another one needs no epoll

        epoll_reactor.install()
    from twisted.internet import reactor  # noqa: PLC0415 - its import installs one, and that is for here to decide

    return reactor


def _list(findings: Iterable[Finding]) -> None:
    for finding in findings:
        sys.stderr.write(f"{finding}\n")


def _with_included(source: Source) -> str:
    return f" with {_count(len(source.included), 'included file')}" if source.included else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
