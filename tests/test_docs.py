"""Tests that the documents say what the code does: every key, code, word and audit field, and no other."""

import json
import re
from pathlib import Path

from msgspec import Struct
from msgspec.structs import fields
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver import settings, wire
from cmdserver.audit import _line
from cmdserver.errors import Code
from cmdserver.sshtransport import algorithms
from tests.running_doubles import requested

DOCS = Path(__file__).parent.parent / "docs"

SECTIONS: dict[str, type[Struct]] = {
    "Top level": settings.Settings,
    "`[[listen]]`": settings.Listen,
    "`[commands.NAME]`": settings.CommandSettings,
    "`[commands.NAME.limits]`": settings.ProcessLimits,
    "`[roles.NAME]`": settings.RoleSettings,
    "`[limits]`": settings.Limits,
    "`[tls]`": settings.TLS,
    "`[web]`": settings.Web,
    "`[audit]`": settings.Audit,
    "`[runner]`": settings.Runner,
}
#: Tables of their own, each with a section.
TABLES = {"listen", "commands", "roles", "limits", "tls", "web", "audit", "runner"}


def section(name: str, document: str) -> str:
    """Cut one section out of a document."""
    text = (DOCS / document).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{document} has no section {name}"
    return found[1]


def first_column(text: str) -> list[str]:
    """Read what stands in backquotes in the first column of the tables."""
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not DOCS.exists():
            text = "the documents are not here"
            raise SkipTest(text)

    def test_every_key_of_the_configuration(self) -> None:
        """docs/configuration.md has each key of each table, once."""
        for name, table in SECTIONS.items():
            keys = {info.encode_name for info in fields(table)}
            if table is settings.Settings:
                keys -= TABLES
            self.assertEqual(sorted(keys), sorted(first_column(section(name, "configuration.md"))), name)

    def test_every_algorithm(self) -> None:
        """docs/ssh-transport.md has each algorithm of SSH that is offered, in the order of preference of its kind."""
        offered = [
            *algorithms.KEY_EXCHANGES,
            *algorithms.HOST_KEYS,
            *algorithms.CIPHERS,
            *algorithms.MACS,
            *algorithms.LATE_MACS,
            *algorithms.COMPRESSIONS,
        ]
        users, hosts = set(algorithms.USER_KEYS), [name.decode() for name in offered]

        found = first_column(section("What is offered", "ssh-transport.md"))

        self.assertEqual(found[: len(hosts)], hosts)
        self.assertEqual(sorted(found[len(hosts) :]), sorted(name.decode() for name in users))

    def test_every_error(self) -> None:
        """docs/protocol.md has each code of the one vocabulary."""
        codes = {str(code) for code in Code} - {"ok"}

        self.assertEqual(codes, set(first_column(section("Errors", "protocol.md"))))

    def test_every_word(self) -> None:
        """docs/protocol.md has each word of the line protocol."""
        words = {word.split()[0] for word in first_column(section("A line", "protocol.md"))}

        self.assertEqual(wire.WORDS, words)

    def test_every_field_of_the_audit_file(self) -> None:
        """docs/operations.md has each field of a request's line."""
        line = json.loads(_line(requested(abandoned=True)))

        self.assertEqual(set(line), set(first_column(section("The audit file", "operations.md"))))
