"""Tests of what runs, as pages draw it."""

from unittest import TestCase

from cmdserver.frontends.web.pages.forms.what_runs import command_line, standard_input
from cmdserver.frontends.web.pages.markup import Markup
from tests.frontends.web.reading import Read
from tests.frontends.web.samples import EVERY, JOURNAL, SETPW, UNIT, taking
from tests.running_doubles import command


def seen(markup: Markup | None) -> str:
    """Read what is not hidden, with values between asterisks."""
    read = Seen(markup or "")
    return " ".join(read.shown.split())


class Seen(Read):
    """What somebody sees."""

    def __init__(self, page: str) -> None:
        self.open: list[bool] = []
        self.shown = ""
        super().__init__(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append("hidden" in dict(attrs))
        self._mark(tag)
        if "quoted" in (dict(attrs).get("class") or ""):
            self.shown += "'"

    def handle_endtag(self, tag: str) -> None:
        self._mark(tag)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.open):
            self.shown += data

    def _mark(self, tag: str) -> None:
        if tag == "b" and not any(self.open):
            self.shown += "*"


class CommandLineTests(TestCase):
    def test_values_are_in_their_places(self) -> None:
        """What has no value is left out with its option; a flag gives its words."""
        values = {"unit": ["nginx"], "lines": ["5"]}
        self.assertEqual(seen(command_line(JOURNAL, values)), "journal --unit=*nginx* --lines=*5*")
        whole = values | {"utc": ["true"], "grep": ["a b"]}
        self.assertEqual(seen(command_line(JOURNAL, whole)), "journal --unit=*nginx* --lines=*5* --grep '*a b* *--utc*")

    def test_what_is_not_known(self) -> None:
        """The label of what must be given stands in its place."""
        self.assertEqual(seen(command_line(JOURNAL, {})), "journal --unit=*Service*")
        self.assertEqual(seen(command_line(EVERY, {})), "every *Hosts*")

    def test_several_values(self) -> None:
        """Each is a word; what the script needs to follow is there."""
        drawn = command_line(EVERY, {"hosts": ["a", "b"], "loud": ["true"], "wait": ["90"]})
        self.assertEqual(seen(drawn), "every *a* *b* *90* *-v*")
        places = [(each.get("data-each"), each.get("data-flag")) for each in Read(drawn).all("span")]
        self.assertLess({("hosts", None), ("wait", None), (None, "loud")}, set(places))

    def test_secrets(self) -> None:
        """They are dots, in the environment and on standard input, whatever is known."""
        values = {"user": ["ann"], "password": ["hunter2"]}
        self.assertEqual(seen(command_line(SETPW, values)), "PW=*••••* setpw *ann*")
        self.assertEqual(seen(standard_input(SETPW, values)), "*••••*")

    def test_what_the_administrator_has_written(self) -> None:
        """Beside values it may be secret in the environment and on standard input, and is not shown."""
        url = taking("x", ["{a}"], UNIT, stdin="key=K {unit}", variables={"URL": "db://admin:K@h/{unit}"})
        drawn = f"{seen(command_line(url, {'unit': ['nginx']}))} {seen(standard_input(url, {'unit': ['nginx']}))}"

        self.assertNotIn("K", drawn)
        self.assertIn("URL=…*nginx*", drawn)

    def test_standard_input(self) -> None:
        """A text of several lines is called by its label; where there is nothing to read nothing is said."""
        self.assertEqual(seen(standard_input(EVERY, {"note": ["one\ntwo\n"]})), "*Note*")
        self.assertIsNone(standard_input(JOURNAL, {}))
        self.assertIsNone(standard_input(command(), {}))

    def test_without_parameters(self) -> None:
        """It is what the configuration says; braces are braces."""
        self.assertEqual(seen(command_line(command(run=("echo", "{x} y")), {})), "echo '{x} y")
