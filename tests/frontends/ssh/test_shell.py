"""Tests of sessions at a terminal: what a person sees, and what Ctrl-C, Ctrl-D and Tab do there."""

from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.run_states import EndedBy
from cmdserver.core.site import Site
from cmdserver.frontends.ssh.channel import PACKET_BYTES
from cmdserver.frontends.ssh.greeting import GREETING
from cmdserver.frontends.ssh.prompt_words import PromptWord
from cmdserver.frontends.ssh.shell import CONFIRM_SECONDS
from cmdserver.frontends.ssh.terminal.terminal import KEYS_IN_A_ROW
from cmdserver.parameters.template import Place
from cmdserver.parameters.text_types import Choice, Secret
from cmdserver.sshtransport.encoding import string, uint32
from tests.doubles import with_parameters
from tests.frontends.ssh.doubles import ADA, Client, MemoryLines, Session, pty
from tests.parameters.doubles import a_parameter
from tests.running_doubles import command

PROMPT = "ada@shop1> "
GREETED = f"{GREETING}\r\n{PROMPT}".encode()


class ShellTestCase(SynchronousTestCase):
    def begin(self, *commands: Any, columns: int = 80, window: int = 1 << 20, **how: Any) -> Session:
        """Log in at a terminal."""
        self.client = Client(self, *commands, **how)
        self.session = self.client.opens(window=window)
        self.session.requests(b"pty-req", pty(columns))
        self.assertTrue(self.session.requests(b"shell"))
        self.assertEqual(self.session.stdout[: len(GREETED)], GREETED[:window])
        return self.session

    def ends(self, status: int = 0) -> None:
        """Let what runs exit."""
        self.client.composition.spawner.last.ends(status)
        self.client.turn()

    @property
    def shown(self) -> bytes:
        """What came after the first prompt."""
        return self.session.stdout[len(GREETED) :]

    @property
    def asked(self) -> list[str | None]:
        """The commands that were asked for, as written down."""
        return [event.command for event in self.client.composition.ledger.requests]


class ShellTests(ShellTestCase):
    def test_a_line(self) -> None:
        """What is typed is shown; its answer follows as it comes, and then the next prompt."""
        session = self.begin()
        session.types("uptime")
        session.types("\r")
        self.client.composition.spawner.last.says(b"up\n")
        self.assertEqual(self.shown, b"uptime\r\nup\r\n")
        self.client.composition.spawner.last.says(b"", b"oh")
        self.ends(1)

        self.assertEqual(self.shown, b"uptime\r\nup\r\noh\r\ncmdserver: uptime: exit status 1\r\n" + PROMPT.encode())
        self.assertEqual((session.stderr, session.ending), (b"", None))

    def test_refusals(self) -> None:
        """What is wrong is said, and it goes on."""
        session = self.begin()
        session.types("nosuch\rlogin\r'\r")
        for _ in range(5):
            self.client.turn()

        for code in (b"unknown_command", b"bad_argument", b"malformed"):
            self.assertIn(b"\r\ncmdserver: " + code + b": ", self.shown)
        self.assertTrue(self.shown.endswith(PROMPT.encode()))

    def test_blank_lines(self) -> None:
        """They mean nothing."""
        session = self.begin()
        session.types("\r   \r")
        self.client.turn()

        self.assertEqual(self.shown.count(PROMPT.encode()), 2)
        self.assertEqual(self.asked, [])

    def test_leaving(self) -> None:
        """Ctrl-D and `quit` leave, and that is a success, whatever was asked before."""
        for farewell in ("\x04", "quit\r"):
            session = self.begin()
            session.types("nosuch\r")
            self.client.turn()
            session.types(farewell)

            self.assertEqual((session.ending, session.is_closed), (0, True))

    def test_input_that_ends(self) -> None:
        """When no more can be typed, what was typed is answered, and that was it."""
        session = self.begin()
        session.types("uptime")
        session.ends_input()
        self.ends()
        self.client.turn()

        self.assertEqual((session.ending, self.asked), (0, ["uptime"]))

    def test_control_sequences(self) -> None:
        """What a command prints acts on no terminal, unless it says raw."""
        for is_raw, seen in ((False, b"^[[2J\r\n"), (True, b"\x1b[2J\r\n")):
            session = self.begin(command(raw=is_raw))
            session.types("uptime\r")
            self.client.composition.spawner.last.says(b"\x1b[2J\n")
            self.ends()
            self.assertIn(seen, self.shown)

    def test_output_without_a_line_break(self) -> None:
        """The prompt begins a row."""
        session = self.begin()
        session.types("uptime\r")
        self.client.composition.spawner.last.says(b"up")
        self.ends()

        self.assertTrue(self.shown.endswith(b"up\r\n" + PROMPT.encode()))

    def test_window(self) -> None:
        """The width of the window counts, and its changes."""
        session = self.begin(columns=20)
        session.types("x" * 9)
        self.assertTrue(self.shown.endswith(b"\r\n"))
        session.requests(b"window-change", uint32(40) + uint32(24) * 3, wants_reply=False)
        before = len(self.shown)
        session.types("yz")
        self.assertEqual(self.shown[before:], b"yz")

    def test_json(self) -> None:
        """JSON is for people who want it."""
        session = self.begin()
        session.types("json whoami\r")

        self.assertIn(b'{"name": "ada"', self.shown)


class GreetingTests(ShellTestCase):
    """Which host this is."""

    def greet(self, *, terminal: bytes = b"xterm", user: str = "ann") -> bytes:
        """Return what is seen first at a host with a label and a notice."""
        self.client = Client(self, caller=replace(ADA, name=user))
        self.client.site = Site(name="shop1", label="production", colour="#b3261e", notice="Mind the step.")
        session = self.client.opens()
        session.requests(b"pty-req", pty(name=terminal))
        session.requests(b"shell")
        return session.stdout

    def test_label_and_notice(self) -> None:
        """Both are said before the first prompt, the label in its colour."""
        self.assertEqual(
            self.greet(),
            b"shop1 \x1b[1;7;31m[production]\x1b[0m\r\nMind the step.\r\n" + GREETING.encode() + b"\r\nann@shop1> ",
        )

    def test_a_terminal_without_colours(self) -> None:
        """A dumb one gets text."""
        self.assertTrue(self.greet(terminal=b"dumb").startswith(b"shop1 [production]\r\n"))

    def test_another_name(self) -> None:
        """A reload is seen at the next prompt."""
        session = self.begin()
        self.client.site = Site(name="shop2")
        session.types("\r")

        self.assertEqual(self.shown, b"\r\nada@shop2> ")


class EarlierLinesTests(ShellTestCase):
    """What was typed in other sessions, and what comes to be typed in them."""

    def test_it_is_kept(self) -> None:
        """The next session has it; another user's has not."""
        lines = MemoryLines()
        lines.add("guy", "dmesg")
        self.begin(line_history=lines).types("whoami\r")
        session = self.begin(line_history=lines)
        session.types("\x1b[A")
        self.assertEqual(self.shown, b"whoami")
        session.types("\x1b[A")
        self.assertEqual(self.shown, b"whoami\a")

    def test_what_is_not_kept(self) -> None:
        """Answers, secrets and what is no command; the last can be mended in this session."""
        take = command("take", confirm=("Really?",), **with_parameters(a_parameter("key", Secret())))
        lines = MemoryLines()
        session = self.begin(take, line_history=lines)
        for line in ("hunter2", "take hunter2", "n", "whoami", "whoami", " whoami"):
            session.types(f"{line}\r")
            self.client.turn()
        self.assertEqual(lines.kept, {"ada": ["whoami"]})
        length = len(self.shown)
        session.types("history\r")
        self.assertEqual(self.shown[length:].splitlines()[1:-1], [b"1  hunter2", b"2  whoami", b"3  history"])


class PromptWordTests(ShellTestCase):
    """What fingers know from shells."""

    def test_leaving(self) -> None:
        """`exit` and `logout` do what `quit` does."""
        for word in ("exit", "logout", " exit "):
            session = self.begin()
            session.types(f"{word}\r")
            self.assertEqual((session.ending, session.is_closed, self.asked), (0, True, []))

    def test_clearing(self) -> None:
        """`clear` does what Ctrl-L does."""
        self.begin().types("clear\r")

        self.assertEqual(self.shown, b"clear\r\n\x1b[H\x1b[2J" + PROMPT.encode())

    def test_history(self) -> None:
        """The lines of the session, numbered; blank lines and repetitions are none."""
        session = self.begin()
        for line in ("whoami", " ", "whoami", "history"):
            session.types(f"{line}\r")
            self.client.turn()

        self.assertTrue(self.shown.endswith(b"history\r\n1  whoami\r\n2  history\r\n" + PROMPT.encode()), self.shown)
        self.assertEqual(self.asked, ["whoami", "whoami"])

    def test_help(self) -> None:
        """`?` is `help`, which names these words as well, and says what they are for."""
        self.begin(command(), command("restart", read_only=False)).types("?\r")
        self.assertIn(b"\r\n  restart  changes  ", self.shown)
        self.assertIn(b"quit\r\n  history  clear", self.shown)
        self.begin().types("? clear\r")
        self.assertIn(b"usage: clear\r\n", self.shown)

    def test_commands_of_such_names(self) -> None:
        """They are what is meant, and help says so."""
        session = self.begin(command("clear"), command("exit"))
        session.types("help\r")
        self.assertNotIn(b"logout  clear", self.shown)
        self.assertNotIn(b"history  clear", self.shown)
        for name in ("clear", "exit"):
            session.types(f"{name}\r")
            self.ends()
        self.assertEqual(self.asked, ["help", "clear", "exit"])
        self.assertIsNone(session.ending)

    def test_the_width_of_the_window(self) -> None:
        """Help has no longer rows, also after it was resized."""
        session = self.begin(command(help="x" * 200), columns=50)
        session.types("help\r")
        self.assertIn("x\u2026\r\n".encode(), self.shown)
        session.requests(b"window-change", uint32(300) + uint32(24) * 3, wants_reply=False)
        session.types("help\r")
        self.assertIn(b"x" * 200, self.shown)

    def test_elsewhere_they_mean_nothing(self) -> None:
        """`ssh HOST exit` is a command that there is not."""
        self.client = Client(self)
        for word in (*PromptWord, "?"):
            session = self.client.asks(word)
            self.client.turn()
            self.assertEqual(session.ending, 127, word)


class CompletionTests(ShellTestCase):
    def shown_for(self, typed: str) -> bytes:
        """Type, and look."""
        self.begin(command("uptime"), command("df"), command("dmesg")).types(typed)
        return self.shown

    def test_names_and_words(self) -> None:
        """First comes what may be run, or a word."""
        self.assertEqual(self.shown_for("up\t"), b"uptime ")
        self.assertEqual(self.shown_for("exp\t"), b"explain ")
        self.assertEqual(self.shown_for("hi\t"), b"history ")
        self.assertEqual(self.shown_for("  he\t"), b"  help ")

    def test_after_words(self) -> None:
        """After `help` and `explain` come names, after `json` all of it again, after a name nothing."""
        self.assertEqual(self.shown_for("help dm\t"), b"help dmesg ")
        self.assertEqual(self.shown_for("explain wh\t"), b"explain wh")
        self.assertEqual(self.shown_for("json ex\t"), b"json explain ")
        self.assertEqual(self.shown_for("json help dm\t"), b"json help dmesg ")
        self.assertEqual(self.shown_for("df u\t"), b"df u")
        self.assertEqual(self.shown_for("help df u\t"), b"help df u")

    def test_it_is_no_request(self) -> None:
        """To complete is not to ask: nothing is written down."""
        self.shown_for("d\t\t")

        self.assertEqual(self.asked, [])


class ValuesTests(ShellTestCase):
    """Commands that take values: their choices, and the question before they run."""

    def begin_with(self, **how: Any) -> Session:
        """Log in where a command is asked about, and another prints the choices for it."""
        unit = a_parameter("unit", Choice(source="units"))
        pick = command("pick", confirm=("Pick ", Place("unit"), "?"), **with_parameters(unit))
        return self.begin(pick, command("units"), **how)

    def lists(self, printed: bytes = b"a.service\nb.service\n", status: int = 0) -> None:
        """Print the choices."""
        self.client.composition.spawner.last.says(printed)
        self.ends(status)

    def test_choices_that_a_command_prints(self) -> None:
        """Tab has them listed, and completes when they are; Tab once more shows those of this line."""
        session = self.begin_with()
        session.types("pick \t")
        self.assertEqual(len(self.client.composition.spawner.processes), 1)
        self.lists()
        session.types("\t")
        self.client.turn()
        self.assertIn(b"a.service  b.service  unit=", self.shown)
        session.types("a\t")

        self.assertTrue(self.shown.endswith(b"pick a.service "), self.shown)
        self.assertEqual(len(self.client.composition.spawner.processes), 1)

    def test_a_list_for_each_line(self) -> None:
        """The next line has a list of its own."""
        session = self.begin_with()
        session.types("pick \t")
        self.lists()
        session.types("\x03pick \t")
        self.client.turn()

        self.assertEqual(len(self.client.composition.spawner.processes), 2)

    def test_no_choices(self) -> None:
        """Why there are none is said, and the line is there again."""
        session = self.begin_with()
        session.types("pick a\t")
        self.lists(status=1)

        self.assertRegex(self.shown, rb"\r\ncmdserver: fault: [^\r]*\r\nada@shop1> pick a\Z")
        self.flushLoggedErrors()

    def test_to_give_up_waiting_for_choices(self) -> None:
        """Ctrl-C does."""
        session = self.begin_with()
        session.types("pick a\t")
        session.types("\x03")
        self.client.turn()

        self.assertEqual(self.client.composition.running, 0)
        self.assertTrue(self.shown.endswith(PROMPT.encode()))

    def ask(self, answer: str, line: str = "pick a.service") -> bytes:
        """Ask for the command, answer the question; return what was shown since."""
        session = self.begin_with()
        session.types(f"{line}\r")
        self.assertEqual(self.client.composition.spawner.processes, [])
        self.assertTrue(self.shown.endswith(b"Pick a.service?\r\n[y/N] "), self.shown)
        length = len(self.shown)
        session.types(answer)
        self.client.turn()
        return self.shown[length:]

    def test_yes(self) -> None:
        """It runs, after its choices were looked at."""
        for answer in ("y\r", "yes\r", "YES \r"):
            self.ask(answer)
            self.lists()
            self.assertEqual(self.client.composition.spawner.last.argv[-1], "unit=a.service")

    def test_everything_else_is_no(self) -> None:
        """Nothing runs, which is said and written down, and the next line is asked for."""
        for answer in ("\r", "n\r", "yess\r", "\x03", "\x04", "\t\r"):
            shown = self.ask(answer)
            self.assertTrue(shown.endswith(b"Not run.\r\n" + PROMPT.encode()), (answer, shown))
            self.assertEqual(self.client.composition.spawner.processes, [])
            self.assertEqual(self.asked, ["pick"])
            self.assertIs(self.client.composition.ledger.requests[-1].ended_by, EndedBy.CALLER)

    def test_nothing_is_no_as_well(self) -> None:
        """Who says nothing for a minute is not waited for any longer."""
        self.ask("")
        self.client.composition.clock.advance(CONFIRM_SECONDS)
        self.client.turn()

        self.assertTrue(self.shown.endswith(b"Not run.\r\n" + PROMPT.encode()), self.shown)

    def test_json_is_asked_for_too(self) -> None:
        """It is a person who types it."""
        self.ask("n\r", "json pick a.service")

    def test_who_hangs_up_instead(self) -> None:
        """It is not run."""
        self.ask("")
        self.session.closes()
        self.client.turn()

        self.assertEqual(self.client.composition.spawner.processes, [])
        self.assertIs(self.client.composition.ledger.requests[-1].ended_by, EndedBy.DISCONNECT)

    def test_bad_values(self) -> None:
        """They are refused without a question."""
        session = self.begin_with()
        session.types("pick -x\r")
        self.client.turn()

        self.assertIn(b"cmdserver: bad_argument: unit must be", self.shown)
        self.assertNotIn(b"[y/N]", self.shown)

    def test_who_starts_it_is_asked_too(self) -> None:
        """It goes on without them, so they had better mean it."""
        session = self.begin(command("pick", confirm=("Really?",)))
        session.types("start pick\r")
        self.assertIn(b"[y/N]", self.shown)
        self.assertEqual(self.client.composition.spawner.processes, [])

        session.types("n\r")
        self.client.turn()
        self.assertEqual(self.client.composition.spawner.processes, [])
        session.types("start pick\ry\r")
        self.client.turn()
        self.assertEqual(len(self.client.composition.spawner.processes), 1)

    def test_programs_are_not_asked(self) -> None:
        """``ssh HOST pick a.service`` runs it."""
        self.client = Client(self, command("pick", confirm=("Really?",)))
        session = self.client.opens()
        session.requests(b"exec", string(b"pick"))
        self.client.turn()

        self.assertEqual(len(self.client.composition.spawner.processes), 1)


class InterruptTests(ShellTestCase):
    def test_what_runs(self) -> None:
        """Ctrl-C ends the command and gives the prompt back."""
        session = self.begin()
        session.types("uptime\r")
        self.client.composition.spawner.last.says(b"up")
        session.types("\x03")
        self.client.turn()

        self.assertEqual(self.client.composition.running, 0)
        self.assertEqual(self.shown, b"uptime\r\nup^C\r\n" + PROMPT.encode())
        self.assertIs(self.client.composition.ledger.requests[-1].ended_by, EndedBy.CALLER)

    def test_what_is_typed(self) -> None:
        """Where nothing runs it forgets the line."""
        self.begin().types("upt\x03")

        self.assertEqual(self.shown, b"upt^C\r\n" + PROMPT.encode())

    def test_what_is_typed_ahead(self) -> None:
        """What was typed before it is forgotten, what comes after it is not."""
        session = self.begin()
        session.types("uptime\rdf\r\x03whoami\r")
        self.client.turn()

        self.assertEqual(self.asked, ["uptime", "whoami"])

    def test_signals(self) -> None:
        """INT is Ctrl-C; any other hangs up."""
        session = self.begin()
        session.types("uptime\r")
        session.requests(b"signal", b"\0\0\0\3INT")
        self.client.turn()
        self.assertEqual((self.client.composition.running, session.ending), (0, None))
        session.requests(b"signal", b"\0\0\0\3INT")
        session.requests(b"signal", b"\0\0\0\3HUP")

        self.assertEqual(session.ending, "HUP")


class AheadTests(ShellTestCase):
    def test_typing_ahead(self) -> None:
        """What is typed while a command runs is shown and taken when it has ended."""
        session = self.begin()
        session.types("uptime\r")
        session.types("df\rwho")
        self.assertEqual(self.shown, b"uptime\r\n")
        self.ends()
        self.assertEqual(self.asked, ["uptime"])
        self.ends()
        self.client.turn()

        self.assertEqual(self.asked, ["uptime", "df"])
        self.assertTrue(self.shown.endswith(PROMPT.encode() + b"who"))

    def test_a_flood(self) -> None:
        """What is typed ahead is bounded: then the network waits; Ctrl-C is still heard."""
        session = self.begin()
        session.types("uptime\r")
        session.types(b"x" * PACKET_BYTES)
        session.types(b"x" * (PACKET_BYTES - 10))
        self.assertEqual(session.room, 0)
        session.types("\x03")
        self.client.turn()

        self.assertEqual(self.client.composition.running, 0)
        self.assertGreater(session.room, PACKET_BYTES)

    def test_turns(self) -> None:
        """Many keys are looked at a few at a time."""
        session = self.begin()
        session.types(b"\x7f" * KEYS_IN_A_ROW * 3)
        self.assertEqual(self.shown.count(b"\a"), KEYS_IN_A_ROW)
        for _ in range(3):
            self.client.turn()

        self.assertEqual(self.shown.count(b"\a"), 3 * KEYS_IN_A_ROW)

    def test_a_slow_reader(self) -> None:
        """No line is taken while output waits to be sent."""
        session = self.begin(window=len(GREETED) + 8)
        session.types("whoami\rwhoami\r")
        self.client.turn()
        self.assertEqual(self.asked, ["whoami"])
        session.widens(1000)
        self.client.turn()

        self.assertEqual(self.asked, ["whoami", "whoami"])

    def test_closing(self) -> None:
        """Who closes the channel has nothing answered any more."""
        session = self.begin()
        session.types("uptime\rdf\r")
        session.closes()
        for _ in range(3):
            self.client.turn()

        self.assertEqual(self.asked, ["uptime"])

    def test_closing_while_keys_wait(self) -> None:
        """The same for keys whose turn has not come."""
        session = self.begin()
        session.types(b"\x7f" * KEYS_IN_A_ROW + b"uptime\r")
        session.closes()
        for _ in range(3):
            self.client.turn()

        self.assertEqual(self.asked, [])


class StoppingTests(ShellTestCase):
    def test_idle(self) -> None:
        """A person is told why it ends."""
        session = self.begin()
        self.client.channels.expire("cmdserver: nothing was asked within 300 s")

        self.assertEqual(self.shown, b"\r\ncmdserver: nothing was asked within 300 s\r\n")
        self.assertEqual(session.ending, 0)

    def test_the_daemon_stops(self) -> None:
        """What runs goes on to its end, and the rest is not taken up."""
        session = self.begin()
        session.types("uptime\rdf\r")
        self.client.channels.close_when_idle()
        self.assertIsNone(session.ending)
        self.ends()

        self.assertTrue(self.shown.endswith(b"\r\ncmdserver: the daemon is stopping\r\n"))
        self.assertEqual((session.ending, self.asked), (0, ["uptime"]))

    def test_the_daemon_stops_at_a_prompt(self) -> None:
        """Where nothing runs it ends at once."""
        session = self.begin()
        self.client.channels.close_when_idle()

        self.assertEqual((session.ending, session.is_closed), (0, True))
