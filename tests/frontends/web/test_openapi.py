"""Tests of the description of commands for programs."""

from typing import Any
from unittest import TestCase

from cmdserver.core.model import Command
from cmdserver.frontends.web import openapi
from tests.frontends.web.samples import EVERY, JOURNAL, PEEK, RESTART, SETPW, taking
from tests.running_doubles import command


def paths(*commands: Command) -> Any:
    """Describe commands; return the operations."""
    return openapi.describe(commands, "..")["paths"]


class ParameterTests(TestCase):
    def test_queries(self) -> None:
        """GET takes fields of a query, with what is required and a schema of each."""
        prefer, *in_query = paths(JOURNAL)["/journal"]["get"]["parameters"]
        fields = {each["name"]: each for each in in_query}
        self.assertEqual((prefer["name"], prefer["in"]), ("Prefer", "header"))
        self.assertEqual(list(fields), ["unit", "lines", "since", "grep", "utc"])
        self.assertEqual([name for name, each in fields.items() if each["required"]], ["unit"])
        self.assertEqual({each["in"] for each in fields.values()}, {"query"})
        self.assertEqual(fields["unit"]["schema"]["enum"], ["nginx", "pg"])
        self.assertEqual(fields["lines"]["schema"]["default"], 50)

    def test_bodies(self) -> None:
        """POST takes the same as a form and as JSON, and nothing else."""
        body = paths(RESTART)["/restart"]["post"]["requestBody"]
        self.assertTrue(body["required"])
        self.assertEqual(set(body["content"]), {"application/json", "application/x-www-form-urlencoded"})
        for each in body["content"].values():
            self.assertEqual((each["schema"]["required"], each["schema"]["additionalProperties"]), (["unit"], False))
        self.assertNotIn("get", paths(RESTART)["/restart"])
        several = paths(EVERY)["/every"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
        self.assertEqual((several["hosts"]["type"], several["hosts"]["maxItems"]), ("array", 3))

    def test_secrets_are_in_no_query(self) -> None:
        """Where one must be given there is no GET."""
        peek = paths(PEEK)["/peek"]
        self.assertEqual([each["name"] for each in peek["get"]["parameters"] if each["in"] == "query"], ["user"])
        properties = peek["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
        self.assertEqual((properties["pin"]["format"], properties["pin"]["writeOnly"]), ("password", True))
        look = taking("look", ["{user}"], *SETPW.parameters, stdin="{password}")
        self.assertEqual(set(paths(look)["/look"]), {"post"})

    def test_without_parameters(self) -> None:
        """Nothing is taken."""
        for operation in paths(command())["/uptime"].values():
            self.assertEqual([each["in"] for each in operation["parameters"]], ["header"])
            self.assertNotIn("requestBody", operation)

    def test_mistakes(self) -> None:
        """Their form is declared, as an answer with status 422."""
        described = openapi.describe([JOURNAL], "..")
        self.assertIn("errors", described["components"]["schemas"]["Error"]["properties"])
        self.assertIn("422", described["paths"]["/journal"]["get"]["responses"])


class RunTests(TestCase):
    def test_runs(self) -> None:
        """Their list, one of them and what ends it are described; every command can be started for nobody who waits."""
        described = paths(command(read_only=False))

        self.assertEqual(set(described), {"/", "/uptime", "/-/runs", "/-/runs/{id}", "/-/runs/{id}/stop"})
        filters = [each["name"] for each in described["/-/runs"]["get"]["parameters"]]
        self.assertEqual(filters, ["command", "user", "state", "limit", "before"])
        self.assertIn("202", described["/uptime"]["post"]["responses"])
        self.assertEqual([each["name"] for each in described["/-/runs/{id}/stop"]["post"]["parameters"]], ["id"])
