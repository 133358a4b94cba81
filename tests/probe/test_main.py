"""Tests of the program: from a command line to what is printed."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe import main
from cmdserver_probe.errors import CannotTell, ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, State
from cmdserver_probe.run import Run
from cmdserver_probe.target import Target
from tests.probe.doubles import a_run

Probe = Callable[[Run], Finding]


class ClientError(Exception):
    """What a client library says of a target that does not behave."""


class OutcomeTests(SynchronousTestCase):
    def _probed(self, probe: Probe, line: str = "ssh h") -> tuple[Run, Finding]:
        module = ModuleType("a kind")
        vars(module).update(probe=probe, FAILURES=(ClientError,))
        self.patch(main, "import_module", lambda _: module)
        run = a_run(line)
        return run, main.outcome(run)

    def _raising(self, error: BaseException, address: str | None = "192.0.2.1:1") -> tuple[State, str]:
        def probe(run: Run) -> Finding:
            run.address = address
            with run.steps.step("greeting"):
                raise error

        run, finding = self._probed(probe)
        self.assertEqual(run.steps.current, "greeting")
        return finding.state, finding.text

    def test_errors(self) -> None:
        """What a target does wrong is CRITICAL; what is wrong here is UNKNOWN, without a word that may be secret."""
        self.assertEqual(self._raising(ProbeFailed("no")), (State.CRITICAL, "no"))
        self.assertEqual(self._raising(ClientError(b"no")), (State.CRITICAL, "the target says: no"))
        self.assertEqual(self._raising(ConnectionResetError(104, "Reset")), (State.CRITICAL, "reset"))
        self.assertEqual(self._raising(CannotTell("no file")), (State.UNKNOWN, "no file"))
        self.assertEqual(self._raising(KeyboardInterrupt()), (State.UNKNOWN, "interrupted"))
        self.assertEqual(
            self._raising(RuntimeError("secret")), (State.UNKNOWN, "a mistake in cmdserver-probe: RuntimeError")
        )

    def test_nonsense(self) -> None:
        """Where nobody has answered yet, it is a mistake of this program, not of the target."""
        self.assertEqual(self._raising(IndexError("secret"))[0], State.CRITICAL)
        self.assertEqual(self._raising(IndexError("secret"), None)[0], State.UNKNOWN)

    def test_times(self) -> None:
        """The state is the worse of what was found and how long it took."""
        found = {
            (state, line): main._judge(slow(line), Finding("so", state)).state
            for state in (State.OK, State.WARNING, State.CRITICAL)
            for line in ("", "--warning 2", "--critical 2", "--warning 1 --critical 2", "--warning 1 --critical 4")
        }

        self.assertEqual({state for (_, line), state in found.items() if line == "--critical 2"}, {State.CRITICAL})
        self.assertEqual(found[State.OK, ""], State.OK)
        self.assertEqual(found[State.OK, "--warning 2"], State.WARNING)
        self.assertEqual(found[State.CRITICAL, "--warning 2"], State.CRITICAL)
        self.assertEqual(found[State.OK, "--warning 1 --critical 2"], State.CRITICAL)
        self.assertEqual(found[State.OK, "--warning 1 --critical 4"], State.WARNING)
        text = main._judge(slow("--warning 1"), Finding("so")).text
        self.assertEqual(text, "so in 3.000 s, slower than 1 s")

    def test_targets(self) -> None:
        """The usual port of the kind is filled in; a wrong one is wrong usage."""
        run, _ = self._probed(lambda _: Finding("so"), "ssh h")
        self.assertEqual(str(run.target), "h:22")
        self.assertEqual(self._probed(lambda _: Finding("so"), "ssh h:x")[1].state, State.UNKNOWN)


def slow(options: str) -> Run:
    """Make a run that has taken three seconds."""
    run = a_run(f"ssh h {options}")
    run.steps._begun = -3.0
    return run


class PrintedTests(SynchronousTestCase):
    def _printed(self, finding: Finding, options: str = "", password: str = "") -> tuple[str, int]:
        run = a_run(f"pop3 h {options}")
        run.target, run.password = Target("h", 110), password
        octets, status = main._printed(run, finding)
        return octets.decode(), status

    def test_text_and_status(self) -> None:
        """They say the same."""
        for state in State:
            text, status = self._printed(Finding("so", state))
            self.assertEqual((text.split(" ")[0], status), (state.name, int(state)))

    def test_json(self) -> None:
        """One object, a line."""
        text, _ = self._printed(Finding("sö\n"), "--json")

        self.assertEqual((text.count("\n"), json.loads(text)["text"]), (1, "pop3 h:110: sö"))

    def test_a_password_that_is_repeated(self) -> None:
        """Not everybody who reads the result may know it; of a short one nothing would be left to read."""
        for options in ("", "--json"):
            text, _ = self._printed(Finding("-ERR secret-word|", State.CRITICAL), options, "secret-word")
            self.assertIn("-ERR ***", text)
            self.assertNotIn("secret-word", text)
            text, _ = self._printed(Finding("so", lines=["secret-word"]), options, "secret-word")
            self.assertNotIn("secret-word", text)
            self.assertIn("***", text)
            text, _ = self._printed(Finding(shown("-ERR s3cret|key is wrong")), options, "s3cret|key")
            self.assertIn("-ERR *** is wrong", text)
        self.assertIn("-ERR no", self._printed(Finding("-ERR no"), password="o")[0])

    def test_too_late(self) -> None:
        """It is the target's fault, once it was asked."""
        run = a_run("pop3 h --timeout 3")
        self.assertEqual(
            (main._too_late(run).state, main._too_late(run).text), (State.CRITICAL, "no answer within 3 s")
        )
        run.steps.current = "begin"
        self.assertEqual(main._too_late(run).state, State.UNKNOWN)


def test_wrong_usage(capfd: pytest.CaptureFixture[str]) -> None:
    """It is UNKNOWN, whatever is typed, and stays in its line."""
    assert main.answer(["tcp", "h:1", "--\x1b[2Jx|\n"]) == 3
    assert capfd.readouterr().out == (
        "UNKNOWN: unrecognized arguments: --\\x1b[2Jx\\x7c\ncmdserver-probe tcp --help says what there is\n"
    )
