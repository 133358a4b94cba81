"""jc's parsers: which there are, and what they make of output, whatever it is."""

import json
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.data import Json
from cmdserver.core.output import NotParsed
from cmdserver.parsers.jc_library import NotInstalled, load, load_if_installed, parse
from tests.doubles import LAW, without_jc

pytest.importorskip("jc", reason="jc is not installed")

DF = (
    b"Filesystem      Size  Used Avail Use% Mounted on\n"
    b"/dev/vda        252G   24G   78G  24% /\n"
)  # fmt: skip
ROW = {
    "filesystem": "/dev/vda",
    "size": 252 << 30,
    "used": 24 << 30,
    "available": 78 << 30,
    "use_percent": 24,
    "mounted_on": "/",
}


class LoadTests(TestCase):
    def test_names(self) -> None:
        """Names are jc's, with dashes or with underscores."""
        for name in ("df", "uptime", "apt-cache-show", "apt_cache_show"):
            with self.subTest(name):
                self.assertEqual(load(name), name)

    def test_what_is_no_parser(self) -> None:
        """Mistakes are told with what may have been meant; no name reaches beyond jc's parsers."""
        cases = {
            "dff": "did you mean df?",
            "": "has no parser",
            "df.uptime": "has no parser",
            "../df": "has no parser",
            "abstract": "has no parser",
            "ls-s": "use ls",
        }
        for name, text in cases.items():
            with self.subTest(name), self.assertRaises(ValueError) as caught:
                load(name)
            self.assertIn(text, str(caught.exception))

    def test_without_jc(self) -> None:
        """Where jc is missing, it is said what to install; who can do without, does."""
        with without_jc():
            with self.assertRaisesRegex(NotInstalled, r"cmdserver\[structured\]"):
                load("df")
            self.assertIsNone(load_if_installed("df"))
        self.assertEqual("df", load_if_installed("df"))


class ParseTests(TestCase):
    def refused(self, parser: str, output: bytes) -> str:
        """Say why there are no data."""
        with self.assertRaises(NotParsed) as caught:
            parse(parser, output)
        return str(caught.exception)

    def test_df(self) -> None:
        """A table is a list of rows."""
        self.assertEqual([ROW], parse("df", DF))

    def test_what_cannot_be(self) -> None:
        """Of a table whose columns were taken for one another none is believed."""
        output = b"Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/sda1 10 4 5 4300% /\n"
        self.assertIn("cannot be what its name says", self.refused("df", output))

    def test_formats_call_their_values_as_they_like(self) -> None:
        """A file in YAML may have a percentage of -3; what a command prints may not."""
        pytest.importorskip("ruamel.yaml", reason="jc cannot read YAML here")

        self.assertEqual([{"use_percent": -3, "mounted_on": "x"}], parse("yaml", b"use_percent: -3\nmounted_on: x\n"))

    def test_commands_of_this_host(self) -> None:
        """What they print is believed."""
        for parser, output in (
            ("uptime", b" 04:37:01 up 57 min,  0 users,  load average: 0.10, 0.20, 0.30\n"),
            ("free", b"               total        used        free\nMem:            7935        1204        4200\n"),
            (
                "ps",
                b"USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 1 250 0.1 1 2 ? Ss 00:31 0:01 init\n",
            ),
            ("mount", b"proc on /proc type proc (rw,nosuid)\n/dev/vda on /mnt/a b type ext4 (rw)\n"),
        ):
            with self.subTest(parser):
                self.assertIsNotNone(parse(parser, output))

    def test_odd_output(self) -> None:
        """What a parser stumbles over has no data."""
        for parser, output in (("uptime", b"no such thing\n"), ("uptime", b"\xff\x00"), ("json", b"{")):
            with self.subTest(parser):
                self.assertIn(f"the parser {parser} does not understand this output", self.refused(parser, output))

    def test_bounds(self) -> None:
        """A hundred bytes cannot become millions of values, and every number can be told."""
        pytest.importorskip("ruamel.yaml", reason="jc cannot read YAML here")
        levels = "\n".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        )
        self.assertIn("more than 100000 values", self.refused("yaml", f"a: &a [x]\n{levels}\n".encode()))
        self.assertEqual([{"x": None, "y": 2.0**64}], parse("yaml", b"x: .nan\ny: 18446744073709551616\n"))

    @LAW
    @given(
        output=st.binary(max_size=200),
        parser=st.sampled_from(["df", "uptime", "ps", "free", "csv", "ini", "kv", "yaml"]),
    )
    def test_any_output_is_json(self, output: bytes, parser: str) -> None:
        """Any bytes give what JSON can say, or nothing."""
        data: Json = None
        try:
            data = parse(parser, output)
        except NotParsed:
            return
        json.dumps(data, allow_nan=False)
