"""Files that the kernel starts, or does not."""

import errno
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.config import executables
from cmdserver.config.elf import Header
from cmdserver.config.executables import LentRights, interpreter_of, obstacle_for, rights_lent_by, trouble_with
from tests.config.test_elf import program


class FilesTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o755)
        self.path = self.folder / "file"

    def write(self, content: bytes, mode: int = 0o755, name: str = "file") -> str:
        """Write an executable file."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)


class TroubleTests(FilesTestCase):
    def assert_trouble(self, content: bytes, expected: str) -> None:
        """Fail unless a file cannot be run, for this reason, and the kernel is of the same mind."""
        path = self.write(content)
        self.assertEqual(expected, trouble_with(path))
        with self.assertRaises(OSError):
            subprocess.run([path], check=False, stdout=subprocess.DEVNULL)

    def test_what_can_be_run(self) -> None:
        """Programs, and scripts however their first lines are written."""
        self.assertIsNone(trouble_with("/proc/self/exe"))
        for content in (b"#!/bin/sh\n", b"#! \t/bin/sh  \n", b"#!/bin/sh -e\n", b"#!/usr/bin/env sh\n", b"#!/bin/sh"):
            with self.subTest(content):
                path = self.write(content)
                self.assertIsNone(trouble_with(path))
                subprocess.run([path], check=True, stdin=subprocess.DEVNULL)

    def test_scripts_without_an_interpreter(self) -> None:
        """Whoever runs such a file in a shell does not notice: the shell helps out."""
        no_line = "cannot be run: it has no first line that names its interpreter, such as #!/bin/sh"
        self.assert_trouble(b"echo x\n", no_line)
        self.assert_trouble(b" #!/bin/sh\n", no_line)
        for content in (b"#!\n", b"#! \t\n"):
            names_none = "cannot be run: its first line names no interpreter; write one such as #!/bin/sh"
            self.assert_trouble(content, names_none)

    def test_invisible_reasons(self) -> None:
        """A byte order mark, and lines of Windows."""
        mark = "cannot be run: a byte order mark in front of the #! hides that from the kernel; save it without"
        self.assert_trouble(b"\xef\xbb\xbf#!/bin/sh\n", mark)
        trouble = trouble_with(self.write(b"#!/bin/sh -e\r\necho\r\n"))
        self.assertIn("its lines end in CR LF, as on Windows", str(trouble))
        self.assert_trouble(b"#!/bin/sh\r\necho\r\n", str(trouble))

    def test_interpreters(self) -> None:
        """An interpreter must be there, must be something that can be run, and must be named by its whole path."""
        self.assert_trouble(b"#!/no/such -x\n", "cannot be run: its interpreter /no/such is missing")
        self.assert_trouble(b"#!/tmp\n", "cannot be run: its interpreter /tmp is not a file")
        text = "cannot be run: its interpreter sh is no absolute path; write #!/usr/bin/env sh"
        self.assert_trouble(b"#!sh\n", text)
        plain = self.write(b"", 0o644, "plain")
        self.assert_trouble(f"#!{plain}\n".encode(), f"cannot be run: its interpreter {plain} is not executable")
        text = f"cannot be run: the name of its interpreter goes beyond the {executables._HEAD_BYTES} bytes"
        self.assert_trouble(b"#!/" + b"x" * 300 + b"\n", f"{text} that the kernel reads")

    def test_interpreters_of_interpreters(self) -> None:
        """The kernel follows some, and no circle."""
        path = "/bin/sh"
        for number in range(4):
            path = self.write(f"#!{path}\n".encode(), name=str(number))
            self.assertIsNone(trouble_with(path))
        self.assertIn("is one interpreter too many", str(trouble_with(self.write(f"#!{self.path}\n".encode()))))

    def test_programs(self) -> None:
        """Those of another machine, without their loader, yet to be linked, and cut off."""
        with patch.object(executables, "_own_header") as own:
            own.return_value = Header(machine=62, byte_order="little", is_object=False, loader=None)
            for content, expected in {
                program(machine=183): "it is a program for AArch64, and this host is x86-64",
                program(loader=b"/no/ld.so"): "its loader /no/ld.so is missing",
                program(kind=1): "it is an object file, which is yet to be linked",
                program()[:19]: "it is a program that is cut off or damaged",
            }.items():
                with self.subTest(expected):
                    self.assertEqual(f"cannot be run: {expected}", trouble_with(self.write(content)))
            own.return_value = None
            self.assertIsNone(trouble_with(self.write(program(machine=183, loader=b""))))

    def test_other_contents(self) -> None:
        """Neither text nor program."""
        self.assert_trouble(b"", "cannot be run: it is empty")
        self.assert_trouble(b"\x00asm\1\0\0\0", "cannot be run: it is no program of a kind that this host knows")

    def test_added_formats(self) -> None:
        """What is no program of the kernel's own may be one by an entry of binfmt_misc, if that is in force."""
        formats = self.folder / "formats"
        formats.mkdir()
        wasm = self.write(b"\x00asm\1\0\0\0", name="x.wasm")
        for entry, is_known in {
            "enabled\ninterpreter /usr/bin/wasmtime\nflags: \noffset 0\nmagic 0061736d\n": True,
            "enabled\nflags: \noffset 1\nmagic 61736d\n": True,
            "enabled\noffset 0\nmagic 0061730d\nmask ffffff0f\n": True,
            "enabled\noffset 0\nmagic 0061730d\nmask ffffffff\n": False,
            "enabled\noffset 5\nmagic 0000000000\n": False,
            "enabled\noffset 0\nmagic \n": False,
            "enabled\noffset 0\nmagic xyz\n": False,
            "enabled\n": False,
            "disabled\noffset 0\nmagic 0061736d\n": False,
            "enabled\ninterpreter /x\nflags: \nextension .wasm\n": True,
            "enabled\ninterpreter /x\nflags: \nextension .exe\n": False,
        }.items():
            with self.subTest(entry), patch.object(executables, "_FORMATS", formats):
                (formats / "status").write_text("enabled\n")
                (formats / "it").write_text(entry)
                self.assertEqual(is_known, trouble_with(wasm) is None)

    def test_mounted_noexec(self) -> None:
        """The file's own mode says nothing of it."""
        real = os.statvfs("/")

        class System:
            f_flag = real.f_flag | os.ST_NOEXEC

        with patch("os.statvfs", return_value=System()):
            self.assertEqual("is on a file system that is mounted noexec", trouble_with("/bin/sh"))

    def test_what_is_no_file(self) -> None:
        """Nothing is opened of it: a pipe would keep us waiting, and a device may act."""
        os.mkfifo(self.path)
        self.path.chmod(0o755)
        with patch("os.open", side_effect=AssertionError):
            self.assertEqual("is not a file", trouble_with(str(self.path)))
            self.assertEqual("is not a file", trouble_with("/dev/zero"))
        self.assertIsNone(interpreter_of(str(self.path)))
        self.assertIsNone(interpreter_of("/dev/zero"))

    def test_what_may_not_be_read(self) -> None:
        """A program may be run without being read."""
        path = self.write(b"no program")
        with patch("os.open", side_effect=PermissionError(errno.EACCES, "Permission denied")):
            self.assertIsNone(trouble_with(path))

    def test_a_little_is_read(self) -> None:
        """However long a file is."""
        read: list[int] = []
        real = os.pread

        def pread(descriptor: int, size: int, start: int) -> bytes:
            read.append(size)
            return real(descriptor, size, start)

        with patch("os.pread", pread):
            trouble_with(self.write(b"x" * 1_000_000))
        self.assertEqual([256], read)


class StartTests(FilesTestCase):
    def test_why_it_was_not_started(self) -> None:
        """The file, or the directory; nothing, if who tried could see more than we can."""
        path = self.write(b"#!/no/such\n")
        text = "it cannot be run: its interpreter /no/such is missing"
        self.assertEqual(text, executables.trouble_with_start(path, "/"))
        self.assertEqual(f"its working directory {path} is not there", executables.trouble_with_start("/bin/sh", path))
        self.assertIsNone(executables.trouble_with_start("/bin/sh", "/"))
        with patch("os.stat", side_effect=PermissionError(errno.EACCES, os.strerror(errno.EACCES))):
            self.assertIsNone(executables.trouble_with_start(path, "/"))


class RightsTests(FilesTestCase):
    def test_what_a_file_lends(self) -> None:
        """Its owner's rights, its group's, capabilities; the group's only if its members could run it."""
        owner, group = os.geteuid(), os.getegid()
        for mode, expected in {
            0o755: LentRights(),
            0o4755: LentRights(uid=owner),
            0o2755: LentRights(gid=group),
            0o2745: LentRights(),
            0o6755: LentRights(uid=owner, gid=group),
        }.items():
            with self.subTest(oct(mode)):
                self.assertEqual(expected, rights_lent_by(self.write(b"\x7fELF", mode)))

    def test_scripts_lend_nothing(self) -> None:
        """The kernel pays no attention to such a mode of a script."""
        self.assertEqual(LentRights(), rights_lent_by(self.write(b"#!/bin/sh\n", 0o6755)))

    def test_capabilities(self) -> None:
        """As setcap(8) writes them."""
        path = self.write(b"\x7fELF")
        with patch("os.getxattr", return_value=struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)) as getxattr:
            self.assertEqual(LentRights(has_capabilities=True), rights_lent_by(path))
        getxattr.assert_called_once_with(path, "security.capability")

    def test_nothing_there(self) -> None:
        """It lends nothing."""
        self.assertEqual(LentRights(), rights_lent_by("/no/such"))


class ObstacleTests(FilesTestCase):
    OTHER = 4_000_000_001

    def obstacle(self, path: str, uid: int = OTHER, gid: int = OTHER) -> str | None:
        """Look from the folder on: what is above is the host's."""
        return obstacle_for(uid, gid, path)

    def setUp(self) -> None:
        super().setUp()
        if not all(each.stat().st_mode & 1 for each in self.folder.parents):
            self.skipTest("others may not get to the temporary directory")
        (self.folder / "inner").mkdir()
        self.program = self.write(b"", name="inner/program")

    def test_everybody_may(self) -> None:
        """Nothing is in the way."""
        self.assertIsNone(self.obstacle(self.program))

    def test_the_first_that_is_in_the_way(self) -> None:
        """A directory on the way, or the file itself, that neither owner, nor group, nor others include."""
        (self.folder / "inner").chmod(0o700)
        self.assertEqual(str(self.folder / "inner"), self.obstacle(self.program))
        self.assertIsNone(self.obstacle(self.program, uid=os.geteuid()))
        (self.folder / "inner").chmod(0o710)
        self.assertIsNone(self.obstacle(self.program, gid=os.getegid()))
        self.assertEqual(str(self.folder / "inner"), self.obstacle(self.program))
        (self.folder / "inner").chmod(0o755)
        Path(self.program).chmod(0o744)
        self.assertEqual(self.program, self.obstacle(self.program))

    def test_the_owner_is_no_other(self) -> None:
        """Who owns it, or is of its group, has just what that says, even if others have more."""
        Path(self.program).chmod(0o677)
        self.assertEqual(self.program if os.geteuid() else None, self.obstacle(self.program, uid=os.geteuid()))
        Path(self.program).chmod(0o767)
        self.assertEqual(self.program, self.obstacle(self.program, gid=os.getegid()))

    def test_root_gets_everywhere(self) -> None:
        """Directories are none in its way."""
        (self.folder / "inner").chmod(0)
        self.assertIsNone(self.obstacle(self.program, uid=0))

    def test_behind_a_link(self) -> None:
        """The way that counts is the one that the link leads."""
        (self.folder / "inner").chmod(0o700)
        (self.folder / "link").symlink_to("inner/program")
        self.assertEqual(str(self.folder / "inner"), self.obstacle(str(self.folder / "link")))

    def test_access_lists(self) -> None:
        """Where there is one, the mode does not say everything, so nothing is said."""
        (self.folder / "inner").chmod(0o700)
        with patch("os.getxattr", return_value=b"\2") as getxattr:
            self.assertIsNone(self.obstacle(self.program))
        self.assertEqual("system.posix_acl_access", getxattr.call_args.args[1])

    def test_nothing_there(self) -> None:
        """It is not for us to say."""
        self.assertIsNone(self.obstacle("/no/such"))
