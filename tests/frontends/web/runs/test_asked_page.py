"""Tests of pages that are complete before their run is over, and of who has the run then."""

import json
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.check import Check
from cmdserver.core.model import Role
from cmdserver.core.run_states import EndedBy, OnDisconnect
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.web import event_streams
from cmdserver.frontends.web.event_streams import RESUME_SECONDS
from cmdserver.frontends.web.runs.run_page import HELD_PAGE_BYTES, PATIENCE_SECONDS
from tests.frontends.web.doubles import Client, WebComposition
from tests.frontends.web.reading import Read
from tests.frontends.web.runs.doubles import ADA, RunsTestCase
from tests.running_doubles import command, user

PAGE = "text/html"
SCRIPT = "cmdserver-script=yes"


def follows(client: Client, attribute: str = "data-follow") -> str | None:
    """Say what the script of a page is to ask for."""
    (section,) = [each for each in Read(client.response.body).all("section") if each.get("class") == "run-page"]
    return section.get(attribute)


def told(client: Client) -> list[tuple[str, Any]]:
    """Read what the only part of a stream has told: of what is drawn the text of output."""
    found: list[tuple[str, Any]] = []
    for block in client.response.text.split("\n\n")[1:-1]:
        event = dict(line.split(": ", 1) for line in block.split("\n"))
        data = json.loads(event["data"])
        if event["event"] == "html":
            data = "".join(Read(data).text)
        if event["event"] != "drawn" and data:
            found.append((event["event"], data))
    return found


def output_of(page: Client) -> str:
    """Read what a page shows of its run's output."""
    found = re.search("<pre[^>]*>\n(.*?)</pre>", page.response.text, re.DOTALL)
    assert found is not None
    return "".join(Read(found[1]).text)


class AskedPageTestCase(SynchronousTestCase):
    """Commands that anybody may run, and whose runs end with their callers, or go on; to be subclassed."""

    def setUp(self) -> None:
        self.composition = WebComposition(
            self,
            command(),
            command("df", share=True),
            command("backup", read_only=True, on_disconnect=OnDisconnect.CONTINUE),
            running=2,
        )

    def ask(self, path: str = "/uptime", cookie: str = SCRIPT, **headers: str) -> Client:
        """Ask for a page, as a browser does whose script is there."""
        return self.composition.ask_for(path, accept=PAGE, cookie=cookie, **headers)

    def complete(self, path: str = "/uptime", **headers: str) -> Client:
        """Ask for a page, and wait for longer than a page is held back."""
        client = self.ask(path, **headers)
        self.composition.clock.advance(PATIENCE_SECONDS)
        return client

    def come(self, page: Client, **headers: str) -> Client:
        """Let the page's script ask for the rest."""
        script = self.composition.ask_for(f"/-/events?{follows(page)}", cmdserver_rows="yes", **headers)
        self.composition.turn()
        return script

    def is_running(self) -> bool:
        """Whether nobody has ended the process."""
        self.composition.turn()
        return self.composition.process.is_alive


class StatusOfCheckTests(AskedPageTestCase):
    """Checks, of which uptime checkers look at the status alone."""

    def setUp(self) -> None:
        big = command("uptime", check=Check(), output_limit_bytes=1 << 21)
        self.composition = WebComposition(self, command("df", check=Check()), big)

    def test_who_has_no_script(self) -> None:
        """The page waits for the end, however long that takes and however much is said."""
        page = self.ask("/df", cookie="")
        self.composition.clock.advance(2 * PATIENCE_SECONDS)
        self.composition.process.says(b"x" * (HELD_PAGE_BYTES + 1))
        self.composition.turn()
        self.assertEqual(page.value(), b"")
        self.composition.process.ends(2)
        self.composition.turn()

        response = page.response
        self.assertEqual((response.status, response["cmdserver-check"]), (503, "CRITICAL"))

    def test_who_has_the_script(self) -> None:
        """They see the check at work."""
        page = self.complete("/df")
        self.assertEqual(page.response.status, 200)

    def test_much_output(self) -> None:
        """More than is held in memory for anybody comes while it is made."""
        page = self.ask("/uptime", cookie="")
        self.composition.clock.advance(2 * PATIENCE_SECONDS)
        self.composition.turn()
        self.assertIn(b" 200 ", page.value()[:20])


class HandOverTests(AskedPageTestCase):
    def test_a_page_is_complete(self) -> None:
        """With what was said so far, and where the script goes on; the connection is free for other requests."""
        page = self.ask()
        self.composition.process.says(b"f\xc3")
        self.composition.clock.advance(PATIENCE_SECONDS)
        self.assertEqual(200, page.response.status)
        self.assertTrue(page.response.is_whole)
        self.assertEqual("f", output_of(page))
        script = self.come(page)
        self.composition.process.says(b"\xbcnf\n")
        self.composition.process.ends(3)

        kinds = told(script)
        self.assertEqual([("html", "ünf\n")], kinds[:-1])
        self.assertEqual(("outcome", 3), (kinds[-1][0], kinds[-1][1]["exit_status"]))
        self.assertIn("Run again", script.response.text)
        page.asks("/-/healthy")
        self.assertEqual("ok\n", page.responses[1].text)

    def test_without_a_script_it_comes_as_long_as_the_run_goes_on(self) -> None:
        """Nobody has to have a script."""
        page = self.ask(cookie="other=yes")
        self.composition.clock.advance(PATIENCE_SECONDS)
        self.composition.process.says(b"one\n")
        self.assertFalse(page.response.is_whole)
        self.assertIn("one\n", page.response.text)
        self.composition.process.ends()
        self.assertTrue(page.response.is_whole)

    def test_what_is_over_soon_is_answered_whole(self) -> None:
        """With its own status, as without a script."""
        page = self.ask()
        self.composition.process.ends(3)

        self.assertEqual(502, page.response.status)
        self.assertIsNone(follows(page))

    def test_what_says_much_is_completed_early(self) -> None:
        """The page has what it holds back, and the script the rest: nothing twice, nothing missing."""
        page = self.ask()
        for number in range(5):
            self.composition.process.says(b"%d" % number * (HELD_PAGE_BYTES // 3))
        self.assertTrue(page.response.is_whole)
        script = self.come(page)
        self.composition.process.ends()

        text = output_of(page) + "".join(data for kind, data in told(script) if kind == "html")
        self.assertEqual("".join(str(number) * (HELD_PAGE_BYTES // 3) for number in range(5)), text)

    def test_one_that_waits_in_line(self) -> None:
        """Its script is told when it begins, with its state and room for its output, and keeps its place meanwhile."""
        self.ask("/df")
        self.ask("/backup", authorization=ADA)
        page = self.complete()
        self.assertIn("Waiting", page.response.text)
        script = self.come(page)
        self.composition.spawner.processes[0].ends()
        self.composition.process.says(b"one\n")

        self.assertEqual([("started", {"command": "uptime", "arguments": []}), ("html", "one\n")], told(script))
        self.assertIn("<pre id", json.loads(re.findall("event: drawn\ndata: (.*)", script.response.text)[0]))

    def test_a_script_that_comes_late(self) -> None:
        """What was said in between was not lost; the process waits for it, as for any reader that may resume."""
        page = self.complete()
        self.composition.process.says(b"one\n")
        self.composition.clock.advance(RESUME_SECONDS - 1)
        self.assertTrue(self.is_running())
        script = self.come(page)
        self.assertEqual([("html", "one\n")], told(script))

    def test_a_run_that_ends_before_its_script_comes(self) -> None:
        """The script is told how."""
        page = self.complete()
        self.composition.process.says(b"one\n")
        self.composition.process.ends(3)
        script = self.come(page)

        self.assertEqual(["html", "outcome"], [kind for kind, _ in told(script)])
        self.assertIn("exit status 3", script.response.text.lower())

    def test_too_many_wait_for_scripts(self) -> None:
        """Then a page comes as it does without one."""
        self.patch(event_streams, "MOST_LINGERING", 1)
        self.complete()
        page = self.complete("/df")
        self.composition.process.ends()

        self.assertTrue(page.response.is_whole)
        self.assertIsNone(follows(page))

    def test_shared_runs(self) -> None:
        """Each of those who have asked has a script of its own."""
        first = self.ask("/df")
        others = [self.ask("/df") for _ in range(2)]
        self.composition.process.ends()
        self.composition.clock.advance(PATIENCE_SECONDS)
        scripts = [self.come(each) for each in others]
        self.composition.process.says(b"one\n")
        self.composition.process.ends()

        self.assertTrue(first.response.is_whole)
        for script in scripts:
            self.assertEqual(["html", "outcome"], [kind for kind, _ in told(script)])


class LeavingTests(AskedPageTestCase):
    def test_to_leave_the_page_is_to_leave_the_run(self) -> None:
        """Whether its script has not come, or has gone; an anonymous caller's, and a user's."""
        for headers in ({}, {"authorization": ADA}):
            for way in ("never came", "went"):
                with self.subTest(way, headers=headers):
                    page = self.complete(**headers)
                    if way != "never came":
                        script = self.come(page, **headers)
                        script.gone()
                    self.composition.clock.advance(RESUME_SECONDS - 0.1)
                    self.assertTrue(self.is_running())
                    self.composition.clock.advance(0.1)
                    self.assertFalse(self.is_running())
                    self.composition.process.ends()
                    self.composition.turn()
                    self.assertEqual(EndedBy.DISCONNECT, self.composition.ledger.requests[-1].ended_by)

    def test_a_script_that_wants_no_more(self) -> None:
        """It says so, and need not be waited for."""
        script = self.come(self.complete())
        name = re.findall('"([0-9a-f]{16})"', script.response.text)[0]
        self.composition.ask_for(f"/-/events/{name}?drop=0")
        self.assertFalse(self.is_running())
        self.composition.turn()
        self.assertEqual(EndedBy.DISCONNECT, self.composition.ledger.requests[-1].ended_by)
        self.assertTrue(script.response.is_whole)

    def test_a_run_may_go_on(self) -> None:
        """If its command says so."""
        self.complete("/backup", authorization=ADA)
        self.composition.clock.advance(RESUME_SECONDS)

        self.assertTrue(self.is_running())

    def test_stop(self) -> None:
        """Whoever has asked ends it by its id, and is shown how it ended."""
        page = self.complete()
        script = self.come(page)
        name = str(follows(page)).partition("=")[2].partition(".")[0]
        stop = {"accept": "text/event-stream", "last_event_id": f"{name}.0", "cmdserver_stop": "yes"}
        self.assertEqual(204, self.composition.ask_for("/uptime", **stop).response.status)
        self.assertFalse(self.is_running())
        self.composition.process.ends()

        self.assertEqual("outcome", told(script)[-1][0])
        self.assertIn("Stopped", script.response.text)

    def test_stop_what_others_have_asked_for(self) -> None:
        """It goes on for them; whoever wants no more is told so."""
        self.ask("/df")
        pages = [self.complete("/df") for _ in range(2)]
        self.composition.process.ends()
        scripts = [self.come(each) for each in pages]
        name = str(follows(pages[0])).partition("=")[2].partition(".")[0]
        stop = {"accept": "text/event-stream", "last_event_id": f"{name}.0", "cmdserver_stop": "yes"}
        self.composition.ask_for("/df", **stop)

        self.assertTrue(self.is_running())
        self.assertEqual("failure", told(scripts[0])[-1][0])
        self.assertNotIn("failure", [kind for kind, _ in told(scripts[1])])


class RightsTests(AskedPageTestCase):
    """Who is told the rest."""

    def test_it_is_nobody_elses(self) -> None:
        """Another caller is told nothing, though they know the id."""
        page = self.complete(authorization=ADA)
        other = self.come(page)
        self.composition.process.says(b"secret\n")

        self.assertEqual([("failure", "unknown_run")], [(kind, data["error"]["code"]) for kind, data in told(other)])
        self.assertEqual([("html", "secret\n")], told(self.come(page, authorization=ADA)))

    def test_a_reload_takes_the_right_away(self) -> None:
        """Before the script comes, and after."""
        for comes_before in (True, False):
            with self.subTest(comes_before=comes_before):
                self.setUp()
                page = self.complete()
                script = self.come(page) if comes_before else None
                commands = [command(), command("df", share=True)]
                roles = [Role(name="anonymous", patterns=("df",), users=frozenset())]
                self.composition.dispatcher.reconfigure(Policy(commands, roles))
                self.composition.process.says(b"secret\n")
                script = script or self.come(page)
                self.assertEqual("failure", told(script)[-1][0])
                self.assertNotIn("secret", script.response.text)

    def test_to_come_back_is_counted(self) -> None:
        """Like a request."""
        page = self.complete()
        self.composition.dispatcher._admission._throttle.per_minute = 1
        self.come(page)
        self.assertEqual("throttled", told(self.come(page))[-1][1]["error"]["code"])


class WatchedPageTests(RunsTestCase):
    def test_run_again_is_for_who_may(self) -> None:
        """Somebody who may look, but not run it, is not asked to when it ends; nor to stop it while it goes on."""
        for runs, expected in (("uptime",), True), (("backup",), False):
            with self.subTest(runs):
                self.reload(runs=runs)
                run = self.start()
                script = self.ask(f"/-/events?run={run}", cmdserver_rows="yes")
                self.composition.process.ends()
                self.assertNotIn("/stop", script.response.text)
                self.assertIs(expected, "Run again" in script.response.text)

    def test_a_page_is_complete_at_once(self) -> None:
        """With what there is; the run goes on, and its script hears the rest."""
        run = self.start()
        self.composition.process.says(b"one\n")
        page = self.ask(f"/-/runs/{run}", accept=PAGE, cookie=SCRIPT)
        self.assertTrue(page.response.is_whole)
        self.assertEqual(f"run={run}.4", follows(page))
        self.assertIn(f"url=../../-/runs/{run}?no-script=yes", page.response.text)
        script = self.ask(f"/-/events?{follows(page)}")
        self.composition.process.says(b"two\n")
        self.assertEqual([("stdout", "two\n")], told(script))
        self.assertEqual(1, len(self.composition.directory.find(run).recording._readers))  # type: ignore[union-attr]

    def test_who_has_switched_scripts_off(self) -> None:
        """Is led to a page that comes as long as the run goes on, and so do all pages after it."""
        run = self.start()
        page = self.ask(f"/-/runs/{run}?no-script=yes", accept=PAGE, cookie=SCRIPT)
        self.assertFalse(page.response.is_whole)
        self.assertIn("cmdserver-script=; Path=/; Max-Age=0", page.response["set-cookie"])
        index = self.ask("/?no-script=yes", accept=PAGE, cookie=SCRIPT)
        self.assertIn("cmdserver-script=; Path=/; Max-Age=0", index.response["set-cookie"])

    def test_one_that_is_over(self) -> None:
        """Is shown as without a script."""
        run = self.start()
        self.composition.process.says(b"x" * (2 * HELD_PAGE_BYTES))
        self.composition.process.ends()
        page = self.ask(f"/-/runs/{run}", accept=PAGE, cookie=SCRIPT)
        self.assertIsNone(follows(page))
        self.assertTrue(page.response.is_whole)

    def test_one_that_waits(self) -> None:
        """Its script is told when it begins."""
        for _ in range(4):
            self.start()
        run = self.start(caller=user("guy"))
        page = self.ask(f"/-/runs/{run}", accept=PAGE, cookie=SCRIPT)

        self.assertEqual(f"run={run}", follows(page))

    def test_one_that_has_said_much(self) -> None:
        """The page has the beginning, and the script the rest."""
        run = self.start()
        for number in range(5):
            self.composition.process.says(b"%d" % number * (HELD_PAGE_BYTES // 3))
        page = self.ask(f"/-/runs/{run}", accept=PAGE, cookie=SCRIPT)
        script = self.ask(f"/-/events?{follows(page)}", cmdserver_rows="yes")
        text = output_of(page) + "".join(data for kind, data in told(script) if kind == "html")
        self.assertEqual("".join(str(number) * (HELD_PAGE_BYTES // 3) for number in range(5)), text)

    def test_without_a_script_it_comes_as_long_as_the_run_goes_on(self) -> None:
        """And names the run, so that a script that is there all the same can go on when it breaks off."""
        run = self.start()
        page = self.ask(f"/-/runs/{run}", accept=PAGE)
        self.assertFalse(page.response.is_whole)
        self.composition.process.ends()
        self.assertEqual((None, run), (follows(page), follows(page, "data-watch")))
