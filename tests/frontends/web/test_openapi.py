"""Tests of the description of commands for programs."""

import json
import re
from typing import Any
from unittest import TestCase

from msgspec.structs import replace

from cmdserver.core.model import Command
from cmdserver.frontends.common.rendering import answer_json
from cmdserver.frontends.web import openapi
from tests.checks.doubles import PLUGIN, plugin
from tests.frontends.web.samples import EVERY, JOURNAL, PEEK, RESTART, SETPW, taking
from tests.running_doubles import command


def paths(*commands: Command) -> Any:
    """Describe commands; return the operations."""
    return openapi.describe(commands, "..")["paths"]


def resolved(described: Any, schema: Any) -> Any:
    """Follow a reference."""
    found = described
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


class ParameterTests(TestCase):
    def test_queries(self) -> None:
        """What GET takes, POST takes too: fields of a query, with what is required and a schema of each."""
        described = openapi.describe([JOURNAL], "..")
        path = described["paths"]["/journal"]
        fields = {each["name"]: each for each in path["parameters"][2:]}
        self.assertEqual([resolved(described, each)["name"] for each in path["parameters"][:2]], ["Prefer", "follow"])
        self.assertEqual(set(path["post"]), {"operationId", "tags", "responses"})
        self.assertEqual(list(fields), ["unit", "lines", "since", "grep", "utc"])
        self.assertEqual([name for name, each in fields.items() if each.get("required")], ["unit"])
        self.assertEqual({each["in"] for each in fields.values()}, {"query"})
        self.assertEqual(fields["unit"]["schema"]["enum"], ["nginx", "pg"])
        self.assertEqual(fields["lines"]["schema"]["default"], 50)

    def test_bodies(self) -> None:
        """POST takes the same as a form and as JSON, and nothing else."""
        every = replace(EVERY, read_only=False)
        described = openapi.describe([RESTART, every], "..")
        body = described["paths"]["/restart"]["post"]["requestBody"]
        self.assertTrue(body["required"])
        self.assertEqual(set(body["content"]), {"application/json", "application/x-www-form-urlencoded"})
        for each in body["content"].values():
            schema = resolved(described, each["schema"])
            self.assertEqual((schema["required"], schema["additionalProperties"]), (["unit"], False))
        self.assertNotIn("get", described["paths"]["/restart"])
        several = described["components"]["schemas"]["every"]["properties"]
        self.assertEqual((several["hosts"]["type"], several["hosts"]["maxItems"]), ("array", 3))

    def test_secrets_are_in_no_query(self) -> None:
        """Where one must be given there is no GET."""
        described = openapi.describe([PEEK], "..")
        peek = described["paths"]["/peek"]
        self.assertEqual([each["name"] for each in peek["get"]["parameters"] if "name" in each], ["user"])
        body = peek["post"]["requestBody"]["content"]["application/json"]["schema"]
        properties = resolved(described, body)["properties"]
        self.assertEqual((properties["pin"]["format"], properties["pin"]["writeOnly"]), ("password", True))
        look = taking("look", ["{user}"], *SETPW.parameters, stdin="{password}")
        self.assertEqual(set(paths(look)["/look"]), {"parameters", "post"})

    def test_without_parameters(self) -> None:
        """Nothing is taken."""
        for read_only, methods in ((True, {"get", "post"}), (False, {"post"})):
            path = paths(command(read_only=read_only))["/uptime"]
            self.assertEqual(set(path), {"parameters", *methods})
            self.assertEqual([set(each) for each in path["parameters"]], [{"$ref"}, {"$ref"}])
            self.assertNotIn("requestBody", path["post"])

    def test_mistakes(self) -> None:
        """Their form is declared, as an answer with status 422."""
        described = openapi.describe([JOURNAL], "..")
        self.assertIn("errors", described["components"]["schemas"]["Error"]["properties"])
        refused = resolved(described, described["paths"]["/journal"]["get"]["responses"]["default"])
        self.assertIn("422 bad_argument", refused["description"])


class DocumentTests(TestCase):
    def test_every_reference_leads_somewhere(self) -> None:
        """What is shared is there."""
        described = openapi.describe([JOURNAL, RESTART, PEEK, EVERY, command()], "..")
        references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(described))

        self.assertGreater(len(references), 20)
        for each in references:
            self.assertTrue(resolved(described, {"$ref": each}))

    def test_the_budget(self) -> None:
        """Of two dozen commands, with as many parameters, less than 25 KB; and if all of them are checks."""
        for check in (None, PLUGIN):
            commands = [
                replace(each, name=f"{each.name}-{number}", help="What it does, in a line of some length", check=check)
                for number in range(8)
                for each in (JOURNAL if number < 4 else RESTART, command(), command(read_only=False))
            ]
            described = openapi.describe(commands, "..", "https://shop1.example:2443")

            self.assertEqual(len(commands), 24)
            self.assertLess(len(json.dumps(described, separators=(",", ":"))), 25_000)

    def test_checks(self) -> None:
        """What an answer has of them, and that one that has not passed is 503."""
        plain, check = command("plain"), command("load", check=PLUGIN)
        described = openapi.describe([plain, check], "..")
        for method in ("get", "post"):
            refused = described["paths"]["/load"][method]["responses"]["503"]
            self.assertIn("CRITICAL or UNKNOWN", resolved(described, refused)["description"])
            self.assertNotIn("503", described["paths"]["/plain"][method]["responses"])
        schema = described["components"]["schemas"]["Answer"]["properties"]["check"]
        self.assertEqual(schema["properties"]["state"]["enum"], ["OK", "WARNING", "CRITICAL", "UNKNOWN"])
        self.assertEqual(set(schema["required"]), set(json.loads(answer_json(plugin(b"x")))["check"]))
        said = json.loads(answer_json(plugin(b"x | a=1")))["check"]["performance"][0]
        self.assertEqual(set(schema["properties"]["performance"]["items"]["required"]), set(said))
        self.assertIn("check", described["components"]["schemas"]["Run"]["properties"])

    def test_tags(self) -> None:
        """Sections, in their order, and one for those without; runs have theirs."""
        described = openapi.describe(
            [command("a", section="Disks"), command("b"), command("c", section="Disks"), command("d", section="Runs")],
            "..",
        )

        self.assertEqual([each["name"] for each in described["tags"]], ["Disks", "Commands", "Runs"])
        self.assertEqual(described["paths"]["/a"]["get"]["tags"], ["Disks"])
        self.assertEqual(described["paths"]["/b"]["get"]["tags"], ["Commands"])
        self.assertEqual(described["paths"]["/-/runs"]["get"]["tags"], ["Runs"])

    def test_servers(self) -> None:
        """First where the description has come from, which no proxy changes; then as we know it."""
        self.assertEqual(openapi.describe([], "/ops")["servers"], [{"url": "/ops"}])
        described = openapi.describe([], "..", "https://shop1:2443")
        self.assertEqual([each["url"] for each in described["servers"]], ["..", "https://shop1:2443"])


class RunTests(TestCase):
    def test_runs(self) -> None:
        """Their list, one of them and what ends it are described; every command can be started for nobody who waits."""
        described = paths(command(read_only=False))

        self.assertEqual(set(described), {"/", "/uptime", "/-/runs", "/-/runs/{id}", "/-/runs/{id}/stop"})
        filters = [each["name"] for each in described["/-/runs"]["get"]["parameters"]]
        self.assertEqual(filters, ["command", "user", "state", "limit", "before"])
        self.assertIn("202", described["/uptime"]["post"]["responses"])
        self.assertEqual([each["name"] for each in described["/-/runs/{id}/stop"]["post"]["parameters"]], ["id"])
