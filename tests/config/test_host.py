"""What a host has; the real one and its double answer alike."""

import contextlib
import os
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.config import host as module
from cmdserver.config.host import SEARCH_PATH, Host
from tests.doubles import FakeHost


class Contract:
    """What holds for every host; the class around it, so that it is not run by itself."""

    class HostTests(unittest.TestCase):
        """A host that a subclass names."""

        host: Host

        def test_executables(self) -> None:
            """A name is looked for along the search path; what is found is absolute and found again."""
            path = self.host.executable("sh")
            self.assertTrue(path.endswith("/sh"))
            self.assertIn(path.removesuffix("/sh"), SEARCH_PATH.split(":"))
            self.assertEqual(path, self.host.executable(path))

        def test_no_executables(self) -> None:
            """What is not there, or has no one meaning, is refused."""
            for name in (
                "",
                "bin/sh",
                "./sh",
                "../bin/sh",
                "no-such-program",
                "/no/such",
                "/",
                "/bin/",
                "s\0h",
                "\0",
                ".",
                "..",
            ):
                with self.subTest(name):
                    self.assertRaises(ValueError, self.host.executable, name)

        def test_directories(self) -> None:
            """A directory is there and absolute."""
            self.host.require_directory("/")
            for path in ("tmp", ".", "", "/no/such", "/\0", self.host.executable("sh")):
                with self.subTest(path):
                    self.assertRaises(ValueError, self.host.require_directory, path)

        def test_users(self) -> None:
            """A user has a group of its own."""
            group = self.host.group_of("root")
            self.host.require_group(group)
            for name in ("", "no such user", "root\0", "-1", "0"):
                with self.subTest(name):
                    self.assertRaises(ValueError, self.host.group_of, name)

        def test_groups(self) -> None:
            """A group is there."""
            for name in ("", "no such group", "root\0", "-1", "0"):
                with self.subTest(name):
                    self.assertRaises(ValueError, self.host.require_group, name)

        def test_ourselves(self) -> None:
            """The daemon has a user and a group, and may become others or not."""
            self.assertTrue(self.host.user())
            self.assertTrue(self.host.group())
            self.assertIsInstance(self.host.is_root(), bool)


class HostTests(Contract.HostTests):
    host = Host()

    def test_reasons(self) -> None:
        """Whoever is refused is told why."""
        with tempfile.TemporaryDirectory() as folder:
            plain, dangling = Path(folder, "plain"), Path(folder, "dangling")
            plain.write_text("#!/bin/sh\n")
            plain.chmod(0o644)
            dangling.symlink_to("nowhere")
            for name, reason in {
                "bin/sh": f"bin/sh is a relative path; write an absolute one, or a name on {SEARCH_PATH}",
                "no-such": f"no executable no-such on {SEARCH_PATH}",
                folder: f"{folder} is not a file",
                str(plain): f"{plain} is not executable",
                str(dangling): f"{dangling} cannot be run: No such file or directory",
                f"{plain}/x": f"{plain}/x cannot be run: Not a directory",
                "/" + "x" * 5000: "/" + "x" * 5000 + " cannot be run: File name too long",
            }.items():
                with self.subTest(name[:60]):
                    with self.assertRaises(ValueError) as raised:
                        self.host.executable(name)
                    self.assertEqual(reason, str(raised.exception))

    def test_the_first_on_the_path(self) -> None:
        """What is found first and can be run is taken; what cannot be run is passed over."""
        with tempfile.TemporaryDirectory() as folder:
            for name in "abcd":
                Path(folder, name).mkdir()
            Path(folder, "b", "x").write_text("")
            Path(folder, "a", "x").mkdir()
            for name in "cd":
                Path(folder, name, "x").write_text("#!/bin/sh\n")
                Path(folder, name, "x").chmod(0o755)
            with patch.object(module, "SEARCH_PATH", ":".join(f"{folder}/{name}" for name in "abcd")):
                self.assertEqual(f"{folder}/c/x", self.host.executable("x"))

    def test_a_broken_one_on_the_path_is_not_passed_over(self) -> None:
        """What a shell would try and fail to run is a mistake: another program of its name is not what is meant."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"a": "#!/no/such\n", "b": "#!/bin/sh\n"}.items():
                Path(folder, name).mkdir()
                Path(folder, name, "x").write_text(text)
                Path(folder, name, "x").chmod(0o755)
            with patch.object(module, "SEARCH_PATH", f"{folder}/a:{folder}/b"), self.assertRaises(ValueError) as raised:
                self.host.executable("x")
            self.assertEqual(f"{folder}/a/x cannot be run: its interpreter /no/such is missing", str(raised.exception))

    def test_where_we_may_not_look(self) -> None:
        """A directory that we may not look into is none for us, and no error that nobody has foreseen."""
        with patch("os.stat", side_effect=PermissionError(13, "Permission denied")):
            for check in (self.host.require_directory, self.host.executable):
                with self.assertRaises(ValueError):
                    check("/root/x")
            self.assertRaises(ValueError, self.host.executable, "sh")

    def test_several_words_in_one(self) -> None:
        """Whoever writes a command line as one word is told that it is several."""
        with self.assertRaises(ValueError) as raised:
            self.host.executable("uptime -p")
        self.assertIn("each word of run stands between quotes of its own", str(raised.exception))

    def test_a_program_that_env_does_not_find(self) -> None:
        """A script of ``#!/usr/bin/env`` may name a program that is not on the path of its command."""
        with tempfile.TemporaryDirectory() as folder:
            script, program = Path(folder, "script"), Path(folder, "python9")
            for line, missing in {
                "#!/usr/bin/env python9": "python9",
                "#! /usr/bin/env\tpython9  ": "python9",
                "#!/usr/bin/env sh": None,
                "#!/usr/bin/env -S python9 -u": None,
                "#!/usr/bin/env A=b python9": None,
                "#!/usr/bin/env": None,
                "#!/bin/python9 python9": None,
            }.items():
                with self.subTest(line):
                    script.write_text(line + "\n")
                    self.assertEqual(missing, self.host.missing_program(str(script), SEARCH_PATH))
            script.write_text("#!/usr/bin/env python9\n")
            program.write_text("")
            self.assertEqual("python9", self.host.missing_program(str(script), folder))
            program.chmod(0o755)
            self.assertIsNone(self.host.missing_program(str(script), f"{SEARCH_PATH}:{folder}"))

    def test_ports(self) -> None:
        """Who is not root and has no such capability may not listen below where the kernel begins to let everybody."""
        for first, port, may in ((b"1024\n", 1023, False), (b"1024\n", 1024, True), (b"80\n", 80, True)):
            for is_root, capable in ((False, False), (True, False), (False, True)):
                with (
                    self.subTest(port=port, is_root=is_root, capable=capable),
                    patch.object(Path, "read_bytes", return_value=first),
                    patch.object(Path, "read_text", return_value=f"CapEff:\t{capable << 10:016x}\n"),
                    patch("os.geteuid", return_value=0 if is_root else 1000),
                ):
                    self.assertEqual(may or is_root or capable, self.host.may_bind(port))
        with patch.object(Path, "read_bytes", side_effect=OSError), patch("os.geteuid", return_value=1000):
            self.assertTrue(self.host.may_bind(0))
            self.assertTrue(self.host.may_bind(1024))

    def test_network_interfaces(self) -> None:
        """The loopback interface is there under a name that no address has."""
        self.assertTrue(self.host.is_network_interface("lo"))
        self.assertFalse(self.host.is_network_interface("127.0.0.1"))

    def test_the_daemons_path_means_nothing(self) -> None:
        """The daemon's own PATH and directory are not looked at."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "only-here")
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
            with patch.dict(os.environ, {"PATH": folder}), contextlib.chdir(folder):
                self.assertRaises(ValueError, self.host.executable, "only-here")
            self.assertEqual(str(program), self.host.executable(str(program)))

    def test_names_of_the_nameless(self) -> None:
        """A user or group without a name goes by its number."""
        with patch("os.geteuid", return_value=4_000_000_001), patch("os.getegid", return_value=4_000_000_002):
            self.assertEqual(("4000000001", "4000000002"), (self.host.user(), self.host.group()))
            self.assertIs(False, self.host.is_root())
        with patch("os.geteuid", return_value=0), patch("os.getegid", return_value=0):
            self.assertEqual(("root", "root"), (self.host.user(), self.host.group()))
            self.assertIs(True, self.host.is_root())


class FakeHostTests(Contract.HostTests):
    host = FakeHost()
