"""Output as data: what a parser makes of it, whatever it is, and once a run."""

import importlib
import json
from unittest import TestCase
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.rendering import answer_json
from cmdserver.structured import PATIENCE, NotInstalled, json_of, load, load_if_installed, parse
from tests.doubles import LAW, a_grant, an_answer, without_jc

pytest.importorskip("jc", reason="jc is not installed")

DF = (
    b"Filesystem      Size  Used Avail Use% Mounted on\n"
    b"/dev/vda        252G   24G   78G  24% /\n"
)  # fmt: skip
IFCONFIG = b"lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n"
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


class DataTests(TestCase):
    def test_df(self) -> None:
        """A table is a list of rows."""
        self.assertEqual([ROW], parse("df", DF))

    def test_odd_output(self) -> None:
        """What a parser stumbles over has no data; so has more than is looked at."""
        for parser, output in (
            ("uptime", b"no such thing\n"),
            ("uptime", b"\xff\x00"),
            ("json", b"{"),
            ("df", DF + b" " * (1 << 17)),
        ):
            with self.subTest(parser):
                self.assertIsNone(parse(parser, output))

    def test_slow_parsers(self) -> None:
        """A parser that would take minutes is stopped, and left alone when that was so three times."""
        self.addCleanup(load, load("ifconfig"))

        for length in range(20_000, 20_000 + PATIENCE):
            self.assertIsNone(parse("ifconfig", b"x" * length))

        self.assertIsNone(parse("ifconfig", IFCONFIG))
        load("ifconfig")
        self.assertIsInstance(parse("ifconfig", IFCONFIG), list)

    def test_bounds(self) -> None:
        """A hundred bytes cannot become millions of values, and every number can be told."""
        pytest.importorskip("ruamel.yaml", reason="jc cannot read YAML here")
        levels = "\n".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        )
        bomb = f"a: &a [x]\n{levels}\n".encode()

        self.assertIsNone(parse("yaml", bomb))
        self.assertEqual([{"x": None, "y": 2.0**64}], parse("yaml", b"x: .nan\ny: 18446744073709551616\n"))

    @LAW
    @given(
        output=st.binary(max_size=200),
        parser=st.sampled_from(["df", "uptime", "ps", "free", "csv", "ini", "kv", "yaml"]),
    )
    def test_any_output_is_json(self, output: bytes, parser: str) -> None:
        """Any bytes give what JSON can say, or nothing."""
        json.dumps(parse(parser, output), allow_nan=False)

    def test_incomplete_output(self) -> None:
        """What was cut, ended or not kept has no data: its last row would be wrong."""
        grant = a_grant(parser="df")
        whole = an_answer(grant, stdout=DF, stdout_bytes=len(DF))
        cases = [
            an_answer(grant, stdout=DF, stdout_bytes=len(DF), truncated=True),
            an_answer(grant, stdout=DF, stdout_bytes=len(DF), timed_out=True),
            an_answer(grant, stdout_bytes=len(DF)),
            an_answer(stdout=DF, stdout_bytes=len(DF)),
        ]

        self.assertEqual([ROW], json.loads(json_of(whole)))
        self.assertEqual([ROW], json.loads(json_of(an_answer(grant, stdout_bytes=len(DF)), DF)))
        self.assertEqual([b"null"] * 4, [json_of(answer) for answer in cases])

    def test_once_a_run(self) -> None:
        """Those who share a run share its data."""
        output = DF + b"tmpfs            24G     0   24G   0% /dev/shm\n"
        finished = an_answer(a_grant(parser="df"), stdout=output, stdout_bytes=len(output))
        module = importlib.import_module("jc.parsers.df")

        with patch.object(module, "_process", wraps=module._process) as process:
            self.assertIs(json_of(finished), json_of(finished))

        self.assertEqual(1, process.call_count)


class AnswerTests(TestCase):
    def test_json_answers_carry_data(self) -> None:
        """A command with a parser has ``data`` in its JSON answer; one without has no such key."""
        record = json.loads(answer_json(an_answer(a_grant(parser="df"), stdout=DF, stdout_bytes=len(DF))))

        self.assertEqual([ROW], record["data"])
        self.assertNotIn("data", json.loads(answer_json(an_answer(stdout=DF, stdout_bytes=len(DF)))))
