"""Tests that docs/probe.md says what the program does."""

import re
import shlex
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver_probe.kind_table import KINDS
from cmdserver_probe.kinds import http
from cmdserver_probe.options import parse, parser_of
from cmdserver_probe.report import Finding
from tests.probe.test_report import a_report

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "probe.md"


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not DOCUMENT.exists():
            text = "the documents are not here"
            raise SkipTest(text)
        self.text = DOCUMENT.read_text(encoding="utf-8")

    def _rows(self, heading: str) -> list[list[str]]:
        section = self.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)
        return [row.split(" | ") for row in rows]

    def test_every_kind(self) -> None:
        """The table has the steps, the usual ports and no other kind."""
        found = {}
        for kind, target, steps, *_ in self._rows("Kinds"):
            form, _, ports = target.partition(" ")
            found[kind.strip("`")] = (form.strip("`"), re.findall(r"\d+", ports), re.findall(r"`(\w+)`", steps))

        self.assertEqual(
            found,
            {
                name: (kind.target, [str(port) for port in (kind.port, kind.tls_port) if port], list(kind.steps))
                for name, kind in KINDS.items()
            },
        )

    def test_every_option(self) -> None:
        """The table has those of all kinds."""
        found = {option.split(" ")[0] for row in self._rows("Options") for option in re.findall(r"`(-[^`]+)`", row[0])}
        there = {
            option for name in KINDS for action in parser_of(name)._actions for option in action.option_strings
        } - {"-h", "--help"}

        self.assertEqual(found, there)

    def test_the_examples(self) -> None:
        """There are three of each kind, and all are right."""
        (block,) = re.findall(r"^```sh\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        lines = [shlex.split(line) for line in block.splitlines() if line and not line.startswith("#")]

        self.assertEqual({line[0] for line in lines}, {"cmdserver-probe"})
        self.assertEqual([parse(line[1:]).kind for line in lines], [name for name in KINDS for _ in range(3)])

    def test_what_commands_run(self) -> None:
        """The `run` of each example of the configuration is right, with a host for the parameter."""
        runs = re.findall(r"^run = \[(.*?)\]$", self.text, re.MULTILINE | re.DOTALL)

        self.assertEqual(len(runs), 2)
        for run in runs:
            words = [word.replace("{host}", "h.example.org") for word in re.findall(r'"([^"]*)"', run)]
            self.assertEqual(words[0], "cmdserver-probe")
            parse(words[1:])

    def test_the_fields_of_json(self) -> None:
        """They are named, in order."""
        sentence = self.text.partition("`--json` prints ")[2].partition("\n")[0]
        named = re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", sentence))

        self.assertEqual(named, list(a_report(Finding("so")).as_json()))

    def test_the_bounds(self) -> None:
        """They are those of the code."""
        self.assertIn(f"the first {http.BODY_OCTETS:,} bytes", self.text)
