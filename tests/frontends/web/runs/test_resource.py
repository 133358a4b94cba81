"""Tests of what lies below ``/-/runs``."""

from http import HTTPStatus
from urllib.parse import urljoin

from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.runs.list_stream import TOGETHER_SECONDS
from tests.frontends.web.reading import Read
from tests.frontends.web.runs.doubles import RunsTestCase, events
from tests.running_doubles import user

JSON = "application/json"


class ListTests(RunsTestCase):
    def test_representations(self) -> None:
        """A page for browsers, data for programs, lines for everybody else; with a slash at the end, too."""
        run = self.start()
        for target in ("/-/runs", "/-/runs/"):
            page = self.ask(target, accept="text/html").response
            self.assertIn(f"/-/runs/{run}", page.text)
            self.assertEqual([each["id"] for each in self.ask(target, accept=JSON).response.json["runs"]], [run])
            self.assertIn(run, self.ask(target).response.text)

    def test_filters_are_addresses(self) -> None:
        """Whatever the list is asked for stands in its address; a mistake there is told."""
        self.start()
        backup = self.start("backup")
        found = self.ask("/-/runs?command=backup&state=running&user=guy", accept=JSON).response.json["runs"]

        self.assertEqual([each["id"] for each in found], [backup])
        for wrong in ("state=odd", "limit=0", "limit=1001", "colour=red", "state=ok&state=ok", "before=nothing"):
            with self.subTest(wrong):
                self.assertIn(self.ask(f"/-/runs?{wrong}", accept=JSON).response.status, (404, 422))

    def test_hostile_filters_stay_text(self) -> None:
        """The page shows again what was looked for."""
        page = self.ask("/-/runs?user=%22%3E%3Cscript%3E&command=%1B%3Cb%3E", accept="text/html").response

        self.assertEqual(page.status, HTTPStatus.OK)
        self.assertTrue(all("src" in each for each in Read(page.body).all("script")))

    def test_who_sees_nothing(self) -> None:
        """Somebody without a login sees an empty list, and no navigation."""
        self.start()
        page = self.composition.ask_for("/-/runs", accept="text/html").response

        self.assertIn("Nothing has run yet.", page.text)
        self.assertNotIn("running", "".join(Read(page.body).text).replace("Running", ""))

    def test_the_index_has_ones_own(self) -> None:
        """What a visitor has run last stands above their commands, and nobody else's."""
        self.start("backup", caller=user("ada"))
        self.start("uptime", caller=user("guy"))
        page = Read(self.ask("/", accept="text/html").response.body)

        chips = [each["href"] for each in page.all("a") if "chip" in (each.get("class") or "")]
        self.assertEqual(chips, ["./backup"])


class OneTests(RunsTestCase):
    def test_representations(self) -> None:
        """A page, data with the output so far, text, and an event stream that goes on where it was left."""
        run = self.start()
        self.composition.process.says(b"one\n")
        self.composition.process.says(b"two\n")
        self.composition.clock.advance(TOGETHER_SECONDS)
        self.assertEqual(self.ask(f"/-/runs/{run}", accept=JSON).response.json["stdout"], "one\ntwo\n")
        stream = self.ask(f"/-/runs/{run}", accept="text/event-stream")
        rest = self.ask(f"/-/runs/{run}", accept="text/event-stream", last_event_id=f"{run}.4")
        odd = self.ask(f"/-/runs/{run}", accept="text/event-stream", last_event_id=f"{run}.-1")
        self.composition.process.ends()
        self.composition.clock.advance(TOGETHER_SECONDS)

        def said(client: object) -> str:
            return "".join(data for kind, data in events(client) if kind == "stdout")  # type: ignore[arg-type]

        self.assertEqual([said(each) for each in (stream, rest, odd)], ["one\ntwo\n", "two\n", "one\ntwo\n"])
        self.assertEqual(events(stream)[-1][0], "outcome")

    def test_what_is_not_there(self) -> None:
        """An id that nobody has, or of a run that one may not see, does not exist: both look alike."""
        run = self.start()
        self.reload(sees=())
        for accept in ("text/html", JSON, "text/plain", "text/event-stream"):
            for run_id in (run, "0000000000000000", "%3Cb%3E", "%2e%2e"):
                response = self.ask(f"/-/runs/{run_id}", accept=accept).response
                self.assertEqual(response.status, HTTPStatus.NOT_FOUND, (accept, run_id))
                self.assertFalse(accept == "text/html" and "<b></b>" in response.text)

    def test_what_lies_below(self) -> None:
        """Nothing else is there."""
        run = self.start()
        for target in (f"/-/runs/{run}/", f"/-/runs/{run}/start", f"/-/runs/{run}/stop/x"):
            self.assertEqual(self.ask(target).response.status, HTTPStatus.NOT_FOUND, target)


class MethodTests(RunsTestCase):
    def test_methods(self) -> None:
        """Lists and runs are read, what stops one is a POST; each says what it takes."""
        run = self.start(caller=user("ada"))
        for target, method, allowed in (
            ("/-/runs", "POST", "GET, HEAD"),
            (f"/-/runs/{run}", "POST", "GET, HEAD"),
            (f"/-/runs/{run}", "DELETE", "GET, HEAD"),
            (f"/-/runs/{run}/stop", "GET", "POST"),
            (f"/-/runs/{run}/stop", "DELETE", "POST"),
        ):
            with self.subTest(f"{method} {target}"):
                response = self.ask(target, method, content_length="0").response
                self.assertEqual((response.status, response["allow"]), (HTTPStatus.METHOD_NOT_ALLOWED, allowed))
        self.assertTrue(self.composition.process.is_alive)


class StopTests(RunsTestCase):
    def test_representations(self) -> None:
        """Whoever asks with a browser is led to the run's page, others are told what has become of it."""
        for accept, status in (("text/html", 303), (JSON, 200), ("text/plain", 200)):
            run = self.start(caller=user("ada"))
            client = self.ask(f"/-/runs/{run}/stop", "POST", content_length="0", accept=accept)
            self.composition.clock.advance(3)
            self.assertEqual(client.response.status, status)
            if accept == "text/html":
                self.assertTrue(client.response["location"].endswith(f"/-/runs/{run}"))
            elif accept == JSON:
                self.assertEqual(client.response.json["state"], "stopped")
                self.assertEqual(client.response.json["stopped_by"], "ada")
            else:
                self.assertIn("stopped by ada", client.response.text)

    def test_who_may_not(self) -> None:
        """Who may see it is refused, who may not see it is told that it is not there; it goes on."""
        run = self.start()
        for sees, status in ((("*",), HTTPStatus.FORBIDDEN), ((), HTTPStatus.NOT_FOUND)):
            self.reload(sees=sees)
            client = self.ask(f"/-/runs/{run}/stop", "POST", content_length="0")
            self.assertEqual(client.response.status, status)
            self.assertTrue(self.composition.process.is_alive)

    def test_what_a_browser_sends_is_to_be_meant(self) -> None:
        """Without the token nothing is stopped, nor for another site."""
        run = self.start(caller=user("ada"))
        for headers in (
            {"sec_fetch_site": "same-origin", "origin": "http://cmd.example:2080"},
            {"sec_fetch_site": "cross-site", "origin": "http://evil.example"},
        ):
            client = self.ask(f"/-/runs/{run}/stop", "POST", content_length="0", **headers)
            self.assertEqual(client.response.status, HTTPStatus.FORBIDDEN)
            self.assertTrue(self.composition.process.is_alive)

    def test_what_is_over(self) -> None:
        """To stop it changes nothing, and is no mistake."""
        run = self.start(caller=user("ada"))
        self.composition.process.ends()
        client = self.ask(f"/-/runs/{run}/stop", "POST", content_length="0", accept=JSON)

        self.assertEqual(client.response.json["state"], RunState.OK)

    def test_below_a_path(self) -> None:
        """Where a proxy has put us, a redirect leads there."""
        self.composition.base_path = "/cmd"
        run = self.start(caller=user("ada"))
        self.composition.process.ends()
        client = self.ask(f"/cmd/-/runs/{run}/stop", "POST", content_length="0", accept="text/html")

        self.assertEqual(urljoin(f"/cmd/-/runs/{run}/stop", client.response["location"]), f"/cmd/-/runs/{run}")
