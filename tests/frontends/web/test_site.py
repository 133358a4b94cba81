"""Tests of everything that is no command: the list, what lies below ``/-/``, and how errors are answered."""

import json
from urllib.parse import urljoin

from msgspec.structs import replace
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.check import Check
from cmdserver.core.errors import UNASKED, Code
from cmdserver.core.model import Role
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.web.http import access_log
from cmdserver.frontends.web.http.problems import STATUS
from cmdserver.frontends.web.pages import static
from cmdserver.frontends.web.runs.run_page import PATIENCE_SECONDS
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.text_types import Secret, String
from cmdserver.runs.record import RunRecord
from tests.frontends.web.doubles import HOST, Client, WebComposition
from tests.frontends.web.reading import Read
from tests.frontends.web.runs.doubles import ADA
from tests.frontends.web.samples import taking
from tests.running_doubles import command, user

PAGE, JSON = "text/html", "application/json"


def names(client: Client) -> list[str]:
    """Read the list of commands."""
    return [line.split()[0] for line in client.response.text.splitlines()]


class SiteTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df"), command("reboot", read_only=False))

    def ask(self, target: str, method: str = "GET", **headers: str) -> Client:
        """Ask something."""
        return self.composition.ask_for(target, method, **headers)


class DocumentTests(SiteTestCase):
    def test_the_list(self) -> None:
        """What this caller may run, as text, JSON and a page."""
        self.assertEqual(names(self.ask("/")), ["uptime", "df"])
        listed = self.ask("/", accept=JSON).response.json["commands"]
        self.assertEqual([each["name"] for each in listed], ["uptime", "df"])
        self.assertEqual([each["address"] for each in listed], ["/uptime", "/df"])
        self.assertIn('href="./df"', self.ask("/", accept=PAGE).response.text)
        self.assertEqual(names(self.ask("/", authorization="Bearer good")), ["uptime", "df", "reboot"])

    def test_openapi(self) -> None:
        """The description is of what this caller may run."""
        paths = self.ask("/-/openapi.json").response.json["paths"]
        runs = {"/-/runs": {"get"}, "/-/runs/{id}": {"get"}, "/-/runs/{id}/stop": {"post"}}
        self.assertEqual({path: set(described) - {"parameters"} for path, described in paths.items()},
                         {**runs, "/": {"get"}, "/df": {"get", "post"}, "/uptime": {"get", "post"}})  # fmt: skip
        mine = self.ask("/-/openapi.json", authorization="Bearer good").response.json["paths"]
        self.assertEqual(set(mine["/reboot"]), {"parameters", "post"})

    def test_openapi_is_utf_8(self) -> None:
        """People read it, too: nothing is escaped that needs not be."""
        self.composition = WebComposition(self, command(help="Wie lange läuft er schon?"))
        response = self.ask("/-/openapi.json").response

        self.assertIn("Wie lange läuft er schon?", response.text)
        self.assertEqual(response["content-type"], "application/json")

    def test_metrics(self) -> None:
        """Whoever asks sees what they may run."""
        client = self.ask("/metrics")
        self.assertEqual((client.response.text, client.response["content-type"]), (
            "a 1\n", "text/plain; version=0.0.4; charset=utf-8",
        ))  # fmt: skip
        self.ask("/metrics", authorization="Bearer good")
        self.assertEqual(self.composition.visible, [{"df", "uptime"}, {"df", "uptime", "reboot"}])

    def test_probe(self) -> None:
        """A read-only command is run for a scrape, as whoever asks; nothing else is."""
        client = self.ask("/-/probe?command=uptime")
        self.composition.spawner.last.ends(3)
        response = client.response
        self.assertEqual((response.status, response.text), (200, "uptime failed\n"))
        self.assertEqual(response["content-type"], "text/plain; version=0.0.4; charset=utf-8")

        started = len(self.composition.spawner.processes)
        for target, status in (
            ("/-/probe", 422),
            ("/-/probe?command=", 422),
            ("/-/probe?command=uptime&x=1", 422),
            ("/-/probe?command=reboot", 401),
            ("/-/probe?command=nothing", 401),
        ):
            self.assertEqual(self.ask(target).response.status, status, target)
        mine = self.ask("/-/probe?command=reboot", authorization="Bearer good").response
        self.assertEqual((mine.status, "read_only" in mine.text), (400, True))
        head = self.ask("/-/probe?command=uptime", "HEAD").response
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(len(self.composition.spawner.processes), started)
        other = self.ask("/-/probe?command=uptime", sec_fetch_site="cross-site").response
        self.assertEqual(other.status, 403)
        self.assertEqual(len(self.composition.spawner.processes), started)

    def test_static_files(self) -> None:
        """They are sent once, and only those that are listed."""
        first = self.ask("/-/static/list.css").response
        self.assertEqual((first.status, first["content-type"]), (200, "text/css; charset=utf-8"))
        again = self.ask("/-/static/list.css", if_none_match=f'"x", W/{first["etag"]}').response
        self.assertEqual((again.status, again.body), (304, b""))
        for path in ("", "list.css/", "nothing", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "__init__.py"):
            for said in ({}, {"authorization": "Bearer good"}, {"authorization": "Bearer bad"}):
                response = self.ask(f"/-/static/{path}", **said).response
                self.assertEqual((response.status, response["www-authenticate"]), (404, ""), path)

    def test_the_colour_of_the_label(self) -> None:
        """It has a sheet of its own, which the server makes."""
        response = self.ask("/-/static/site.css").response
        self.assertEqual(response.text, static.sheet_of(self.composition.front_end.site.about()).body.decode())
        self.assertIn("text/css", response["content-type"])

    def test_what_is_not_there(self) -> None:
        """Below the dash there is no command, and anything else is unknown."""
        for path in ("/-", "/-/", "/-/nothing", "/-/healthy/x", "/-/login/"):
            for said in ({}, {"authorization": "Bearer good"}):
                response = self.ask(path, **said).response
                self.assertEqual((response.status, response["www-authenticate"]), (404, ""), path)
        self.assertEqual([self.ask(each).response.status for each in ("/metrics/x", "/nothing")], [401, 401])

    def test_what_nobody_has_asked_for(self) -> None:
        """What browsers ask for by themselves is not there, for which nobody is asked who they are; nor is it noted."""
        for path in (
            "/favicon.ico",
            "/robots.txt",
            "/apple-touch-icon.png",
            "/apple-touch-icon-120x120-precomposed.png",
            "/.well-known/change-password",
            "/.well-known/appspecific/com.chrome.devtools.json",
        ):
            for method in ("GET", "HEAD"):
                said = {"accept": PAGE, "authorization": "Bearer bad", "referer": "http://ops.lan:2080/metrics"}
                client = self.ask(path, method, **said)
                self.assertIn(b" 404 ", client.value().partition(b"\r\n")[0], path)
                self.assertNotIn(b"WWW-Authenticate", client.value())
        self.assertEqual((self.composition.ledger.requests, self.composition.listener_auth.logins), ([], []))
        for path in ("/favicon.icon", "/xfavicon.ico", "/-/favicon.ico", "/uptime/favicon.ico"):
            self.assertNotEqual(self.ask(path).response.body, b"There is none here.\n")

    def test_a_health_check_knows_an_address_and_no_name(self) -> None:
        """It is answered whatever Host says; everything else under a stranger's name is not."""
        for host in ("10.1.2.3:2080", "evil.example", "upstream_1"):
            self.assertEqual(self.ask("/-/healthy", host=host).response.status, 200, host)
        self.assertEqual(self.ask("/", host="10.1.2.3:2080").response.status, 200)
        for target in ("/", "/uptime", "/metrics", "/-/login", "/-/static/list.css", "/favicon.ico", "/-/healthy/x"):
            self.assertEqual(self.ask(target, host="evil.example").response.status, 421, target)
        self.assertEqual(self.ask("/-/healthy", host="a b").response.status, 400)

    def test_head(self) -> None:
        """It is answered as GET would be, without running anything and without a body."""
        for target in ("/", "/uptime", "/-/healthy", "/-/openapi.json", "/metrics", "/-/static/list.css"):
            client = self.ask(target, "HEAD")
            self.assertIn(b" 200 OK\r\n", client.value())
            self.assertTrue(client.value().endswith(b"\r\n\r\n"), target)
        self.assertEqual(self.composition.spawner.processes, [])
        self.assertIn(b" 401 ", self.ask("/nothing", "HEAD").value())
        self.assertIn(b" 405 ", self.ask("/reboot", "HEAD", authorization="Bearer good").value())

    def test_paths_are_decoded(self) -> None:
        """How a path is written does not matter, as long as it is text."""
        self.assertEqual(self.ask("/%2d/healthy").response.status, 200)
        for odd in ("/%ff", "/a%00b", "/a%0d%0ab", "/%e2%80%a8"):
            self.assertEqual(self.ask(odd).response.status, 400, odd)

    def test_every_answer_is_guarded(self) -> None:
        """No answer may be guessed at, kept, or put into a page of somebody else's."""
        for target, accept in (
            ("/", PAGE),
            ("/", JSON),
            ("/nothing", "*/*"),
            ("/-/healthy", "*/*"),
            ("/-/login", PAGE),
        ):
            response = self.ask(target, accept=accept).response
            self.assertEqual(response["x-content-type-options"], "nosniff")
            self.assertEqual(response["cache-control"], "no-store")
            self.assertEqual(response["cross-origin-resource-policy"], "same-origin")
            self.assertIn("frame-ancestors 'none'", response["content-security-policy"])
            self.assertNotIn("unsafe", response["content-security-policy"])
            self.assertEqual(response["server"], "")


class BelowAPathTests(SiteTestCase):
    """A proxy serves us below a path: all that is referred to lies below it, whether it keeps the path or not."""

    base_path = "/ops"

    def outside(self, client: Client, asked: str) -> list[str]:
        """Say what a page that is seen at an address refers to which does not lie below the path."""
        seen = f"http://cmd.example{asked}"
        names = ("href", "src", "action", "data-path")
        elements = [attributes for _, attributes in Read(client.response.body).elements]
        referred = [attributes[name] or "" for attributes in elements for name in names if name in attributes]
        self.assertTrue(referred)
        below = f"http://cmd.example{self.base_path}/"
        return [each for each in referred if not (each == "#main" or urljoin(seen, each).startswith(below))]

    def test_pages(self) -> None:
        """Every link, form and file, on pages of every kind."""
        for base_path, kept in (("", ""), ("/ops", "/ops"), ("/ops", "")):
            self.composition.base_path = base_path
            for target, status in (
                ("/", 200),
                ("/uptime/a/b", 422),
                ("/nothing/at/all", 401),
                ("/-/nothing", 404),
                ("/-/login?next=/df", 200),
                ("/%ff/x", 400),
                ("/reboot/now?a=/b", 405),
            ):
                said = {"authorization": "Bearer good"} if status == 405 else {}
                client = self.ask(kept + target, accept=PAGE, **said)
                self.assertEqual(client.response.status, status, target)
                self.assertEqual(self.outside(client, self.base_path + target), [], target)

    def test_without_a_slash(self) -> None:
        """The path itself is the list, with links that lead below it."""
        self.composition.base_path = self.base_path
        client = self.ask("/ops", accept=PAGE)
        self.assertEqual((client.response.status, self.outside(client, "/ops")), (200, []))

    def test_a_run(self) -> None:
        """The page of a run, in one piece and in many."""
        for base_path in ("", self.base_path):
            self.composition.base_path = base_path
            for seconds in (0.0, PATIENCE_SECONDS):
                client = self.ask(f"{base_path}/uptime", accept=PAGE)
                self.composition.clock.advance(seconds)
                self.composition.process.ends()
                self.assertEqual(self.outside(client, "/ops/uptime"), [])

    def test_documents(self) -> None:
        """Where what OpenAPI describes is, seen from outside."""
        for base_path, asked in (("", ""), ("/ops", "/ops"), ("/ops", "")):
            self.composition.base_path = base_path
            servers = self.ask(f"{asked}/-/openapi.json").response.json["servers"]
            self.assertEqual(urljoin("http://cmd.example/ops/-/openapi.json", servers[0]["url"]).rstrip("/"),
                             "http://cmd.example/ops")  # fmt: skip
            self.assertEqual(servers[1]["url"], f"http://{HOST}{asked}")
            (listed,) = self.ask(f"{asked}/", accept=JSON).response.json["commands"][:1]
            self.assertEqual(listed["address"], f"{asked}/uptime")

    def test_the_cookie(self) -> None:
        """It is for what lies below the path, as far as that is known, and for nobody beside it."""
        for base_path, asked, path in (("", "", "/"), ("/ops", "/ops", "/ops"), ("/ops", "", "/")):
            self.composition.base_path = base_path
            text = self.ask(f"{asked}/-/login", accept=PAGE).response.text
            token = text.partition('name="csrf-token" value="')[2].partition('"')[0]
            form = f"name=ada&password=right&csrf-token={token}".encode()
            made = self.composition.ask_for(f"{asked}/-/login", "POST", body=form).response
            self.assertIn(f"; Path={path};", made["set-cookie"])
            self.assertEqual(made["location"], "../")


class ErrorTests(SiteTestCase):
    def test_every_code_has_a_status(self) -> None:
        """The table has all of them that are answers."""
        self.assertEqual(set(STATUS), set(Code) - UNASKED)

    def test_what_an_error_looks_like(self) -> None:
        """As whatever was asked for; a stream that did not begin is told in JSON."""
        error = {"code": "bad_argument", "message": "uptime takes no arguments, but got: x"}
        for accept in (JSON, "text/event-stream"):
            self.assertEqual(json.loads(self.ask("/uptime/x", accept=accept).response.body), {"error": error})
        self.assertEqual(self.ask("/uptime/x").response.text, f"cmdserver: bad_argument: {error['message']}\n")
        self.assertIn(error["message"], self.ask("/uptime/x", accept=PAGE).response.text)

    def test_limits(self) -> None:
        """An allowance that is used up says how long to wait."""
        self.composition.throttle.per_minute = 1
        self.ask("/")
        response = self.ask("/").response

        self.assertEqual((response.status, response["retry-after"]), (429, "60"))

    def test_a_timeout(self) -> None:
        """504, with what was said so far; in JSON too."""
        for accept in ("*/*", JSON):
            client = self.ask("/uptime", accept=accept)
            self.composition.process.says(b"half\n")
            self.composition.clock.advance(30)
            self.composition.clock.advance(0)
            self.assertEqual(client.response.status, 504, accept)
            self.assertIn("half", client.response.text)

    def test_a_fault(self) -> None:
        """The id and nothing else; what happened is in the log."""
        self.composition.ledger.is_full = True
        response = self.ask("/uptime").response

        self.assertEqual(response.status, 500)
        self.assertRegex(response.text, r"\Acmdserver: fault: internal fault [0-9a-f]{16};")

    def test_a_mistake_of_ours(self) -> None:
        """Nobody waits for an answer that will not come, and nobody is shown a traceback."""
        self.patch(self.composition.dispatcher, "authorize", lambda *_: 1 / 0)
        response = self.ask("/uptime").response

        self.assertEqual(response.status, 500)
        self.assertNotIn("ZeroDivisionError", response.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_methods(self) -> None:
        """What an address does not have is 405 with what it has; strangers are not told of commands by it."""
        self.assertEqual(self.ask("/uptime", "PUT").response["allow"], "GET, HEAD, POST")
        self.assertEqual(self.ask("/reboot", "PUT").response["allow"], "GET, HEAD, POST")
        self.assertEqual(self.ask("/reboot", "PUT", authorization="Bearer good").response["allow"], "POST")
        self.assertEqual(self.ask("/", "POST", content_length="0").response["allow"], "GET, HEAD")

    def test_every_request_is_written_down(self) -> None:
        """What comes to nothing too, with why."""
        for target in ("/nothing", "/uptime/x", "/%ff", "/-/x"):
            self.ask(target)
        self.ask("/", "PUT")

        self.assertEqual(
            self.composition.outcomes,
            [Code.UNKNOWN_COMMAND, Code.BAD_ARGUMENT, Code.MALFORMED, Code.UNKNOWN_COMMAND, Code.MALFORMED],
        )


class AccessLogTests(SiteTestCase):
    def test_a_line_a_request(self) -> None:
        """Who, what, and how it ended; nothing of it can be taken for anything else."""
        with capturedLogs() as events:
            self.ask("/", authorization="Bearer good")
            self.ask('/x"%20-?' + "y" * 1000)
            gone = self.ask("/uptime")
            gone.gone()
            self.composition.connect().says(b"\x85forged\r\n")
        lines = [event["line"] for event in events if event["log_namespace"] == "cmdserver.web.access"]

        self.assertEqual(len(lines), 4, lines)
        self.assertRegex(lines[0], r'\A192\.0\.2\.1 "ada" "GET / HTTP/1\.1" 200 \d+ 0\.000 done\Z')
        self.assertTrue(lines[1].startswith(r'192.0.2.1 - "GET /x\"%20-?yyyy'), lines[1])
        self.assertLess(len(lines[1]), access_log.LONGEST_TARGET + 100)
        self.assertIn('... HTTP/1.1" ', lines[1])
        self.assertTrue(lines[2].endswith(" cut"))
        self.assertEqual(lines[3], "192.0.2.1 - - 400 0 0.000 done")
        self.assertTrue(all(line.isascii() and line.isprintable() for line in lines))


class TrendTests(SynchronousTestCase):
    """What is told of what a check has found before."""

    def setUp(self) -> None:
        unit = Parameter(name="unit", label="Unit", type=String(), is_required=False, default=("a",))
        pin = Parameter(name="pin", label="PIN", type=Secret(), is_required=False, default=("0",))
        self.commands = (
            command("load", check=Check()),
            taking("unit", ["{unit}"], unit, check=Check()),
            taking("peek", ["x"], pin, check=Check(), stdin="{pin}"),
        )
        self.composition = WebComposition(self, *self.commands)
        self.site = self.composition.front_end.site
        self.allow("*")

    def allow(self, pattern: str) -> None:
        """Let ada run these, and no other, and see all runs."""
        role = Role(name="r", patterns=(pattern,), users=frozenset({"ada"}), sees=("*",))
        self.composition.dispatcher.reconfigure(Policy(self.commands, [role], frozenset()))

    def look(self, target: str) -> tuple[Read, RunRecord]:
        """Let ada run a check that finds a warning; read its page."""
        client = self.composition.ask_for(target, accept=PAGE, authorization=ADA)
        self.composition.process.says(b"WARNING - much | a=5;1;9\n")
        self.composition.process.ends(1)
        latest = self.successResultOf(self.site.dispatcher.runs.latest(user("ada")))
        return Read(client.response.body), latest[target.strip("/").partition("?")[0]]

    def test_the_page(self) -> None:
        """State, sentence and values, with the day, which this run begins."""
        page, _ = self.look("/load")
        text = "|".join(page.text)

        self.assertIn("▲ WARNING load – shop1", page.text)
        self.assertIn("|WARNING|much|", text)
        self.assertIn("|a|WARNING|5|warning over 1, critical over 9|5|", text)
        self.assertEqual([each["class"] for each in page.all("svg")], ["limits", "plot"])

    def test_who_may_know(self) -> None:
        """Who may run it, of the same values, and of the day before."""
        _, record = self.look("/load")
        ada, yesterday = user("ada"), self.site.time_of_day() - 86_401
        known = self.site.trend(ada, record)
        self.allow("unit")

        self.assertIsNotNone(known)
        self.assertIsNone(self.site.trend(ada, record))
        self.allow("*")
        self.assertIsNone(self.site.trend(user("guy"), record))
        for differences in ({"arguments": ("a=1",)}, {"asked_at": yesterday}, {"command": "gone"}):
            self.assertIsNone(self.site.trend(ada, replace(record, **differences)))

    def test_other_values(self) -> None:
        """They are of something else; a secret may have been another one."""
        _, usual = self.look("/unit?unit=a")
        _, other = self.look("/unit?unit=b")
        self.composition.events.publish([replace(self.composition.ledger.requests[-1], command="peek", arguments=())])

        self.assertIsNotNone(self.site.trend(user("ada"), usual))
        self.assertIsNone(self.site.trend(user("ada"), other))
        self.assertIsNone(self.site.trend(user("ada"), replace(usual, command="peek", arguments=())))
