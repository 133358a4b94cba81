"""Tests of values over HTTP: where they come from, and what people are asked before a command runs."""

import json
from typing import Any
from urllib.parse import urlencode

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.model import Role
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.web.command_forms import CommandForms
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm
from cmdserver.frontends.web.request_values import RequestValues
from tests.frontends.web.doubles import Client, WebComposition
from tests.frontends.web.reading import Read
from tests.frontends.web.samples import EVERY, JOURNAL, PEEK, PICK, RESTART, SERVICES, SETPW, taking
from tests.running_doubles import command

PAGE, JSON = "text/html", "application/json"
RELOAD = command("reload", read_only=False, confirm=("Reload everything?",))
COMMANDS = (JOURNAL, RESTART, SETPW, PEEK, EVERY, SERVICES, PICK, RELOAD)


class FormTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, *COMMANDS)

    @property
    def argv(self) -> list[str]:
        """What was run last, without its program."""
        return list(self.composition.process.argv[1:])

    def get(self, target: str, accept: str = PAGE, **more: Any) -> Client:
        """Look at something with a browser."""
        return self.composition.ask_for(target, accept=accept, authorization="Bearer good", **more)

    def post(self, target: str, accept: str = PAGE, **fields: str) -> Client:
        """Send a form."""
        body = urlencode({name.replace("__", "-"): value for name, value in fields.items()}).encode()
        return self.get(target, accept, method="POST", body=body)

    def assert_nothing_ran(self) -> None:
        """Look whether a process was started."""
        self.assertEqual(self.composition.spawner.processes, [])


class SourcesTests(FormTestCase):
    """Values come from the path, the query, a form and JSON."""

    def test_where_values_come_from(self) -> None:
        """They are the same values, however they come."""
        said = {"content_type": JSON}
        for ask in (
            lambda: self.get("/journal/nginx/7", "*/*"),
            lambda: self.get("/journal?unit=nginx&lines=7", "*/*"),
            lambda: self.get("/journal/nginx?lines=7", "*/*"),
            lambda: self.post("/journal", "*/*", unit="nginx", lines="7"),
            lambda: self.post("/journal?unit=nginx", "*/*", lines="7"),
            lambda: self.get("/journal", JSON, method="POST", body=b'{"unit": "nginx", "lines": 7}', **said),
            lambda: self.get(
                "/journal", JSON, method="POST", body=b'{"unit": ["nginx"], "lines": 7, "grep": null}', **said
            ),
        ):
            ask()
            self.assertEqual(self.argv, ["--unit=nginx", "--lines=7"])

    def test_paths_have_no_names(self) -> None:
        """An equals sign there is a part of a value."""
        response = self.get("/journal/unit=nginx", "*/*").response
        self.assertEqual(response.status, 422)
        self.get("/journal/nginx/5/2026-11-28T09:30/lines=3", "*/*")
        self.assertEqual(self.argv[-2:], ["--grep", "lines=3"])

    def test_several_values_of_one_name(self) -> None:
        """An array and repeated fields are the same; empty ones are none."""
        body = b'{"hosts": ["a", "b"], "note": "x"}'
        self.get("/every", JSON, method="POST", body=body, content_type=JSON)
        self.assertEqual(self.argv, ["a", "b", "-v"])
        self.get("/every", "*/*", method="POST", body=b"hosts=c&hosts=&hosts=d&hosts=&note=x&port=")
        self.assertEqual(self.argv, ["c", "d", "-v"])

    def test_twice(self) -> None:
        """What is given twice where one is meant is an error, wherever it was given."""
        for target in ("/journal/nginx?unit=nginx", "/journal?unit=nginx&unit=pg"):
            self.assertIn("unit was given twice", self.get(target, "*/*").response.text)
        self.assert_nothing_ran()

    def test_mistakes(self) -> None:
        """Programs get 422."""
        for accept in ("*/*", JSON, "text/event-stream"):
            response = self.get("/journal?unit=ngnix&lines=0", accept).response
            self.assertEqual(response.status, 422)
            self.assertIn("unit must be one of nginx, pg", response.text)
        self.assertEqual(json.loads(response.body)["error"]["code"], "bad_argument")
        self.assert_nothing_ran()
        self.assertEqual(self.composition.outcomes, [Code.BAD_ARGUMENT] * 3)

    def test_head(self) -> None:
        """It says whether it could be run."""
        for target, status in (("/journal?unit=nginx", b"200"), ("/journal?unit=x", b"422"), ("/restart", b"405")):
            for accept in ("*/*", PAGE):
                client = self.get(target, accept, method="HEAD")
                self.assertIn(b" %s " % status, client.value().partition(b"\r\n")[0], target)
        self.assert_nothing_ran()


class PageTests(FormTestCase):
    """What browsers get."""

    def test_without_values_there_is_a_form(self) -> None:
        """It is written down as help."""
        client = self.get("/journal")
        page = Read(client.response.body)

        self.assertEqual(client.response.status, 200)
        self.assertEqual([each["name"] for each in page.all("select")], ["unit"])
        self.assertNotIn("aria-invalid", client.response.text)
        self.assertEqual((page.all("form")[-1]["method"], page.all("form")[-1]["action"]), ("get", "./journal"))
        self.assertEqual([each.command for each in self.composition.ledger.requests], ["help"])
        self.assert_nothing_ran()

    def test_what_stands_in_the_address_is_run(self) -> None:
        """What was given is said, is given again, and can be changed first."""
        client = self.get("/journal?unit=nginx&lines=7")
        self.composition.process.says(b"said\n")
        self.composition.process.ends()
        page = Read(client.response.body)

        self.assertEqual(client.response.status, 200)
        self.assertIn("said\n", "".join(page.text))
        values = {each.get("name"): each.get("value") for each in page.all("input")}
        self.assertEqual((values["unit"], values["lines"]), ("nginx", "7"))
        change = "./journal?unit=nginx&lines=7&change-values=yes"
        self.assertIn(change, {each["href"] for each in page.all("a")})
        form = Read(self.get(change[1:]).response.body)
        self.assertIn({"value": "nginx", "selected": None}, form.all("option"))
        self.assertEqual(len(self.composition.spawner.processes), 1)

    def test_an_empty_form_was_sent_all_the_same(self) -> None:
        """A form with nothing in it runs the command, or says what is missing."""
        client = self.get("/journal?form-sent=yes&unit=&lines=&grep=")
        self.assertEqual(client.response.status, 422)
        self.assertIn("Must be one of nginx, pg", client.response.text)

    def test_mistakes(self) -> None:
        """Each is at its field, with the focus on the first; what was typed is there, and nothing has run."""
        client = self.get("/journal?unit=nginx&lines=0&grep=-x&since=2026-11-28T09:30Z&utc=on")
        page = Read(client.response.body)
        fields = {each["name"]: each for each in page.all("input") if "name" in each}

        self.assertEqual(client.response.status, 422)
        self.assertEqual(fields["lines"]["value"], "0")
        self.assertEqual([name for name, each in fields.items() if "autofocus" in each], ["lines"])
        self.assertEqual([name for name, each in fields.items() if each.get("aria-invalid")], ["lines", "grep"])
        self.assertIn("value-grep-mistake", str(fields["grep"]["aria-describedby"]))
        self.assertEqual((fields["since"]["type"], fields["since"]["value"]), ("text", "2026-11-28T09:30Z"))
        self.assertIn("checked", fields["utc"])
        text = "".join(page.text)
        self.assertIn("2 values are not accepted: Lines, Only lines with. Nothing has run.", text)
        self.assertIn('Must not begin with "-"; accepted is a line of 1 to 60 characters.', text)
        self.assertLess({"#value-lines", "#value-grep"}, {each["href"] for each in page.all("a")})
        self.assert_nothing_ran()
        self.assertEqual(self.composition.outcomes, [Code.BAD_ARGUMENT])

    def test_suggestions(self) -> None:
        """What is nearest is asked for; what a list cannot show is quoted."""
        text = "".join(Read(self.get("/journal?unit=ngnix").response.body).text)
        self.assertIn("You gave “ngnix”. Must be one of nginx, pg. Did you mean nginx?", text)
        self.assertIn("Units is no parameter of this command; did you mean unit?",
                      "".join(Read(self.get("/journal?unit=nginx&units=x").response.body).text))  # fmt: skip

    def test_what_changes_something(self) -> None:
        """GET shows the form, filled in, and only what is typed wrong is called so."""
        for target, status in (("/restart", 405), ("/restart?unit=nginx", 405), ("/restart?unit=ngnix", 405)):
            client = self.get(target)
            self.assertEqual((client.response.status, client.response["allow"]), (status, "POST"))
            self.assertEqual("Did you mean nginx?" in client.response.text, "ngnix" in target)
            self.assertEqual("selected>nginx" in client.response.text, target.endswith("=nginx"))
        self.assertEqual(Read(client.response.body).all("form")[-1]["method"], "post")
        self.assert_nothing_ran()

    def test_who_is_led_here(self) -> None:
        """A link elsewhere fills the form in, and runs nothing."""
        seen = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document", "sec_fetch_site": "cross-site"}
        client = self.get("/journal?unit=nginx&lines=7", **seen)
        self.assertEqual(client.response.status, 200)
        self.assertIn("Another site has led you here", client.response.text)
        self.assertIn('value="7"', client.response.text)
        self.assert_nothing_ran()

    def test_what_others_may_give_is_not_on_the_form(self) -> None:
        """A caller sees their own choices."""
        roles = [
            Role(name="web", patterns=("journal",), users=frozenset({"ada"}), only={"journal": {"unit": ("ng*",)}})
        ]
        self.composition.dispatcher.reconfigure(Policy(COMMANDS, roles))
        for target in ("/journal", "/journal?unit=pgg", "/journal?unit=nginx"):
            client = self.get(target)
            if self.composition.spawner.processes:
                self.composition.process.ends()
            self.assertIn("nginx", client.response.text)
            self.assertNotIn("The database", client.response.text)
            self.assertNotIn('value="pg"', client.response.text)

    def test_what_others_may_give_is_denied_at_its_field(self) -> None:
        """As every mistake is, with what was typed."""
        only = {"journal": {"grep": ("up*",)}}
        roles = [Role(name="web", patterns=("journal",), users=frozenset({"ada"}), only=only)]
        self.composition.dispatcher.reconfigure(Policy(COMMANDS, roles))
        client = self.get("/journal?unit=nginx&grep=down")
        (field,) = [each for each in Read(client.response.body).all("input") if each.get("name") == "grep"]
        self.assertEqual((client.response.status, field["value"], field["aria-invalid"]), (403, "down", "true"))
        self.assertEqual(self.get("/restart?unit=nginx").response.status, 403)
        self.assertEqual(self.composition.outcomes, [Code.DENIED] * 2)
        self.assert_nothing_ran()


class ChoicesTests(FormTestCase):
    """Choices that another command prints."""

    def test_the_form_lists_them(self) -> None:
        """They are asked for when somebody is to choose."""
        client = self.get("/pick")
        self.assertEqual(client.responses, [])
        self.composition.process.says(b"nginx\nphp-fpm\n")
        self.composition.process.ends()
        self.assertEqual([each["value"] for each in Read(client.response.body).all("option")], ["", "nginx", "php-fpm"])

    def test_where_the_list_fails(self) -> None:
        """People type what they know."""
        client = self.get("/pick")
        self.composition.process.ends(1)
        self.flushLoggedErrors()
        self.assertEqual(client.response.status, 200)
        self.assertIn({"unit"}, [{each.get("name")} for each in Read(client.response.body).all("input")])

    def test_a_run(self) -> None:
        """The list is asked before for the value."""
        client = self.get("/pick?unit=nginx")
        for said in (b"nginx\nphp-fpm\n", b"done\n"):
            self.composition.process.says(said)
            self.composition.process.ends()
            self.composition.turn()
        self.assertEqual(client.response.status, 200)
        self.assertIn("done\n", "".join(Read(client.response.body).text))

    def test_a_value_that_is_not_in_it(self) -> None:
        """It is said at its field."""
        client = self.get("/pick?unit=ngnix")
        for _ in range(2):
            self.composition.process.says(b"nginx\n")
            self.composition.process.ends()
            self.composition.turn()
        self.assertEqual(client.response.status, 422)
        self.assertIn("Did you mean nginx?", client.response.text)
        self.assertIn(Code.BAD_ARGUMENT, self.composition.outcomes)

    def test_who_leaves(self) -> None:
        """Whoever does not wait for the list leaves nothing behind."""
        client = self.get("/pick")
        client.gone()
        self.composition.turn()
        self.assertEqual(self.composition.spawner.signals[0][1], "SIGTERM")


class ConfirmationTests(FormTestCase):
    """Commands that ask whether they are meant."""

    def test_people_are_asked(self) -> None:
        """The question comes in place of the run, with the values to be sent again."""
        client = self.post("/restart", unit="nginx")
        page = Read(client.response.body)
        self.assertEqual(client.response.status, 200)
        self.assert_nothing_ran()
        self.assertIn("Restart nginx?", page.text)
        (heading,) = page.all("h2")
        self.assertEqual((heading["tabindex"], "autofocus" in heading), ("-1", True))
        self.assertIn("./restart?unit=nginx", {each["href"] for each in page.all("a")})
        hidden = {str(each["name"]): str(each["value"]) for each in page.all("input")}
        self.assertEqual(hidden.keys(), {"csrf-token", "run-confirmed", "unit"})
        self.assertEqual([each.command for each in self.composition.ledger.requests], ["help"])

        again = self.composition.ask_for(
            "/restart", "POST", body=urlencode(hidden).encode(), accept=PAGE, authorization="Bearer good"
        )
        self.composition.process.ends()
        self.assertEqual((again.response.status, self.argv), (200, ["nginx"]))

    def test_programs_are_not(self) -> None:
        """Whoever wants no page has meant it."""
        for number, accept in enumerate(("*/*", JSON, "text/event-stream"), 1):
            self.post("/restart", accept, unit="nginx")
            self.assertEqual(len(self.composition.spawner.processes), number)

    def test_mistakes_come_first(self) -> None:
        """Nobody is asked about what cannot be run."""
        client = self.post("/restart", unit="x")
        self.assertEqual(client.response.status, 422)
        self.assertNotIn("Restart x?", client.response.text)

    def test_without_parameters(self) -> None:
        """The same without values; and no script runs it unasked."""
        self.assertNotIn("data-path", self.get("/reload").response.text)
        self.assertIn("Reload everything?", self.post("/reload").response.text)
        self.assert_nothing_ran()
        self.post("/reload", run__confirmed="yes")
        self.assertEqual(len(self.composition.spawner.processes), 1)

    def test_what_only_reads_is_asked_about_too(self) -> None:
        """Its form is a POST, as no address says yes."""
        look = taking("look", ["{unit}"], *RESTART.parameters, confirm="Look at {unit}?")
        self.composition = WebComposition(self, look)
        client = self.get("/look?unit=nginx")
        self.assertEqual(Read(client.response.body).all("form")[-1]["method"], "post")
        self.assertIn("Look at nginx?", self.post("/look", unit="nginx").response.text)
        self.assert_nothing_ran()

    def test_text_of_several_lines_is_sent_again(self) -> None:
        """As it was typed."""
        send = taking("send", [], EVERY.parameters[7], stdin="{note}", confirm="Send?", read_only=False)
        self.composition = WebComposition(self, send)
        page = Read(self.post("/send", note="one\r\n\ttwo <b>\n").response.body)
        self.assertIn("one\r\n\ttwo <b>\n", "".join(page.text))
        self.assertEqual([each["name"] for each in page.all("textarea")], ["note"])

    def test_secrets_are_in_no_second_page(self) -> None:
        """The form itself has a box for the yes; without it nothing runs, and the secret is gone."""
        client = self.post("/setpw", user="ann", password="hunter2")
        self.assertEqual(client.response.status, 422)
        self.assertIn("Please confirm", client.response.text)
        self.assertIn("Yes: Change it for ann?", client.response.text)
        self.assertNotIn("hunter2", client.response.text)
        self.assert_nothing_ran()
        self.post("/setpw", user="ann", password="hunter2", run__confirmed="yes")
        self.assertEqual(self.argv, ["ann"])


class SecretTests(FormTestCase):
    """No secret is in a page, an address, or a log."""

    def everything(self, ask: Any) -> str:
        """Ask something; return all that is said of it, to the client and to the logs."""
        with capturedLogs() as events:
            client = ask()
            if self.composition.spawner.processes:
                self.composition.process.ends()
            client.gone()
        audit = repr(self.composition.ledger.events)
        return "\n".join([client.value().decode(), audit, *(str(event.get("said", event)) for event in events)])

    def test_in_an_address(self) -> None:
        """It is refused by its name before anything runs, in whatever representation."""
        for target in ("/setpw?user=ann&password=hunter2", "/setpw/ann/hunter2", "/peek?user=ann&pin=hunter2"):
            for method in ("GET", "POST", "HEAD"):
                for accept in ("*/*", JSON, PAGE):
                    body = b"" if method == "POST" else None
                    said = self.everything(lambda: self.get(target, accept, method=method, body=body))  # noqa: B023
                    self.assertIn(" 422 ", said)
                    self.assertNotIn("hunter2", said)
        self.assert_nothing_ran()
        text = self.get("/setpw?user=ann&password=hunter2", "*/*").response.text
        self.assertIn("bad_argument: password must not be in an address", text)

    def test_in_a_form(self) -> None:
        """It is run, or refused; the page does not have it either way."""
        for fields in (
            {"user": "ann", "password": "hunter2", "run__confirmed": "yes"},
            {"user": "-ann", "password": "hunter2"},
            {"user": "ann", "password": "hunter2"},
            {"user": "ann", "password": "-hunter2"},
            {"user": "ann", "password": "hunter2", "pass": "x"},
        ):
            self.assertNotIn("hunter2", self.everything(lambda: self.post("/setpw", **fields)))  # noqa: B023

    def test_a_default(self) -> None:
        """Nor is it in the form."""
        page = Read(self.get("/peek").response.body)
        (field,) = [each for each in page.all("input") if each.get("name") == "pin"]
        self.assertEqual((field["type"], field["autocomplete"], "value" in field), ("password", "off", False))
        self.assertNotIn("0000", self.get("/peek").response.text)
        self.assertEqual(page.all("form")[-1]["method"], "post", "an address would have it")

    def test_no_form_knows_one(self) -> None:
        """What was typed is kept without it from the beginning."""
        asked = RequestValues(("setpw", "ann"), (), [("password", "hunter2")])
        filled = CommandForms(self.composition.front_end.site).filled(asked, SETPW)
        self.assertEqual((filled.texts, filled.values), ({"user": ("ann",)}, {"user": ["ann"]}))
        self.assertNotIn("pin", FilledForm(command=PEEK).values)

    def test_the_access_log(self) -> None:
        """Whatever is wrong with a request, its line has neither query nor path of such a command."""
        targets = (
            "/setpw?password=hunter2",
            "/setpw/ann/hunter2",
            "//setpw?password=hunter2",
            "//setpw/hunter2",
            "/x/setpw/hunter2?password=hunter2",
            "/%73etpw/hunter2",
            "/setpw?password=%ffhunter2",
            "/setpw/%00hunter2",
            "http://cmd.example/setpw?password=hunter2",
            "setpw?password=hunter2",
            "/-/login?next=/setpw%3Fpassword%3Dhunter2",
            "/-/login?next=%2Fsetpw%2Fhunter2",
        )
        for target in targets:
            for more in ({}, {"host": "evil.example"}):
                said = self.everything(lambda: self.composition.ask_for(target, accept="*/*", **more))  # noqa: B023
                self.assertIn("... HTTP/1.1", said, target)
                if "next=" not in target:
                    self.assertNotIn("hunter2", said, target)
        with capturedLogs() as events:
            self.get("/journal?unit=nginx", "*/*").gone()
            self.get("/setpw").gone()
        lines = [str(event["line"]) for event in events if event["log_namespace"] == "cmdserver.web.access"]
        self.assertIn("GET /journal?unit=nginx HTTP/1.1", lines[0])
        self.assertIn("GET /setpw HTTP/1.1", lines[1])

    def test_the_way_to_the_login(self) -> None:
        """Who has to log in first comes back to the form, and not with the secret."""
        client = self.composition.ask_for("/setpw?user=ann&password=hunter2", accept=PAGE)
        self.assertEqual(client.response.status, 401)
        self.assertNotIn("hunter2", client.response.text)
        self.assertIn('name="next" value="/setpw"', client.response.text)

    def test_a_name_that_is_spelled_wrong(self) -> None:
        """The audit file has no value that is called as a secret, nor what stands behind a name that takes one."""
        for target, fields in (
            ("/setpww", {"user": "ann", "password": "hunter2"}),
            ("//setpw/hunter2", {}),
            ("/x/setpw/ann/hunter2", {"pin": "hunter2"}),
        ):
            said = self.everything(lambda: self.post(target, "*/*", **fields))  # noqa: B023
            self.assertNotIn("hunter2", said)
        self.assertEqual(self.composition.ledger.requests[0].arguments, ("user=***", "password=***"))
