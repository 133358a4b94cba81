"""Tests of loading ahead: where it is needed, and that what is not installed keeps nothing from starting."""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver import preloading


class PreloadingTests(SynchronousTestCase):
    def test_optional_packages_may_be_missing(self) -> None:
        """A part that rests on a package that is not installed is left out, and the others are loaded."""
        loaded: list[str] = []

        def load(name: str) -> object:
            loaded.append(name)
            if name.endswith(".http2"):
                raise ModuleNotFoundError(name)
            return sys.modules.get(name) or import_module(name)

        self.patch(preloading, "import_module", load)

        preloading.load_everything({"line", "web"})

        self.assertIn("cmdserver.frontends.web.http2", loaded)
        self.assertIn("cmdserver.tls", loaded)
        self.assertEqual([name for name in loaded if name.startswith("cmdserver.frontends.ssh")], [])

    def test_a_directory_that_is_somebody_elses_is_in_the_way(self) -> None:
        """Whoever may not enter a directory above the modules cannot read them; its owner can."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(directory.rmdir)
        owner = directory.stat().st_uid

        self.assertTrue(preloading._may_enter(directory, owner, owner))
        self.assertFalse(preloading._may_enter(directory, owner + 1, owner + 1))
