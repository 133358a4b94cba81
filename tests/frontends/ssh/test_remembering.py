"""Tests of which lines are remembered."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Command
from cmdserver.frontends.ssh.remembering import Memory, memory_for
from cmdserver.parameters.text_types import Secret
from tests.doubles import with_parameters
from tests.frontends.ssh.doubles import ADA
from tests.parameters.doubles import a_parameter
from tests.running_doubles import Composition, command, user

SET = command("set", **with_parameters(a_parameter("name"), a_parameter("key", Secret())))
DF = command("df", **with_parameters(a_parameter("path", is_required=False)))


class MemoryTests(SynchronousTestCase):
    def remembered(self, memory: Memory, *lines: str, commands: tuple[Command, ...] = (SET, DF)) -> None:
        """Expect lines to be remembered somewhere."""
        dispatcher = Composition(self, *commands).dispatcher
        for line in lines:
            self.assertIs(memory_for(line, dispatcher, ADA), memory, line)

    def test_usual_lines(self) -> None:
        """What may be run, and words, are remembered for all sessions."""
        lines = ("df", "df /", "json df path=/", "start df /", "explain df", "explain", "help set")
        self.remembered(Memory.DISK, *lines)
        self.remembered(
            Memory.DISK,
            "help",
            "runs state=ok",
            "attach 0123456789abcdef",
            "whoami",
            "quit",
            "exit",
            "clear ",
            "?",
            "? df",
        )

    def test_secrets(self) -> None:
        """A line that gives one is remembered nowhere, however it is given and whether it would be accepted."""
        given = (
            "ann hunter2",
            "name=ann key=hunter2",
            "key=hunter2",
            "nmae=hunter2",
            "-- ann hunter2",
            "'ann' 'h x' y",
        )
        self.remembered(Memory.NOWHERE, *(f"set {values}" for values in given))
        self.remembered(Memory.NOWHERE, *(f"{word} set ann hunter2" for word in ("json", "start", "explain")))
        self.remembered(Memory.DISK, "set", "set name=ann")

    def test_what_may_be_a_secret(self) -> None:
        """Where commands take secrets, neither a misspelt name with values nor what cannot be read is remembered."""
        lines = ("ste ann hunter2", "set ann 'hunter2", "json json set ann hunter2", "start", "whoami hunter2")
        self.remembered(Memory.NOWHERE, *lines)
        self.remembered(Memory.SESSION, *lines, commands=(DF,))

    def test_a_password_that_is_typed_as_a_line(self) -> None:
        """What is no command comes to no disk, but can be mended."""
        self.remembered(Memory.SESSION, "hunter2", "json hunter2")

    def test_what_one_may_not_run(self) -> None:
        """It is no command of theirs."""
        dispatcher = Composition(self, command("df")).dispatcher
        self.assertIs(memory_for("df", dispatcher, user("guy")), Memory.SESSION)

    def test_a_blank_before_it(self) -> None:
        """Whoever types one wants it forgotten."""
        self.remembered(Memory.NOWHERE, " df", "\u00a0df")
