"""Tests of one command in a session: its streams, its end, and whoever ends it before that."""

import json
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.model import Caller, Command
from cmdserver.core.output import Answer
from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.common import rendering
from cmdserver.frontends.ssh.channel import Channel
from cmdserver.frontends.ssh.exit_status import STATUS
from cmdserver.frontends.ssh.programs import WAITING_SECONDS
from tests.frontends.ssh.doubles import ADA, CLOSE, Client, Session, pty
from tests.running_doubles import command


class CommandTestCase(SynchronousTestCase):
    def ask(self, line: str = "uptime", *, terminal: bool = False) -> Session:
        """Ask for a command of somebody who has just logged in."""
        self.client = Client(self)
        return self.client.asks(line, terminal=terminal)

    def ends(self, status: int = 0) -> None:
        """Let what runs exit."""
        self.client.composition.spawner.last.ends(status)
        self.client.turn()


class AnswerTests(CommandTestCase):
    def test_streams(self) -> None:
        """Output comes as it is made, standard error apart, and then the exit status."""
        session = self.ask()
        self.client.composition.spawner.last.says(b"one\n", b"oh\n")
        self.assertEqual((session.stdout, session.stderr, session.ending), (b"one\n", b"oh\n", None))

        self.client.composition.spawner.last.says(b"two")
        self.ends(3)

        self.assertEqual((session.stdout, session.stderr, session.ending), (b"one\ntwo", b"oh\n", 3))
        self.assertTrue(session.is_closed)

    def test_nothing_is_added(self) -> None:
        """A program reads the status; no text says it again."""
        session = self.ask()
        self.ends(1)

        self.assertEqual((session.stdout, session.stderr, session.ending), (b"", b"", 1))

    def test_control_sequences(self) -> None:
        """They are made visible, in both streams, however they are cut; raw is raw."""
        for is_raw, seen in ((False, b"^[[31m"), (True, b"\x1b[31m")):
            self.client = Client(self, command(raw=is_raw))
            session = self.client.asks("uptime")
            for part in (b"\x1b[", b"31m"):
                self.client.composition.spawner.last.says(part, part)
            self.ends()
            self.assertEqual((session.stdout, session.stderr), (seen, seen))

    def test_cut_characters(self) -> None:
        """Half a character at the end comes as it is."""
        session = self.ask()
        self.client.composition.spawner.last.says("é".encode()[:1])
        self.ends()

        self.assertEqual(session.stdout, "é".encode()[:1])

    def test_refusals(self) -> None:
        """Each has its text on standard error and its status."""
        cases = {
            "nosuch": Code.UNKNOWN_COMMAND,
            "uptime now": Code.BAD_ARGUMENT,
            "'": Code.MALFORMED,
            "": Code.MALFORMED,
            "login": Code.BAD_ARGUMENT,
            "x" * 9000: Code.MALFORMED,
        }
        for line, code in cases.items():
            session = self.ask(line)
            self.assertEqual((session.stdout, session.ending), (b"", STATUS[code]), line)
            self.assertTrue(session.stderr.startswith(f"cmdserver: {code}: ".encode()), line)
            self.assertEqual(self.client.composition.outcomes, [code])

    def test_denied(self) -> None:
        """Whose roles do not include a command is told so."""
        client = Client(self, caller=Caller(name="guy", protocol="ssh", source="192.0.2.1", method="publickey"))

        self.assertEqual(client.asks("df").ending, 126)

    def test_throttled(self) -> None:
        """Whose allowance is used up is told to come again."""
        client = Client(self, per_minute=1)
        client.asks("help")

        self.assertEqual(client.asks("help", number=8).ending, 75)

    def test_fault(self) -> None:
        """What is our fault is said by its id and nothing else."""
        self.client = Client(self)
        self.client.composition.spawner.trouble = OSError("nothing of this is told")
        session = self.client.asks("uptime")

        self.assertEqual(session.ending, 70)
        self.assertNotIn(b"nothing of this", session.stderr)
        self.flushLoggedErrors(OSError)

    def test_mistakes(self) -> None:
        """What surfaces only when an answer is written is a fault, too; what surfaces after that ends the session."""
        for place, seen in ((rendering, 70), (Channel, 70)):
            client = Client(self)
            session = client.asks("json uptime")
            name = "answer_json_pieces" if place is rendering else "exit"
            failed: list[str] = []
            original = getattr(place, name)

            def fail_once(*words: Any, name: str = name, failed: list[str] = failed, original: Any = original) -> Any:
                if failed:
                    return original(*words)
                failed.append(name)
                message = "a mistake"
                raise LookupError(message)

            with self.subTest(name):
                self.patch(place, name, fail_once)
                client.composition.spawner.last.ends()
                client.turn()
                self.assertEqual((session.ending, len(self.flushLoggedErrors(LookupError))), (seen, 1))
                self.assertEqual(client.connection.active_requests, 0)

    def test_mistakes_about_mistakes(self) -> None:
        """What surfaces while a fault is told ends the session as well, and is not waited for any more."""
        session = self.ask()

        def fail(*_: object) -> None:
            message = "a mistake"
            raise LookupError(message)

        self.patch(self.client.composition.dispatcher, "fault", fail)
        self.patch(rendering, "answer_trailer", fail)
        self.client.composition.clock.advance(30)
        self.client.turn()

        self.assertEqual((session.ending, len(self.flushLoggedErrors(LookupError))), (70, 1))
        self.assertEqual(self.client.connection.active_requests, 0)

    def test_timeout(self) -> None:
        """What ran too long has timeout(1)'s status, and says so on a line of its own."""
        session = self.ask()
        self.client.composition.spawner.last.says(b"", b"half a line")
        self.client.composition.clock.advance(30)
        self.client.turn()

        self.assertEqual(session.ending, 124)
        self.assertEqual(
            session.stderr, b"half a line\ncmdserver: uptime: timeout: ran longer than 30 s and was ended\n"
        )

    def test_truncated(self) -> None:
        """A cut is visible."""
        self.client = Client(self, command(output_limit_bytes=3))
        session = self.client.asks("uptime")
        self.client.composition.spawner.last.says(b"12345")
        self.client.turn()

        self.assertEqual((session.stdout, session.ending), (b"123", "TERM"))
        self.assertEqual(session.stderr, b"cmdserver: uptime: output truncated at 3 bytes\n")

    def test_words(self) -> None:
        """Words of the protocol are answered at once."""
        for line in ("help", "help df", "whoami", "explain df"):
            session = self.ask(line)
            self.assertEqual((session.ending, session.stderr), (0, b""), line)
            self.assertTrue(session.stdout.endswith(b"\n"))
        for line in ("quit", "session"):
            session = self.ask(line)
            self.assertEqual((session.ending, session.stdout), (0, b""), line)

    def test_json(self) -> None:
        """JSON is one line on standard output, of errors too; the status is what it is without."""
        session = self.ask("json uptime")
        self.client.composition.spawner.last.says(b"up\n")
        self.ends(2)
        self.assertEqual((json.loads(session.stdout)["stdout"], session.ending), ("up\n", 2))

        session = self.ask("json nosuch")
        self.assertEqual((json.loads(session.stdout)["error"]["code"], session.ending), ("unknown_command", 127))
        self.assertEqual(json.loads(self.ask("json '").stdout)["error"]["code"], "malformed")

    def test_line_breaks_around_it(self) -> None:
        """Blanks and line breaks around a command mean nothing."""
        session = self.ask(" whoami\r\n")

        self.assertEqual(session.ending, 0)


class ForcedTests(SynchronousTestCase):
    def test_forced(self) -> None:
        """Whose key forces a command gets that, whatever they ask for, and no prompt."""
        caller = Caller(name="ada", protocol="ssh", source="192.0.2.1", method="publickey", forced_words=("df",))
        for request in (b"exec", b"shell"):
            for line in (b"uptime", b"help", b"'", b"x" * 9999):
                client = Client(self, caller=caller)
                session = client.opens()
                details = len(line).to_bytes(4, "big") + line if request == b"exec" else b""
                session.requests(request, details)
                client.composition.spawner.last.ends()
                client.turn()
                self.assertEqual([each.command for each in client.composition.ledger.requests], ["df"])
                self.assertEqual(session.ending, 0)


class EndTests(CommandTestCase):
    def assert_ended(self, by: EndedBy) -> None:
        """The process got SIGTERM, nothing of it is left, and it is written down why."""
        self.client.turn()
        self.assertEqual(self.client.composition.running, 0)
        self.assertIs(self.client.composition.ledger.requests[-1].ended_by, by)

    def test_closing(self) -> None:
        """Who closes the channel wants no answer any more."""
        session = self.ask()
        session.closes()

        self.assert_ended(EndedBy.DISCONNECT)
        self.assertEqual(self.client.kinds()[-1], CLOSE)

    def test_leaving(self) -> None:
        """Who is gone does not either."""
        self.ask()
        self.client.channels.serviceStopped()

        self.assert_ended(EndedBy.DISCONNECT)

    def test_reading_no_more(self) -> None:
        """Who reads no more gets what SIGPIPE gives; that is no wish to end what goes on by itself."""
        session = self.ask()
        session.requests(b"eow@openssh.com", wants_reply=False)

        self.assert_ended(EndedBy.DISCONNECT)
        self.assertEqual(session.ending, "PIPE")

    def test_signals(self) -> None:
        """A signal that is sent is the signal that it ended by."""
        session = self.ask()
        session.requests(b"signal", b"\0\0\0\4TERM")

        self.assert_ended(EndedBy.CALLER)
        self.assertEqual(session.ending, "TERM")

    def test_end_of_input(self) -> None:
        """The end of the client's input ends nothing."""
        session = self.ask()
        session.types("ignored\x03")
        session.ends_input()
        self.ends()

        self.assertEqual(session.ending, 0)

    def test_input_is_let_go(self) -> None:
        """No command reads any input, so it is never what a client waits for."""
        session = self.ask()
        for _ in range(100):
            session.types(b"x" * 32768)

        self.assertGreaterEqual(session.room, 99 * 32768)

    def test_several(self) -> None:
        """Commands of one connection run side by side, and end each by itself."""
        self.client = Client(self)
        sessions = [self.client.asks("uptime", number=number) for number in range(3)]
        processes = self.client.composition.spawner.processes
        sessions[1].closes()
        processes[0].says(b"first")
        processes[2].ends(2)
        self.client.turn()

        self.assertEqual([each.ending for each in sessions], [None, None, 2])
        self.assertEqual(sessions[0].stdout, b"first")


class TerminalTests(CommandTestCase):
    def test_rows(self) -> None:
        """At a terminal both streams are one, and lines end as terminals want it."""
        session = self.ask(terminal=True)
        self.client.composition.spawner.last.says(b"one\n", b"two\n")
        self.ends(3)

        self.assertEqual((session.stdout, session.stderr, session.ending), (b"one\r\ntwo\r\n", b"", 3))

    def test_interrupt(self) -> None:
        """Ctrl-C ends it."""
        session = self.ask(terminal=True)
        session.types("x\x03")
        self.client.turn()

        self.assertEqual((session.ending, self.client.composition.running), ("INT", 0))


class PaceTests(SynchronousTestCase):
    def test_slow_reader(self) -> None:
        """A process is paused when its client has no room, and goes on when it has; nothing is lost."""
        client = Client(self)
        session = client.asks("uptime", window=100)
        process = client.composition.spawner.last
        process.says(b"x" * 150)
        self.assertTrue(process.is_paused)
        self.assertEqual(len(session.stdout), 100)

        session.widens(50)
        client.turn()
        self.assertFalse(process.is_paused)
        process.ends()
        client.turn()

        self.assertEqual((len(session.stdout), session.ending), (150, 0))

    def test_json_is_made_as_it_is_taken(self) -> None:
        """Of a long answer as JSON no more is made than its client has room for, and it arrives whole."""
        made: list[int] = []
        pieces_of = rendering.answer_json_pieces

        def pieces(answer: Answer) -> Iterator[bytes]:
            for piece in pieces_of(answer):
                made.append(len(piece))
                yield piece

        self.patch(rendering, "answer_json_pieces", pieces)
        client = Client(self)
        session = client.asks("json uptime", window=1000)
        client.composition.spawner.last.says(b"\0" * 200_000)
        client.composition.spawner.last.ends()
        client.turn()
        self.assertEqual(len(session.stdout), 1000)
        self.assertLess(sum(made), 7 * 2 * rendering.PIECE_BYTES)

        while session.ending is None:
            session.widens(100_000)
        self.assertEqual(json.loads(session.stdout)["stdout"], "\0" * 200_000)

    def test_a_connection_that_is_full(self) -> None:
        """All processes of a connection are paused while it is full."""
        client = Client(self)
        sessions = [client.asks("uptime", number=number) for number in range(2)]
        client.connection.isOutputHeld = True
        client.channels.hold()
        self.assertTrue(all(process.is_paused for process in client.composition.spawner.processes))

        client.connection.isOutputHeld = False
        client.channels.proceed()
        for process in client.composition.spawner.processes:
            process.says(b"x")
        client.turn()

        self.assertEqual([each.stdout for each in sessions], [b"x", b"x"])

    def test_who_is_waited_for(self) -> None:
        """The connection is told when a request begins and when it has ended."""
        client = Client(self)
        client.asks("uptime")
        self.assertEqual(client.connection.active_requests, 1)
        client.composition.spawner.last.ends()
        client.turn()

        self.assertEqual(client.connection.active_requests, 0)
        client.asks("help", number=8)
        self.assertEqual(client.connection.active_requests, 0)

    def test_stopping(self) -> None:
        """What runs goes on to its end; then there is nothing left, and nothing new."""
        client = Client(self)
        session = client.asks("uptime")
        idle = client.opens(number=8)
        client.channels.close_when_idle()
        self.assertTrue(idle.is_closed)
        self.assertFalse(client.channels.is_empty)
        self.assertFalse(client.opens(number=9).is_open)

        client.composition.spawner.last.ends()
        client.turn()
        self.assertEqual(session.ending, 0)
        self.assertFalse(client.channels.is_empty)
        for each in (session, idle):
            each.closes()
        self.assertTrue(client.channels.is_empty)

    def test_no_terminal_is_needed(self) -> None:
        """A terminal that was asked for after all is refused while a command runs."""
        self.assertIs(Client(self).asks("uptime").requests(b"pty-req", pty()), False)
        self.assertEqual(ADA.permits_pty, True)


class WaitingTests(SynchronousTestCase):
    """What a person is told while nothing happens."""

    def wait(self, *commands: Command, terminal: bool = False, name: str = "uptime", **how: Any) -> Session:
        """Ask for what has to wait for another run."""
        self.client = Client(self, *(commands or (command(max_running=1),)), **how)
        self.client.asks("uptime")
        return self.client.asks(name, terminal=terminal, number=8)

    def passes(self, seconds: float = WAITING_SECONDS) -> None:
        """Let time pass."""
        self.client.composition.clock.advance(seconds)

    def is_timed(self) -> bool:
        """Whether there is a timer for that."""
        return any("_tell_why" in str(each) for each in self.client.composition.clock.getDelayedCalls())

    def test_for_a_run(self) -> None:
        """After a moment standard error says what it waits for, once."""
        session = self.wait()
        self.assertTrue(self.is_timed())
        self.passes(WAITING_SECONDS * 0.9)
        self.assertEqual(session.stderr, b"")
        self.passes(WAITING_SECONDS * 9)

        self.assertRegex(
            session.stderr, rb"\AWaiting: you have been running this since [0-9:]+ UTC \(attach [0-9a-f]{16}\)\n\Z"
        )

    def test_at_a_terminal(self) -> None:
        """There it is the same line."""
        session = self.wait(terminal=True)
        self.passes()

        self.assertRegex(session.stdout, rb"\AWaiting: you [^\n]*\r\n\Z")

    def test_for_its_turn(self) -> None:
        """The host is busy with something else."""
        session = self.wait(command(), command("df"), name="df", running=1)
        self.passes()

        self.assertEqual(session.stderr, b"Waiting for its turn.\n")

    def test_to_watch_what_waits(self) -> None:
        """Who attaches to it is told as well."""
        self.wait()
        waits = next(iter(self.client.composition.directory)).id
        session = self.client.asks(f"attach {waits}", number=9)
        self.passes()

        self.assertIn(b"Waiting: you have", session.stderr)

    def test_what_has_begun(self) -> None:
        """It speaks for itself."""
        session = self.wait()
        self.client.composition.spawner.last.ends()
        self.client.turn()
        self.passes()

        self.assertEqual(session.stderr, b"")

    def test_what_is_over(self) -> None:
        """No timer outlives its request."""
        for name in ("uptime", "json uptime"):
            session = self.wait(name=name)
            self.assertEqual(self.is_timed(), name == "uptime")
            session.requests(b"signal", b"\0\0\0\3INT")
            self.client.turn()
            self.assertFalse(self.is_timed())

    def test_json(self) -> None:
        """Programs are told nothing."""
        session = self.wait(name="json uptime")
        self.passes()

        self.assertEqual((session.stdout, session.stderr), (b"", b""))

    def test_what_starts_at_once(self) -> None:
        """It has no timer."""
        self.client = Client(self)
        self.client.asks("uptime")
        self.assertFalse(self.is_timed())

    def test_after_a_question(self) -> None:
        """Whoever was asked whether they mean it is told as well."""
        client = self.client = Client(self, command(max_running=1, confirm=("Really?",)))
        client.asks("uptime")
        session = client.opens(number=8)
        session.requests(b"pty-req", pty())
        session.requests(b"shell")
        session.types("uptime\ry\r")
        client.turn()
        self.passes()

        self.assertRegex(session.stdout, rb"\r\nWaiting: you have [^\n]*\r\n\Z")


class ColourTests(SynchronousTestCase):
    """What a terminal is told as it is."""

    def says(self, output: bytes, *, terminal: bool, colours: bool = True) -> Session:
        """Let a command say something."""
        self.client = Client(self, command(colours=colours))
        session = self.client.asks("uptime", terminal=terminal)
        self.client.composition.spawner.last.says(output)
        return session

    def test_at_a_terminal(self) -> None:
        """Colours and progress."""
        self.assertEqual(self.says(b"\x1b[31m10%\r\x1b[2J", terminal=True).stdout, b"\x1b[31m10%\r^[[2J")
        self.assertEqual(self.says(b"\x1b[31m10%\r", terminal=True, colours=False).stdout, b"^[[31m10%\r")

    def test_without_a_terminal(self) -> None:
        """Colours, and no progress."""
        self.assertEqual(self.says(b"\x1b[31m10%\rx", terminal=False).stdout, b"\x1b[31m10%^Mx")

    def test_who_interrupts(self) -> None:
        """Their terminal has its colours again."""
        session = self.says(b"\x1b[31mred", terminal=True)
        session.types(b"\x03")
        self.client.turn()

        self.assertEqual(session.stdout, b"\x1b[31mred\x1b[0m")

    def test_the_prompt_after_colours(self) -> None:
        """It begins a row, and no row is left empty."""
        client = self.client = Client(self, command(colours=True))
        session = client.opens()
        session.requests(b"pty-req", pty())
        session.requests(b"shell")
        for output, shown in ((b"\x1b[1mup\n\x1b[0m", b"up\r\n\x1b[0mada"), (b"\x1b[1mup\n", b"up\r\n\x1b[0mada")):
            session.types("uptime\r")
            client.composition.spawner.last.says(output)
            client.composition.spawner.last.ends()
            client.turn()
            self.assertIn(shown, session.stdout[-40:])
