"""Tests of gzip: who takes it, what is compressed, and what never is."""

import gzip
import unittest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.web.http.content_coding import LEAST_BYTES, MOST_BYTES, compress, is_compressed, takes_gzip
from cmdserver.frontends.web.http.negotiation import LONGEST
from tests.doubles import LAW
from tests.frontends.web.doubles import Response, WebComposition
from tests.running_doubles import command

MUCH = b"up 9 days, 1 user\n" * 100


class TakesTests(unittest.TestCase):
    def test_what_clients_send(self) -> None:
        """Whoever names it, or takes anything; not who weighs it with nothing, or less than no coding."""
        for accepted in (b"gzip", b"GZIP", b"gzip, deflate, br, zstd", b"br;q=1, gzip;q=0.1", b"*", b"x-gzip"):
            self.assertTrue(takes_gzip(accepted), accepted)
        for refused in (
            *(None, b"", b"identity", b"br", b"gzip;q=0", b"gzip;q=0.0, *", b"*;q=0", b"gzip;q=0.5, identity"),
            b"gzip," * LONGEST,
        ):
            self.assertFalse(takes_gzip(refused), refused)

    @given(st.binary(max_size=60))
    @LAW
    def test_anything(self, accepted: bytes) -> None:
        """No bytes are a mistake of ours."""
        takes_gzip(accepted)

    def test_sizes(self) -> None:
        """What is short is as it is, and so is what would take long."""
        for size, is_coded in ((0, False), (LEAST_BYTES, False), (LEAST_BYTES + 1, True), (MOST_BYTES + 1, False)):
            self.assertEqual(is_compressed(b"x" * size, b"gzip"), is_coded, size)
        self.assertFalse(is_compressed(MUCH, None))

    @given(st.binary())
    @LAW
    def test_it_is_gzip(self, body: bytes) -> None:
        """As everybody reads it, and always the same."""
        self.assertEqual(gzip.decompress(compress(body)), body)
        self.assertEqual(compress(body), compress(body))


class ResponseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command())

    def ask(self, target: str = "/uptime", **headers: str) -> Response:
        """Ask with gzip, for a command that says much if it is run."""
        client = self.composition.ask_for(target, **{"accept": "*/*", "accept_encoding": "gzip", **headers})
        if self.composition.spawner.processes and self.composition.process.is_alive:
            self.composition.process.says(MUCH)
            self.composition.process.ends()
        return client.response

    def test_text_and_json(self) -> None:
        """The head is that of the compressed body; without the wish for it, all is as ever."""
        for accept in ("*/*", "application/json"):
            response, plain = self.ask(accept=accept), self.ask(accept=accept, accept_encoding="")
            self.assertEqual((response["content-encoding"], plain["content-encoding"]), ("gzip", ""))
            self.assertIn("Accept-Encoding", response["vary"])
            self.assertIn("Accept-Encoding", plain["vary"])
            self.assertIn(b"up 9 days, 1 user", gzip.decompress(response.body))
            self.assertLess(len(response.body), len(plain.body))

    def test_metrics_and_documents(self) -> None:
        """Programs that read them often read less."""
        self.composition.measured = b"a 1\n" * 1000
        self.assertEqual(gzip.decompress(self.ask("/metrics").body), self.composition.measured)
        self.assertEqual(self.ask("/-/openapi.json")["content-encoding"], "gzip")
        self.assertEqual(self.ask("/-/healthy")["content-encoding"], "")

    def test_pages_are_not(self) -> None:
        """They have a token in them, beside what the address says (BREACH)."""
        for target in ("/", "/uptime", "/-/login", "/nothing"):
            response = self.ask(target, accept="text/html")
            self.assertGreater(len(response.body), LEAST_BYTES)
            self.assertEqual(response["content-encoding"], "", target)

    def test_what_is_sent_while_it_is_made_is_not(self) -> None:
        """Somebody waits for each piece."""
        for target, accept in (("/uptime?follow", "*/*"), ("/uptime", "text/event-stream")):
            self.assertEqual(self.ask(target, accept=accept)["content-encoding"], "")

    def test_static_files(self) -> None:
        """The compressed one has an ETag of its own, and each client hears that the one it has is fresh."""
        coded, plain = self.ask("/-/static/list.css"), self.ask("/-/static/list.css", accept_encoding="")
        self.assertEqual(gzip.decompress(coded.body), plain.body)
        self.assertNotEqual(coded["etag"], plain["etag"])
        self.assertEqual((coded["vary"], plain["vary"]), ("Accept-Encoding", "Accept-Encoding"))

        for has, status in ((coded["etag"], 304), (plain["etag"], 200)):
            self.assertEqual(self.ask("/-/static/list.css", if_none_match=has).status, status)
        again = self.ask("/-/static/list.css", if_none_match=coded["etag"])
        self.assertEqual((again["etag"], again["content-encoding"]), (coded["etag"], ""))

    def test_head(self) -> None:
        """It says what GET would."""
        length = self.ask("/-/openapi.json")["content-length"]
        client = self.composition.ask_for("/-/openapi.json", "HEAD", accept_encoding="gzip")

        self.assertIn(f"Content-Length: {length}\r\n".lower(), client.value().decode().lower())
        self.assertIn(b"content-encoding: gzip\r\n", client.value().lower())
