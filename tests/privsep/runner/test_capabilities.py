"""Tests of what each of the two processes keeps of root's privileges."""

import os

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Command, Controls
from cmdserver.privsep.linux import Capability
from cmdserver.privsep.runner.capabilities import capabilities_for
from tests.running_doubles import command

_BASIC = {Capability.DAC_READ_SEARCH, Capability.SETUID, Capability.SETGID, Capability.KILL}


def _as(uid: int, **controls: object) -> Command:
    return command(f"as{uid}", controls=Controls(uid=uid, gid=uid, **controls))  # type: ignore[arg-type]


class CapabilityTests(SynchronousTestCase):
    """What the runner keeps."""

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 0)

    def test_who_is_not_root_keeps_none(self) -> None:
        """An ordinary user has none to keep, whatever its commands are."""
        self.patch(os, "geteuid", lambda: 1000)

        self.assertEqual(capabilities_for([command()]), frozenset())
        self.assertEqual(capabilities_for([_as(0)]), frozenset())

    def test_commands_of_others_take_little(self) -> None:
        """To become other users, to signal them, and to read files at SIGHUP is all that it takes."""
        self.assertEqual(capabilities_for([_as(1000), _as(65534)]), _BASIC)
        self.assertEqual(capabilities_for([]), _BASIC)

    def test_commands_of_root_take_all(self) -> None:
        """One command that is root's, by saying so or by saying nothing, has what root has."""
        self.assertIsNone(capabilities_for([_as(1000), command()]))
        self.assertIsNone(capabilities_for([_as(1000), _as(0)]))

    def test_more_is_kept_only_for_who_says_so(self) -> None:
        """A nice value below 0 and resource limits take a capability each; a nice value above 0 takes none."""
        self.assertEqual(capabilities_for([_as(1000, nice=-1)]), _BASIC | {Capability.SYS_NICE})
        self.assertEqual(capabilities_for([_as(1000, nice=1)]), _BASIC)
        self.assertEqual(
            capabilities_for([_as(1000, limits=(("open_files", 10),))]), _BASIC | {Capability.SYS_RESOURCE}
        )
