"""SIGHUP: read the configuration again. A good one takes effect without dropping a connection; a bad one does not.

A reload is all or nothing: what can fail is done first, and the exchange of the listeners, which undoes itself, is the
last of it. What follows must not fail.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cmdserver.app import hook_secrets
from cmdserver.app.composition.forwarding import load_receivers
from cmdserver.app.hook_secrets import BadSecret
from cmdserver.app.host_process import tell_systemd
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import Source
from cmdserver.core.errors import AuditError, BadTLSFiles, CannotListen, CannotStart
from cmdserver.files.opening import ReadFile
from cmdserver.files.safe_path import read_file
from cmdserver.net.listeners import Listeners
from cmdserver.privsep.daemon.runner_process import RunnerProcess

if TYPE_CHECKING:  # the service imports it late
    from cmdserver.app.composition.composition import Composition

NO_RELOAD = "a reload is under way or the daemon is stopping; this SIGHUP is ignored"

_log = Logger()


class Rereading(Struct, frozen=True, kw_only=True):
    """How the configuration is read again."""

    #: Reads its text; raises OSError or `Mistakes`.
    load: Callable[[], Source]
    #: Makes sense of a text; raises `Mistakes`.
    look: Callable[[Source], Configuration]
    #: The same for a text in which the runner process has found no mistakes, with what reads files for it.
    believe: Callable[[Source, ReadFile], Configuration]


class Reloader:
    """Replaces the configuration of a running daemon, and of its runner process if there is one."""

    def __init__(
        self,
        rereading: Rereading,
        source: Source,
        composition: "Composition",
        listeners: Listeners,
        runner_process: RunnerProcess | None,
    ) -> None:
        self._rereading = rereading
        self._source = source
        self._composition = composition
        self._listeners = listeners
        self._runner_process = runner_process
        self._is_reloading = False

    def reload(self) -> Deferred[None]:
        """Read the configuration again; what goes wrong is logged."""
        return Deferred.fromCoroutine(self._reload()).addErrback(
            lambda failure: _log.failure("the configuration could not be changed", failure)
        )

    async def _reload(self) -> None:
        if self._is_reloading:
            _log.warn(NO_RELOAD)
            return
        self._is_reloading = True
        tell_systemd("RELOADING=1")
        try:
            await self._read_and_replace()
        except Mistakes as mistakes:
            _complain(map(str, mistakes.mistakes))
        except OSError as error:
            _log.error("the configuration cannot be read; nothing was changed: {error}", error=error)
        except (AuditError, BadSecret, BadTLSFiles, CannotListen, CannotStart) as error:
            _log.error("nothing was changed: {error}", error=error)
        except ImportError as error:  # see `preloading`
            _log.error(
                "nothing was changed: this takes a restart, as Python cannot be read by us: {error}", error=error
            )
        finally:
            self._is_reloading = False
            tell_systemd("READY=1")

    async def _read_and_replace(self) -> None:
        """Read, or have it read by the runner process, and replace what differs."""
        read: ReadFile = read_file
        if self._runner_process is None:
            source = self._rereading.load()
            configuration = self._rereading.look(source)
        else:
            reading = await self._runner_process.reread()
            if reading.mistakes:
                _complain(reading.mistakes)
                return
            source, read = Source.unpacked(reading.text), reading.read
            configuration = self._rereading.believe(source, read)
        await self._replace(source, configuration, read)

    async def _replace(self, source: Source, configuration: Configuration, read: ReadFile) -> None:
        """Open the audit file, read TLS's files and secrets, exchange the listeners; and then everything else.

        Raises:
            AuditError, BadSecret, BadTLSFiles, CannotListen, CannotStart: It does not work; nothing has changed.
        """
        from cmdserver.diff.comparing import reload_lines  # noqa: PLC0415 - the first answer does not wait for it

        composition = self._composition
        audit = composition.audit.prepare(composition.audit_path(configuration))
        try:
            tls = composition.load_tls(configuration, read)
            secrets = hook_secrets.load(configuration.hooks, read)
            receivers = load_receivers(configuration.receivers, read)
            kept = [each for each in self._listeners if each.key in configuration.all_listening]
            known = [each.key for each in kept]
            wanted = [composition.listener(key, tls) for key in configuration.all_listening if key not in known]
            await self._listeners.replace(kept, wanted)
        except BaseException:
            audit.discard()
            raise
        # From here on nothing may fail.
        before = composition.configuration
        self._source = source
        composition.audit.adopt(audit)
        composition.forwarding.reconfigure(receivers)
        if self._runner_process is not None:
            self._runner_process.adopt(source.packed())
        composition.reconfigure(configuration, tls, secrets)
        if self._runner_process is not None:
            composition.require_parsing()  # which we may not be able to start any more
        for change in reload_lines(before, configuration) or ["nothing differs"]:
            _log.info("configuration read again: {change}", change=change)
        log_warnings(configuration)
        if before.settings.state_dir != configuration.settings.state_dir:
            _log.warn("state_dir takes effect at the next start")


def log_warnings(configuration: Configuration) -> None:
    """Log what in a configuration is without effect, or has another than may be meant."""
    for warning in configuration.warnings:
        _log.warn("configuration: {warning}", warning=str(warning))


def _complain(mistakes: Iterable[str]) -> None:
    for mistake in mistakes:
        _log.error("configuration: {mistake}", mistake=mistake)
    _log.error("the configuration has mistakes; nothing was changed")
