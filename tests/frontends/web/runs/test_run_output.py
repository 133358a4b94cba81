"""Tests of the output of one run over HTTP."""

from cmdserver.frontends.web.runs.list_stream import TOGETHER_SECONDS
from tests.frontends.web.doubles import Client
from tests.frontends.web.reading import Read
from tests.frontends.web.runs.doubles import RunsTestCase
from tests.running_doubles import user


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
        self.assertIn('<span class="err">oops\n</span>', client.response.text)
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
