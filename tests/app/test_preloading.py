"""Tests of loading ahead: where it is needed, and that what is not installed keeps nothing from starting."""

import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.app import preloading
from cmdserver.core.protocols import Protocol


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

        preloading.load_everything({Protocol.LINE, Protocol.WEB})

        self.assertIn("cmdserver.frontends.web.http.http2", loaded)
        self.assertIn("cmdserver.net.tls_context", loaded)
        self.assertEqual([name for name in loaded if name.startswith("cmdserver.frontends.ssh")], [])

    def test_encodings_of_names_in_certificates(self) -> None:
        """Of each string type that a certificate can have, and of every Unicode encoding besides."""
        loaded: list[str] = []
        self.patch(preloading, "import_module", loaded.append)

        preloading.load_everything(set())

        for name in ("ascii", "latin_1", "utf_8", "utf_16_be", "utf_16_le", "utf_32_be", "idna", "punycode"):
            self.assertIn(f"encodings.{name}", loaded)

    def test_what_ssh_needs_of_python(self) -> None:
        """All of Python's own modules that its front end imports are loaded, though no listener speaks it yet."""
        script = """
import importlib, sys
from twisted.internet import reactor
from cmdserver.app.preloading import load_everything
from cmdserver.core.protocols import Protocol
load_everything({Protocol.LINE})
before = set(sys.modules)
importlib.import_module(Protocol.SSH.front_end)
late = {name for name in set(sys.modules) - before if name.partition(".")[0] in sys.stdlib_module_names}
print(*sorted(late))
"""
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=60)
        self.assertEqual(said.stdout.split(), [])

    def test_what_a_user_cannot_read_is_out_of_reach(self) -> None:
        """One module in a directory that is root's alone is enough; one that everybody may read is not in the way."""
        if os.geteuid() != 0:
            raise SkipTest("only root can become somebody else to try")
        directory = Path(tempfile.mkdtemp())
        module = ModuleType("a_module_of_roots")
        file = directory / "module.py"
        file.touch(0o644)
        self.addCleanup(directory.rmdir)
        self.addCleanup(file.unlink)
        module.__file__ = str(file)
        self.patch(sys, "modules", {"a_module_of_roots": module})

        self.assertTrue(preloading.is_out_of_reach(61184, 61184))
        directory.chmod(0o755)
        self.assertFalse(preloading.is_out_of_reach(61184, 61184))
        file.chmod(0o600)
        self.assertTrue(preloading.is_out_of_reach(61184, 61184))
