"""Tests of what the runner may run, and of what it reads for the daemon."""

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.decoding import Mistake, Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import Source, configure
from cmdserver.config.merging import SourceFile
from cmdserver.privsep.messages import REPORT_BYTES, Read, Report, encode
from cmdserver.privsep.runner.allow_list import AllowList, LoadedConfiguration, mistaken
from tests.contracts import open_descriptors
from tests.files.doubles import DAEMON, RootTestCase

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:1"\nlogin = "never"\n'
_ONE = _LISTEN + '[commands.one]\nrun = ["/bin/true"]\n'
_TWO = _LISTEN + '[commands.two]\nrun = ["/bin/true"]\n[limits]\nrunning = 7\n'


def packed(text: str) -> bytes:
    """Return what the runner hands over for a configuration of one file."""
    return Source(path="/x.toml", text=text).packed().encode()


class AllowanceTests(SynchronousTestCase):
    """The allow-list now, and the next one."""

    def setUp(self) -> None:
        self.text = _ONE
        self.trouble: Exception | None = None
        self.allow_list = AllowList(self._read)
        self.before = open_descriptors()

    def _read(self) -> LoadedConfiguration:
        if self.trouble is not None:
            raise self.trouble
        return LoadedConfiguration(Source(path="/x.toml", text=self.text), configure(self.text, Host(), lambda _: None))

    @property
    def names(self) -> list[str]:
        """What may be run."""
        return [each.name for each in self.allow_list.commands]

    def reread(self) -> tuple[Report, list[bytes]]:
        """Read again; return the report, and what is in the files that come with it."""
        report, descriptors = self.allow_list.reread()
        contents = []
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as file:
                contents.append(file.read())
        self.assertEqual(open_descriptors(), self.before)
        return report, contents

    def test_what_was_read_is_not_yet_run_by(self) -> None:
        """The text comes back, and the old list holds until the new one is adopted by its checksum."""
        old = self.allow_list.checksum
        self.text = _TWO

        self.assertEqual(self.reread(), (Read((), ()), [packed(_TWO)]))
        self.assertEqual((self.names, self.allow_list.checksum), (["one"], old))
        new = self._read().checksum
        self.assertTrue(self.allow_list.adopt(new))

        self.assertEqual((self.names, self.allow_list.checksum), (["two"], new))
        self.assertGreaterEqual(self.allow_list.most, 7)

    def test_secrets_of_hooks_come_with_it(self) -> None:
        """The daemon may not be allowed to read them any more; each file once, and none that it could have made."""
        hook = '[hooks.{}]\ncommand = "one"\nsignature = "github"\nsecret_file = "{}"\n'
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        paths = [str(Path(directory.name, name)) for name in ("a", "b")]
        self.text = _ONE + "".join(map(hook.format, ("x", "y", "z"), (*paths, paths[0])))
        for path in paths:
            Path(path).write_text(f"secret of {path}", encoding="ascii")

        report, contents = self.reread()

        self.assertEqual(report, Read((), tuple(paths)))
        self.assertEqual(contents, [packed(self.text), *(f"secret of {path}".encode() for path in paths)])
        Path(paths[1]).unlink()
        report, contents = self.reread()
        self.assertEqual((report, contents), (Read((f"{paths[1]}: No such file or directory",), ()), []))

    def test_authorities_of_receivers_come_with_it(self) -> None:
        """Each file once."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "ca.pem")
        path.write_text("authorities", encoding="ascii")
        self.text = _ONE + "".join(f'[[audit.forward]]\nto = "tls:{each}:6514"\nca = "{path}"\n' for each in "ab")

        self.assertEqual(self.reread(), (Read((), (str(path),)), [packed(self.text), b"authorities"]))

    def test_only_what_the_file_says_is_adopted(self) -> None:
        """A checksum that is neither of the text that was read nor of the file's now changes nothing."""
        self.text = _TWO
        self.reread()

        self.assertFalse(self.allow_list.adopt(self.allow_list.checksum ^ 1))
        self.trouble = FileNotFoundError(2, "No such file or directory")
        self.assertFalse(self.allow_list.adopt(12345))

        self.assertEqual(self.names, ["one"])

    def test_what_is_included_counts(self) -> None:
        """Another text of an included file is another configuration, though the main one is as it was."""

        def loaded(run: str) -> LoadedConfiguration:
            extra = SourceFile(name="/extra.toml", text=f'[commands.extra]\nrun = ["{run}"]\n')
            source = Source(path="/x.toml", text=_ONE, included=(extra,))
            return LoadedConfiguration(source, configure(source, Host(), lambda _: None))

        now = [loaded("/bin/true")]
        allow_list = AllowList(lambda: now[0])
        old = allow_list.checksum
        now[0] = loaded("/bin/false")
        self.assertFalse(allow_list.adopt(old))
        self.assertEqual(["/bin/true"] * 2, [each.argv[0] for each in allow_list.commands])

        _, (descriptor,) = allow_list.reread()
        with os.fdopen(descriptor, "rb") as file:
            self.assertEqual(now[0].source, Source.unpacked(file.read().decode()))
        self.assertTrue(allow_list.adopt(now[0].checksum))
        self.assertEqual("/bin/false", allow_list.commands[1].argv[0])

    def test_a_successor_reads_what_its_predecessor_had_read(self) -> None:
        """Who is to adopt what another process has read reads it again, and takes it if it is the same."""
        self.text = _TWO

        self.assertTrue(self.allow_list.adopt(self._read().checksum))

        self.assertEqual(self.names, ["two"])

    def test_mistakes_are_told(self) -> None:
        """What is wrong is in the report, nothing comes with it, and nothing can be adopted."""
        self.trouble = Mistakes([Mistake(("commands",), "are no good")])
        report, contents = self.reread()
        self.assertIsInstance(report, Read)
        self.assertIn("are no good", str(report))
        for trouble in (
            PermissionError(13, "Permission denied", "/x"),
            Mistakes([Mistake((), "not UTF-8", 1)]),
        ):
            self.trouble = trouble
            report, more = self.reread()
            assert isinstance(report, Read)
            self.assertEqual((len(report.mistakes), contents, more), (1, [], []))

        self.assertEqual(self.names, ["one"])

    def test_many_long_mistakes_fit_into_a_packet(self) -> None:
        """However much is wrong, in whatever script, the report is none too long for those who read it."""
        report = mistaken(Mistakes([Mistake(("x",), "\U0001f600" * 10_000)] * 1_000))

        self.assertLess(len(encode(report)), REPORT_BYTES)
        self.assertTrue(all(each.endswith("...") for each in report.mistakes))

    def test_files_for_tls_are_read_as_well(self) -> None:
        """Certificate and key come behind the text, in the order of their names; a missing one is told."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        for name in ("cert", "key", "ca"):
            (directory / name).write_text(f"the {name}", "ascii")
        lines = [f'{key} = "{directory / name}"' for key, name in (("certificate", "cert"), ("key", "key"))]
        tls = _LISTEN.replace('"never"', '"never"\ntls = true') + "\n".join(["[tls]", *lines, ""])
        self.text = tls + _ONE.removeprefix(_LISTEN)

        report, contents = self.reread()
        self.assertEqual(contents, [packed(self.text), b"the cert", b"the key"])
        self.assertEqual(report, Read((), (str(directory / "cert"), str(directory / "key"))))
        (directory / "key").unlink()
        report, contents = self.reread()

        assert isinstance(report, Read)
        self.assertEqual(contents, [])
        self.assertIn(str(directory / "key"), report.mistakes[0])


class OthersFilesTests(RootTestCase):
    """Files for TLS that the daemon could have put there."""

    def test_they_are_left_to_the_daemon(self) -> None:
        """They are left out of what is read as root, and the others are read; a pipe keeps nobody waiting."""
        self.directory("theirs", DAEMON.uid)
        cert, secret = self.file("cert"), self.file("secret")
        for plant in (lambda path: path.symlink_to(secret), os.mkfifo):
            key = self.folder / "theirs" / "key"
            plant(key)
            tls = f'tls = true\n[tls]\ncertificate = "{cert}"\nkey = "{key}"\n'
            text = _LISTEN + tls + _ONE.removeprefix(_LISTEN)
            allowed = LoadedConfiguration(Source(path="/x.toml", text=text), configure(text, Host(), lambda _: None))

            report, descriptors = AllowList(lambda allowed=allowed: allowed).reread()  # type: ignore[misc]

            for each in descriptors:
                os.close(each)
            self.assertEqual((report, len(descriptors)), (Read((), (str(cert),)), 2))
            key.unlink()
