"""A process group that we started: signalled as a whole, and never after it is gone.

Its number is its leader's process id, which the kernel keeps from being given to another process as long as the group
has a member, and no longer. So once the group has been seen to be empty it is not signalled any more: the number may be
somebody else's.
"""

import os
import signal

from twisted.logger import Logger

_log = Logger()


class ProcessGroup:
    """The group.

    Args:
        group_id: The leader's process id.
    """

    def __init__(self, group_id: int) -> None:
        if group_id <= 1:  # to killpg(2), 0 is our own group; and 1 is init's
            raise ValueError(group_id)
        self.id = group_id
        self._is_gone = False

    def is_gone(self) -> bool:
        """Look whether anybody is left in it; a leader that was not yet reaped counts."""
        self._send(0)
        return self._is_gone

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to everybody who is in it; harmless if nobody is."""
        self._send(number)

    def _send(self, number: int) -> None:
        if self._is_gone:
            return
        try:
            os.killpg(self.id, number)
        except ProcessLookupError:
            self._is_gone = True
        except PermissionError as error:
            if number:
                name = signal.Signals(number).name
                _log.error(
                    "cannot send {signal} to process group {group}: {error}", signal=name, group=self.id, error=error
                )
