"""Tests of the output of one run over HTTP."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.web.runs.list_stream import TOGETHER_SECONDS
from tests.frontends.web.doubles import Client, WebComposition
from tests.frontends.web.reading import Read
from tests.frontends.web.runs.doubles import RunsTestCase
from tests.running_doubles import command, user


class RunOutputTestCase(RunsTestCase):
    """Ada looks at a run of guy's that is alive; to be subclassed."""

    accept = "text/html"

    def setUp(self) -> None:
        super().setUp()
        self.run_id = self.start()
        self.composition.process.says(b"one\n")

    def look(self) -> Client:
        """Let ada look at the run."""
        client = self.ask(f"/-/runs/{self.run_id}", accept=self.accept)
        self.composition.clock.advance(TOGETHER_SECONDS)
        return client

    def says(self, data: bytes, errors: bytes = b"") -> None:
        """Let the run say something, and let it be told."""
        self.composition.process.says(data, errors)
        self.composition.clock.advance(TOGETHER_SECONDS)

    def ends(self, status: int = 0) -> None:
        """Let the run end, and let that be told."""
        self.composition.process.ends(status)
        self.composition.clock.advance(TOGETHER_SECONDS)


class RunPageTests(RunOutputTestCase):
    def test_it_grows(self) -> None:
        """What was said is there at once, what is said comes when it is said, and the end makes the page whole."""
        client = self.look()
        self.assertIn("one\n", client.response.text)
        self.says(b"two\n", b"oops\n")
        self.assertIn("two\n", client.response.text)
        self.assertIn('<span class="err">oops</span>\n', client.response.text)
        self.assertFalse(client.response.is_whole)
        self.ends(3)

        self.assertTrue(client.response.is_whole)
        self.assertIn("Exit status 3", Read(client.response.body).text)
        self.assertTrue(client.response.text.endswith("</html>"))

    def test_output_stays_text(self) -> None:
        """Whatever it says, control characters included."""
        client = self.look()
        self.says(b"<script>alert(1)</script></pre>\x1b[2J\xc3")
        self.ends()

        read = Read(client.response.body)
        self.assertTrue(all("src" in each for each in read.all("script")))
        self.assertIn("<script>alert(1)</script></pre>^[[2J\ufffd", "".join(read.text))

    def test_who_may_see_it_no_more(self) -> None:
        """The page says so and ends, with nothing more of what the run says."""
        client = self.look()
        self.reload(sees=())
        self.says(b"secret\n")

        self.assertNotIn("secret", client.response.text)
        self.assertTrue(client.response.is_whole)
        self.assertEqual([each["role"] for each in Read(client.response.body).all("p") if "role" in each], ["alert"])

    def test_who_leaves(self) -> None:
        """The run goes on."""
        client = self.look()
        client.gone()
        self.says(b"two\n")

        self.assertTrue(self.composition.process.is_alive)
        self.assertEqual(client.response.text.count("two"), 0)

    def test_who_does_not_read(self) -> None:
        """Gets nothing until they do, and holds nobody up."""
        client = self.look()
        client.is_slow = True
        self.says(b"two\n")
        self.says(b"three\n")
        self.assertNotIn("three", client.response.text)
        self.assertFalse(self.composition.process.is_paused)
        client.catches_up()
        self.composition.clock.advance(TOGETHER_SECONDS)
        self.assertIn("three", client.response.text)

    def test_run_again_is_for_who_may(self) -> None:
        """Somebody who may look, but not run it, is not asked to."""
        self.reload(runs=("backup",))
        client = self.look()
        self.ends()
        self.assertNotIn("Run again", client.response.text)
        self.reload()
        other = self.ask(f"/-/runs/{self.run_id}", accept="text/html")
        self.assertIn("Run again", other.response.text)

    def test_what_is_over(self) -> None:
        """It is told whole, and once how it ended."""
        self.ends()
        page = Read(self.look().response.body)

        self.assertEqual(page.text.count("Done"), 1)
        self.assertIn("\none\n", page.text)

    def test_stop_is_for_who_may(self) -> None:
        """Guy's run has a button for ada only if a role says so."""
        self.assertNotIn("/stop", self.look().response.text)
        self.reload(stops=("uptime",))
        self.assertIn(f"{self.run_id}/stop", self.look().response.text)


class RunTextTests(RunOutputTestCase):
    accept = "text/plain"

    def test_it_is_what_the_run_says(self) -> None:
        """Byte for byte, to its end."""
        client = self.look()
        self.says(b"\x1b[1mtwo\n")
        self.ends()

        self.assertEqual(client.response.body, b"one\n\x1b[1mtwo\n")
        self.assertTrue(client.response.is_whole)
        self.assertIn("text/plain", client.response["content-type"])

    def test_it_says_nothing(self) -> None:
        """That is an answer, too."""
        run = self.start(caller=user("ada"))
        self.ends()
        self.assertEqual(self.ask(f"/-/runs/{run}", accept="text/plain").response.body, b"")


class FollowedRunTests(RunOutputTestCase):
    def test_the_last_line_says_how_it_ended(self) -> None:
        """Whoever has asked for the run; standard error stands where it came."""
        client = self.ask(f"/-/runs/{self.run_id}?follow", accept="*/*", te="trailers")
        self.assertEqual(client.response.body, b"one\n")
        self.says(b"", b"oops\n")
        self.says(b"two")
        self.ends()

        self.assertEqual(client.response.body, b"one\noops\ntwo\ncmdserver: uptime: exit status 0\n")
        self.assertEqual(client.response.trailers, {"cmdserver-exit-status": "0"})

    def test_who_may_see_it_no_more(self) -> None:
        """Is told so in the last line."""
        client = self.ask(f"/-/runs/{self.run_id}?follow", accept="*/*")
        self.reload(sees=())
        self.composition.clock.advance(TOGETHER_SECONDS)

        self.assertRegex(client.response.text, r"\Aone\ncmdserver: unknown_run: [^\n]+\n\Z")
        self.assertTrue(client.response.is_whole)

    def test_no_such_run(self) -> None:
        """Nothing is begun."""
        self.assertEqual(self.ask("/-/runs/0123456789abcdef?follow", accept="*/*").response.status, 404)


class FollowedTextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(ok_statuses=frozenset({0, 1})), command("df", read_only=False))

    def test_it_comes_while_it_is_made(self) -> None:
        """The head when the run begins, and each piece as it is, when it is said."""
        client = self.composition.ask_for("/uptime?follow", accept="*/*")
        self.assertEqual((client.response.status, client.response.body), (200, b""))
        self.composition.process.says(b"\x1b[1mone\n")
        self.assertEqual(client.response.body, b"\x1b[1mone\n")
        self.composition.process.says(b"", b"why\n")
        self.composition.process.ends(3)

        response = client.response
        self.assertEqual(response.body, b"\x1b[1mone\nwhy\ncmdserver: uptime: exit status 3\n")
        self.assertTrue(response.is_whole)
        self.assertEqual(response["cmdserver-request-id"], self.composition.ledger.requests[-1].id)
        self.assertEqual(response["x-accel-buffering"], "no")
        self.assertEqual((response["trailer"], response.trailers), ("", {}))

    def test_success_is_told_too(self) -> None:
        """So that a last line that is missing can only mean that something is."""
        for status, end in ((0, "exit status 0"), (1, "exit status 1 (ok)")):
            client = self.composition.ask_for("/uptime?follow", accept="*/*")
            self.composition.process.ends(status)
            self.assertEqual(client.response.text, f"cmdserver: uptime: {end}\n")

    def test_trailers(self) -> None:
        """Who takes them is told in the head which there may be, and behind the body how the run ended."""
        client = self.composition.ask_for("/uptime?follow", accept="*/*", te="gzip;q=0.5, Trailers")
        self.composition.process.says(b"one\n")
        self.composition.process.ends(3)

        self.assertIn("Cmdserver-Exit-Status", client.response["trailer"])
        self.assertEqual(client.response.trailers, {"cmdserver-exit-status": "3"})

    def test_the_connection_goes_on(self) -> None:
        """Whether there were trailers or not, the next request is answered."""
        client = self.composition.connect()
        for codings in ("trailers", ""):
            client.asks("/uptime?follow", accept="*/*", te=codings)
            self.composition.process.ends()
        client.asks("/-/healthy")

        self.assertEqual([each.body[-3:] for each in client.responses], [b" 0\n", b" 0\n", b"ok\n"])

    def test_http_1_0(self) -> None:
        """Without chunks the end of the connection is that of the text, and there are no trailers."""
        client = self.composition.connect()
        client.says(b"GET /uptime?follow HTTP/1.0\r\nHost: cmd.example\r\nTE: trailers\r\n\r\n")
        self.composition.process.says(b"one\n")
        self.assertTrue(client.value().endswith(b"\r\n\r\none\n"), client.value())
        self.composition.process.ends()

        self.assertTrue(client.value().endswith(b"\r\n\r\none\ncmdserver: uptime: exit status 0\n"), client.value())
        self.assertNotIn(b"Trailer", client.value())
        self.assertFalse(client.is_open)

    def test_methods(self) -> None:
        """As without: GET runs what only reads, POST anything."""
        self.assertEqual(self.composition.ask_for("/df?follow", accept="*/*").response.status, 405)
        client = self.composition.ask_for("/df?follow", "POST", body=b"", accept="*/*")
        self.composition.process.ends()
        self.assertEqual(client.response.status, 200)

    def test_refused_before_it_begins(self) -> None:
        """Such an answer has its status."""
        for target, status in (("/nothing?follow", 401), ("/uptime/x?follow", 422), ("/uptime?follow=x", 400)):
            self.assertEqual(self.composition.ask_for(target, accept="*/*").response.status, status)
        self.composition.ledger.is_full = True
        self.assertEqual(self.composition.ask_for("/uptime?follow", accept="*/*").response.status, 500)
        self.flushLoggedErrors()

    def test_a_fault_in_the_end(self) -> None:
        """The last line says so."""
        client = self.composition.ask_for("/uptime?follow", accept="*/*", te="trailers")
        self.composition.process.says(b"half")
        self.composition.ledger.is_about_to_be_full = True
        self.composition.process.ends()

        self.assertRegex(client.response.text, r"\Ahalf\ncmdserver: fault: [^\n]+\n\Z")
        self.assertTrue(client.response.is_whole)
        self.assertEqual(client.response.trailers, {})

    def test_a_slow_reader_pauses_its_run(self) -> None:
        """As everywhere."""
        client = self.composition.ask_for("/uptime?follow", accept="*/*")
        client.is_slow = True
        self.composition.process.says(b"more\n")
        self.assertTrue(self.composition.process.is_paused)
        client.catches_up()
        self.assertFalse(self.composition.process.is_paused)

    def test_who_goes_ends_the_run(self) -> None:
        """A client that is gone leaves no process."""
        client = self.composition.ask_for("/uptime?follow", accept="*/*")
        client.gone()
        self.composition.turn()

        self.assertFalse(self.composition.process.is_alive)
        self.assertIs(self.composition.ledger.requests[-1].ended_by, EndedBy.DISCONNECT)

    def test_other_representations(self) -> None:
        """Pages and event streams follow anyhow, and JSON is whole or nothing: they are as without."""
        for accept in ("text/html", "application/json", "text/event-stream"):
            client = self.composition.ask_for("/uptime?follow", accept=accept)
            self.composition.process.ends()
            self.assertTrue(client.response["content-type"].startswith(accept))
