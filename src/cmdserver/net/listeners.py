"""All listeners of the daemon: opened at the start, exchanged at a reload, which is undone if it fails, and closed."""

from collections.abc import Iterable, Iterator

from twisted.logger import Logger

from cmdserver.core.errors import CannotListen
from cmdserver.net.listener import Listener

_log = Logger()


class Listeners:
    """The listeners that are open."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __iter__(self) -> Iterator[Listener]:
        """Iterate in the order of the configuration."""
        return iter(self._listeners)

    def open(self, listener: Listener) -> None:
        """Open one more; raises `CannotListen`."""
        listener.open()
        self._listeners.append(listener)

    async def replace(self, kept: list[Listener], wanted: list[Listener]) -> None:
        """Close all but some, and open others.

        Args:
            kept: Of ours.
            wanted: To be opened.

        Raises:
            CannotListen: One cannot be opened; the listeners are as they were.
        """
        unwanted = [each for each in self._listeners if each not in kept]
        try:
            await _open_all(wanted)
        except CannotListen as error:
            if not error.is_taken:
                raise
            # A new endpoint may be an old one's port on another interface. Not before it is known to be so: a port that
            # took root to be opened could not be opened again.
            await _close_all(unwanted)
            try:
                await _open_all(wanted)
            except CannotListen:
                _open_again(unwanted)
                raise
        await _close_all(unwanted)
        self._listeners = kept + wanted

    async def close(self) -> None:
        """Stop listening; open connections stay open."""
        await _close_all(self._listeners)


async def _open_all(listeners: Iterable[Listener]) -> None:
    """Open all or none."""
    opened: list[Listener] = []
    try:
        for listener in listeners:
            listener.open()
            opened.append(listener)
    except CannotListen:
        await _close_all(opened)
        raise


def _open_again(listeners: Iterable[Listener]) -> None:
    for listener in listeners:
        try:
            listener.open()
        except CannotListen as error:
            _log.critical("a listener that was closed cannot be opened again: {error}", error=error)


async def _close_all(listeners: Iterable[Listener]) -> None:
    """Close listeners; log errors, as when somebody has removed a socket's file."""
    for listener in listeners:
        try:
            await listener.close()
        except OSError as error:
            _log.warn("{endpoint}: closed, but: {error}", endpoint=listener.key.endpoint, error=error)
