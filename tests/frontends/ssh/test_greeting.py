"""Tests of what a person sees before they type."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.site import NAMED_COLOURS, Site
from cmdserver.frontends.ssh.greeting import GREETING, greeting, prompt


class GreetingTests(SynchronousTestCase):
    def label(self, colour: str) -> bytes:
        """Draw a label."""
        return greeting(Site(name="h", label="l", colour=colour), has_colours=True).splitlines()[0]

    def test_nothing_to_say(self) -> None:
        """Without a label and a notice it is one line."""
        self.assertEqual(greeting(Site(name="shop1"), has_colours=True), f"{GREETING}\n".encode())

    def test_colours(self) -> None:
        """The nearest of those that every terminal has; greys have none."""
        wanted = {"red": 31, "orange": 33, "green": 32, "blue": 34, "violet": 35}
        for name, number in wanted.items():
            self.assertEqual(self.label(NAMED_COLOURS[name]), b"h \x1b[1;7;%dm[l]\x1b[0m" % number, name)
        self.assertEqual(self.label("#00b0b0"), b"h \x1b[1;7;36m[l]\x1b[0m")
        self.assertEqual(self.label("#ff0010"), b"h \x1b[1;7;31m[l]\x1b[0m")
        for grey in (NAMED_COLOURS["grey"], "#000000", "#ffffff"):
            self.assertEqual(self.label(grey), b"h \x1b[1;7m[l]\x1b[0m")

    def test_what_is_not_printable(self) -> None:
        """No name acts on the terminal, however it came into the configuration."""
        site = Site(name="\x1b[2J", label="\x9b2J", notice="a\rb\ud800")
        shown = greeting(site, has_colours=False) + prompt("a\nb", "\x07").encode()

        self.assertEqual(shown.count(b"\n"), 3)
        for control in (b"\x1b", b"\r", b"\x07", "\x9b".encode()):
            self.assertNotIn(control, shown)

    def test_prompt(self) -> None:
        """As shells have it."""
        self.assertEqual(prompt("ann", "shop1"), "ann@shop1> ")
