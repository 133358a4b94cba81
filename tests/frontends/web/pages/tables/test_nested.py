"""Values within values."""

from unittest import TestCase

from cmdserver.checks.data import Json
from cmdserver.frontends.web.pages.tables.nested import as_text, merged


class NestedTests(TestCase):
    def test_texts(self) -> None:
        """Each value is one text."""
        cases: list[tuple[Json, str]] = [
            (None, ""),
            (True, "yes"),
            (False, "no"),
            (5, "5"),
            (0.5, "0.5"),
            (["a", None, 1], "a, 1"),
            ({"a": 1, "b": ["x", "y"]}, "a 1, b x, y"),
            ([{"local": "192.0.2.1", "prefixlen": 24, "scope": "global"}], "192.0.2.1/24"),
            ([[[[[["deep"]]]]]], "…"),
        ]
        for value, text in cases:
            self.assertEqual(as_text("x", value), text)

    def test_processes(self) -> None:
        """Who has a socket open is told as name and number; other options as they are."""
        opts: Json = {"process_id": {"7": {"user": "sshd", "file_descriptor": "3"}, "8": {"user": "sshd"}}}
        self.assertEqual(as_text("opts", opts), "sshd (7), sshd (8)")
        self.assertEqual(as_text("opts", {"process_id": 5}), "process_id 5")
        self.assertEqual(as_text("opts", "text"), "text")

    def test_long_ones(self) -> None:
        """Are cut, and the cut is seen."""
        self.assertEqual(as_text("x", "y" * 201), "y" * 200 + "…")
        self.assertTrue(as_text("x", [1] * 100_000).endswith("…"))

    def test_what_belongs_together(self) -> None:
        """An address and its port are one; the same as a number is left out."""
        row: Json = {
            "local_address": "::1",
            "local_port": "22",
            "local_port_num": 22,
            "peer_address": "x",
            "size_num": 3,
        }
        self.assertEqual(merged(row), {"local": "::1:22", "peer_address": "x", "size_num": 3})  # type: ignore[arg-type]
