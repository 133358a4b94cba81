"""Tests of commands over HTTP: methods, representations, statuses."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from tests.frontends.web.doubles import Client, WebComposition
from tests.running_doubles import command

FORM = "application/x-www-form-urlencoded"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class RepresentationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df", read_only=False))

    def test_text(self) -> None:
        """Whoever takes anything gets standard output as it is, and nothing else."""
        client = self.composition.ask_for("/uptime", accept="*/*")
        self.composition.process.says(b"up \x1b[1m9 days\n", b"a warning\n")
        self.composition.process.ends()

        self.assertEqual(client.response.status, 200)
        self.assertEqual(client.response.body, b"up \x1b[1m9 days\n")
        self.assertEqual(client.response["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(client.response["cmdserver-exit-status"], "0")

    def test_text_of_a_failure(self) -> None:
        """A failure is 502, tells its exit status, and what was said of it."""
        client = self.composition.ask_for("/uptime")
        self.composition.process.says(b"half", b"no such thing\n")
        self.composition.process.ends(3)

        self.assertEqual(client.response.status, 502)
        self.assertEqual(client.response["cmdserver-exit-status"], "3")
        self.assertEqual(client.response.text, "halfno such thing\ncmdserver: uptime: exit status 3\n")

    def test_json(self) -> None:
        """Programs get one object, and 200 whenever the command ran."""
        client = self.composition.ask_for("/uptime", accept="application/json")
        self.composition.process.says(b"up\n", b"hm\n")
        self.composition.process.ends(3)

        self.assertEqual(client.response.status, 200)
        self.assertEqual(client.response["content-type"], "application/json")
        answer = client.response.json
        self.assertEqual((answer["stdout"], answer["stderr"], answer["exit_status"]), ("up\n", "hm\n", 3))

    def test_page(self) -> None:
        """Browsers get a page in which nothing of the output is markup."""
        client = self.composition.ask_for("/uptime", accept=BROWSER)
        self.composition.process.says(b"<script>alert(1)</script>\n")
        self.composition.process.ends()

        self.assertEqual(client.response.status, 200)
        self.assertIn("&lt;script&gt;alert(1)", client.response.text)
        self.assertIn("frame-ancestors 'none'", client.response["content-security-policy"])

    def test_one_request_asks_once(self) -> None:
        """Each representation costs one process and one line in the audit file."""
        for accept in ("*/*", "application/json", BROWSER, "text/event-stream"):
            self.composition.ask_for("/uptime", accept=accept)
            self.composition.process.ends()

        self.assertEqual(len(self.composition.spawner.processes), 4)
        self.assertEqual(self.composition.outcomes, [Code.OK] * 4)

    def test_what_only_reads_is_run_by_get(self) -> None:
        """What does not is 405 with GET, and run by POST."""
        looked = self.composition.ask_for("/df")
        self.assertEqual(looked.response.status, 405)
        self.assertEqual(looked.response["allow"], "POST")
        self.assertEqual(self.composition.spawner.processes, [])

        client = self.composition.ask_for("/df", "POST", body=b"")
        self.composition.process.ends()
        self.assertEqual(client.response.status, 200)


class BodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(read_only=False))

    def post(self, body: bytes, media: str) -> Client:
        """Send a body."""
        return self.composition.ask_for("/uptime", "POST", body=body, content_type=media)

    def test_a_json_object(self) -> None:
        """Programs that can only send JSON can run a command; members are arguments, as a form's fields are."""
        client = self.post(b"{}", "application/json")
        self.composition.process.ends()
        self.assertEqual(client.response.status, 200)

        for body, media in ((b'{"status": "firing"}', "application/json"), (b"status=firing", FORM)):
            refused = self.post(body, media).response
            self.assertEqual(refused.status, 422)
            self.assertIn("uptime takes no arguments, but got: status=firing", refused.text)
        self.assertEqual(self.post(b"[]", "application/json").response.status, 400)

    def test_another_type(self) -> None:
        """What cannot be understood is refused with what could."""
        for media in ("text/plain", "multipart/form-data; boundary=x", ""):
            response = self.post(b'{"status": "firing"}', media).response
            self.assertEqual(response.status, 415)
            self.assertEqual(response["accept-post"], f"{FORM}, application/json")
            self.assertIn("a body is a form", response.text)
        self.assertEqual(self.composition.outcomes, [Code.MALFORMED] * 3)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_a_page_cannot_do_the_same(self) -> None:
        """JSON is as much in need of a token as a form."""
        said = {"body": b"{}", "content_type": "application/json", "sec_fetch_site": "same-origin"}
        self.assertEqual(self.composition.ask_for("/uptime", "POST", **said).response.status, 403)
        self.assertEqual(self.composition.spawner.processes, [])
