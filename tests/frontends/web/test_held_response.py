"""Tests of answers that are sent while their command runs, and of those that are held back."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.common.held_stderr import HELD_BYTES
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES
from cmdserver.frontends.web.runs.run_page import PATIENCE_SECONDS
from tests.frontends.web.doubles import WebComposition
from tests.frontends.web.reading import Read
from tests.running_doubles import command

PAGE = "text/html"


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df", share=True))

    def test_a_quick_failure_has_its_status(self) -> None:
        """A command that is over before anybody is impatient has a page with the right status."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        self.composition.process.says(b"half\n", b"why\n")
        self.composition.process.ends(3)

        self.assertEqual((client.response.status, client.response["cmdserver-exit-status"]), (502, "3"))
        self.assertIn("half", client.response.text)
        self.assertIn("why", client.response.text)

    def test_a_slow_command_is_shown_while_it_runs(self) -> None:
        """After a while the page begins, and grows; how it ended is told at its end."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        self.composition.process.says(b"first\n")
        self.assertEqual(client.responses, [])
        self.composition.clock.advance(PATIENCE_SECONDS)
        self.assertEqual(client.response.status, 200)
        self.assertIn("first", client.response.text)
        self.composition.process.says(b"sec\x1b[1mond\n")
        self.assertIn("sec^[[1mond", client.response.text)
        self.assertFalse(client.response.is_whole)

        self.composition.process.ends(3)

        self.assertTrue(client.response.is_whole)
        self.assertIn("xit status 3", client.response.text)

    def test_much_output_is_not_held_back(self) -> None:
        """However quick, a page of many bytes begins before all of them are there."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        for _ in range(3):
            self.composition.process.says(b"x" * 40_000)

        self.assertEqual(client.response.status, 200)
        self.assertEqual(client.response.text.count("x" * 40_000), 3)
        self.assertFalse(client.response.is_whole)

    def test_a_slow_reader_pauses_its_run(self) -> None:
        """A client that does not read holds its own process up, which goes on when it does."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        client.is_slow = True
        self.composition.clock.advance(PATIENCE_SECONDS)
        self.composition.process.says(b"more\n")
        self.assertTrue(self.composition.process.is_paused)

        client.catches_up()

        self.assertFalse(self.composition.process.is_paused)

    def test_what_waits_looks_like_waiting(self) -> None:
        """After a while the page says that the run waits, without an output; when it begins its state is told again."""
        composition = WebComposition(self, command(), running=1)
        composition.ask_for("/uptime", accept=PAGE)
        client = composition.ask_for("/uptime", accept=PAGE)
        composition.clock.advance(PATIENCE_SECONDS)
        self.assertIn("Waiting", client.response.text)
        self.assertNotIn("<pre", client.response.text)

        composition.spawner.processes[0].ends()
        composition.turn()
        self.assertEqual(client.response.text.count("Running"), 1)
        composition.process.says(b"said\n")
        composition.process.ends()

        states = [each["class"] for each in Read(client.response.body).all("div") if "state" in (each["class"] or "")]
        self.assertEqual(states, ["card state", "card state", "card state ended"])
        self.assertEqual(client.response.text.count("<pre"), 1)

    def test_a_fault_ends_a_page_that_was_begun(self) -> None:
        """If the end cannot be written down, the page says so where its outcome would be."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        self.composition.clock.advance(PATIENCE_SECONDS)
        self.composition.ledger.is_about_to_be_full = True

        self.composition.process.ends()

        self.assertTrue(client.response.is_whole)
        self.assertIn("internal fault", client.response.text)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_goes_ends_the_run(self) -> None:
        """A client that is gone leaves no process, no timer and no answer."""
        client = self.composition.ask_for("/uptime", accept=PAGE)
        client.gone()
        self.composition.turn()

        self.assertFalse(self.composition.process.is_alive)
        self.assertIs(self.composition.ledger.requests[-1].ended_by, EndedBy.DISCONNECT)


class TextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(output_limit_bytes=10 * HELD_TEXT_BYTES))

    def say(self, length: int) -> None:
        """Let the process say so much."""
        while length:
            piece = min(length, 65536)
            self.composition.process.says(b"x" * piece)
            length -= piece

    def test_what_is_short_has_its_status(self) -> None:
        """Text is held back until its command has ended, if there is room for it."""
        client = self.composition.ask_for()
        self.say(HELD_TEXT_BYTES)
        self.composition.process.says(b"", b"why\n")
        self.assertEqual(client.responses, [])

        self.composition.process.ends(3)

        self.assertEqual(client.response.status, 502)
        self.assertTrue(client.response.body.endswith(b"xwhy\ncmdserver: uptime: exit status 3\n"))

    def test_more_stderr_than_is_held(self) -> None:
        """After a failure its beginning and its end are told, and what is missing in words and in a header."""
        for is_open in (False, True):
            client = self.composition.ask_for()
            self.say((HELD_TEXT_BYTES + 1) * is_open)
            self.composition.process.says(b"", b"first" + b"e" * HELD_BYTES)
            self.composition.process.says(b"end", b"last\n")
            self.composition.process.ends(3)

            text = client.response.body.lstrip(b"x")
            self.assertEqual(text[:9], b"endfirste")
            self.assertIn(b"e\ncmdserver: uptime: standard error truncated: 10 bytes are left out here\ne", text)
            self.assertEqual(text[-40:], b"eelast\ncmdserver: uptime: exit status 3\n")
            self.assertEqual(client.response["cmdserver-truncated"], "" if is_open else "stderr")

    def test_stderr_of_a_success(self) -> None:
        """It is no part of the text, however much there is of it, and nothing is said to be missing."""
        client = self.composition.ask_for()
        self.composition.process.says(b"out", b"e" * (HELD_BYTES + 1))
        self.composition.process.ends()

        self.assertEqual((client.response.body, client.response["cmdserver-truncated"]), (b"out", ""))

    def test_output_and_stderr_beyond_their_limit(self) -> None:
        """Where all output was cut, the header says that, once."""
        client = self.composition.ask_for()
        self.composition.process.says(b"", b"e" * 11 * HELD_BYTES)
        self.composition.process.ends()

        self.assertEqual(client.response["cmdserver-truncated"], "true")

    def test_what_is_long_is_streamed(self) -> None:
        """Text for which there is no room is begun as a success, and if it is one, is whole."""
        client = self.composition.ask_for()
        self.say(HELD_TEXT_BYTES + 1)
        self.assertEqual(client.response.status, 200)
        self.composition.process.says(b"end", b"a warning")

        self.composition.process.ends()

        self.assertTrue(client.response.is_whole)
        self.assertEqual(client.response.body, b"x" * (HELD_TEXT_BYTES + 1) + b"end")

    def test_a_late_failure_is_not_whole(self) -> None:
        """Text that was begun as a success, and is none, says why and breaks off."""
        client = self.composition.ask_for()
        self.say(HELD_TEXT_BYTES + 1)
        self.composition.process.says(b"", b"why\n")

        self.composition.process.ends(3)

        self.assertFalse(client.response.is_whole)
        self.assertTrue(client.response.body.endswith(b"why\ncmdserver: uptime: exit status 3\n"))
        self.assertFalse(client.is_open)
