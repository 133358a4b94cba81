"""Users that a daemon may become, and directories that are theirs; for root alone."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import TargetUser

#: Whom the daemon is to become, and somebody else; that nobody has these numbers does not matter here.
DAEMON = TargetUser("61301", 61301, 61301)
STRANGER = 61302


class RootTestCase(SynchronousTestCase):
    """A test that is for root, who can play everybody, in a directory that everybody may enter."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("only root can play the others")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.folder.chmod(0o755)
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)

    def directory(self, name: str, owner: int = 0, mode: int = 0o755, group: int = 0) -> Path:
        """Make a directory of somebody's."""
        path = self.folder / name
        path.mkdir(parents=True)
        os.chown(path, owner, group or owner)
        path.chmod(mode)
        return path

    def file(self, name: str, owner: int = 0, mode: int = 0o600, text: str = "secret\n") -> Path:
        """Make a file of somebody's."""
        path = self.folder / name
        path.write_text(text, "ascii")
        os.chown(path, owner, owner)
        path.chmod(mode)
        return path

    def link(self, name: str, target: str | Path, owner: int = 0) -> Path:
        """Make a symbolic link of somebody's."""
        path = self.folder / name
        path.symlink_to(target)
        os.chown(path, owner, owner, follow_symlinks=False)
        return path

    def refusal(self, act: Callable[[], object], kind: type[Exception] = OSError) -> str:
        """Say why something was not done."""
        return str(self.assertRaises(kind, act))
