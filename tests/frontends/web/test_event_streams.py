"""Tests of answers as event streams."""

import json
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.check import Check
from cmdserver.core.errors import Code
from cmdserver.core.model import Role
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.web import event_streams
from cmdserver.frontends.web.event_streams import RESUME_SECONDS
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS
from cmdserver.runs.recording import KEPT_BYTES
from tests.frontends.web.doubles import Client, WebComposition
from tests.running_doubles import command

EVENTS = "text/event-stream"


def events(client: Client) -> list[tuple[str, Any]]:
    """Read what a client was told."""
    blocks = [block for block in client.response.text.split("\n\n") if block and not block.startswith(":")]
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(each["event"], json.loads(each["data"])) for each in fields]


def last_id(client: Client) -> str:
    """Say what a client saw last."""
    return client.response.text.rpartition("id: ")[2].partition("\n")[0]


class EventStreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df", share=True))

    def listen(self, path: str = "/uptime", **headers: str) -> Client:
        """Ask for a stream."""
        return self.composition.ask_for(path, accept=EVENTS, **headers)

    def test_what_is_said_is_told_at_once(self) -> None:
        """The start, each piece in order, the outcome without the output, and the end."""
        client = self.listen()
        self.assertEqual(events(client), [("started", {"command": "uptime", "arguments": []})])
        self.composition.process.says(b"one\r\n\n")
        self.composition.process.says(b"", b"two")
        self.assertEqual(events(client)[1:], [("stdout", "one\r\n\n"), ("stderr", "two")])
        self.composition.process.ends(3)

        kind, outcome = events(client)[-1]
        self.assertEqual((kind, outcome["exit_status"]), ("outcome", 3))
        self.assertFalse({"stdout", "stderr"} & set(outcome))
        self.assertTrue(client.response.is_whole)
        self.assertEqual(client.response["x-accel-buffering"], "no")

    def test_characters_are_whole(self) -> None:
        """A character that comes in two pieces is told in one event, and what is no UTF-8 at the end."""
        client = self.listen()
        self.composition.process.says(b"f\xc3")
        self.composition.process.says(b"\xbcnf\xf0\x9f")
        self.composition.process.ends()

        self.assertEqual([data for kind, data in events(client) if kind == "stdout"], ["f", "ünf", "\ufffd"])

    def test_what_does_not_begin_is_an_error(self) -> None:
        """A command that is refused is no stream, but an answer in JSON with its status."""
        client = self.listen("/nothing")

        self.assertEqual(client.response.status, 401)
        self.assertEqual(client.response.json["error"]["code"], "unknown_command")

    def test_a_failure_after_the_start_is_an_event(self) -> None:
        """If the end cannot be written down, that is told in place of the outcome."""
        client = self.listen()
        self.composition.ledger.is_about_to_be_full = True
        self.composition.process.ends()

        kind, data = events(client)[-1]
        self.assertEqual((kind, data["error"]["code"]), ("failure", "fault"))
        self.assertTrue(client.response.is_whole)

    def test_readers_of_a_shared_run(self) -> None:
        """All are told each piece at once; one who does not read holds nobody up."""
        first = self.listen("/df")
        readers = [self.listen("/df") for _ in range(3)]
        self.composition.process.ends()
        readers[0].is_slow = True
        self.composition.process.says(b"one")
        self.composition.process.says(b"two")

        self.assertEqual(events(first)[-1][0], "outcome")
        for reader in readers[1:]:
            self.assertEqual(events(reader)[1:], [("stdout", "one"), ("stdout", "two")])
        self.assertEqual(events(readers[0])[1:], [("stdout", "one")])
        readers[0].catches_up()
        self.assertEqual(events(readers[0])[1:], [("stdout", "one"), ("stdout", "two")])
        self.assertEqual(len(self.composition.spawner.processes), 2)

    def test_a_piece_is_encoded_once(self) -> None:
        """For all who are told it; and it is forgotten when nobody is told anything any more."""
        self.listen("/uptime")
        streams = self.composition.front_end.site.find(["df"])._streams  # type: ignore[attr-defined]
        self.listen("/df")
        readers = [self.listen("/df") for _ in range(3)]
        self.composition.process.ends()
        self.composition.process.says(b"said")

        self.assertEqual((streams.encode.cache_info().misses, streams.encode.cache_info().hits), (1, 2))
        self.composition.process.ends()
        self.assertEqual([events(reader)[1] for reader in readers], [("stdout", "said")] * 3)
        self.assertEqual(streams.encode.cache_info().currsize, 1)
        self.composition.spawner.processes[0].ends()
        self.assertEqual(streams.encode.cache_info().currsize, 0)

    def test_tables(self) -> None:
        """What a command with a parser says is told as a table too, before the outcome, shared or not."""
        pytest.importorskip("jc", reason="jc is not installed")
        for share in (True, False):
            with self.subTest(share=share):
                self.composition = WebComposition(self, command("uptime", share=share, parser="uptime"))
                client = self.listen()
                self.composition.process.says(b" 04:37:01 up 57 min,  0 users,  load average: 0.10, 0.20, 0.30\n")
                self.composition.process.ends()

                kinds = dict(events(client))
                self.assertEqual(["started", "stdout", "table", "outcome"], list(kinds))
                self.assertIn("<dt>Load 1m</dt><dd>0.1</dd>", kinds["table"])
                self.assertEqual(0.1, kinds["outcome"]["data"]["load_1m"])

    def test_values(self) -> None:
        """What a check has measured is told as a table, too."""
        self.composition = WebComposition(self, command("uptime", check=Check()))
        client = self.listen()
        self.composition.process.says(b"WARNING | a=5;1;9\n")
        self.composition.process.ends(1)
        kinds = dict(events(client))

        self.assertEqual(["started", "stdout", "values", "outcome"], list(kinds))
        self.assertIn("warning over 1, critical over 9", kinds["values"])

    def test_silence_is_filled(self) -> None:
        """While nothing is said, a comment now and then shows that the connection is alive."""
        client = self.listen()
        self.composition.clock.advance(HEARTBEAT_SECONDS)
        self.composition.clock.advance(HEARTBEAT_SECONDS)

        self.assertEqual(client.response.text.count("\n\n: still running"), 2)

    def test_no_timer_is_left(self) -> None:
        """When all streams are over, nothing is due."""
        self.listen()
        self.composition.process.ends()
        due = [call for call in self.composition.clock.getDelayedCalls() if call.getTime() >= HEARTBEAT_SECONDS]

        self.assertEqual([call for call in due if "Timeouts" not in repr(call)], [])


DF_ONLY = [Role(name="anonymous", patterns=("df",), users=frozenset())]


class RevocationTests(SynchronousTestCase):
    """A role that is taken away while a stream is open."""

    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df", share=True))

    def revoke(self) -> None:
        """Leave df to strangers, and nothing else."""
        self.composition.dispatcher.reconfigure(Policy([command(), command("df", share=True)], DF_ONLY))

    def test_an_open_stream_ends(self) -> None:
        """Its reader is told why, and nothing that the command says after that."""
        client, other = (
            self.composition.ask_for("/uptime", accept=EVENTS),
            self.composition.ask_for("/df", accept=EVENTS),
        )
        process = self.composition.spawner.processes[0]
        process.says(b"before")

        self.revoke()
        process.says(b"after")

        kinds = [kind for kind, _ in events(client)]
        self.assertEqual(kinds, ["started", "stdout", "failure"])
        self.assertEqual(events(client)[-1][1]["error"]["code"], "unknown_command")
        self.assertTrue(client.response.is_whole)
        self.assertFalse(other.response.is_whole)

    def test_a_stream_that_has_not_begun_is_an_error(self) -> None:
        """Whoever waits in line for a stream has the status that a new request would have."""
        composition = self.composition = WebComposition(self, command(), command("df"), running=1)
        composition.ask_for("/df", accept=EVENTS)
        client = composition.ask_for("/uptime", accept=EVENTS)

        self.revoke()

        self.assertEqual(client.response.status, 401)

    def test_a_reader_who_is_away_gets_nothing_when_it_comes_back(self) -> None:
        """Neither what was kept for it nor what comes."""
        client = self.composition.ask_for("/uptime", accept=EVENTS)
        first = last_id(client)
        self.composition.process.says(b"before")
        client.gone()

        self.revoke()
        again = self.composition.ask_for("/uptime", accept=EVENTS, last_event_id=first)
        self.composition.turn()

        self.assertEqual(again.response.status, 401)
        self.assertNotIn("before", again.response.text)
        self.assertFalse(self.composition.process.is_alive)


class ResumingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("df", share=True))
        self.client = self.composition.ask_for("/uptime", accept=EVENTS)
        self.composition.process.says(b"one")

    def resume(self, last: str | None = None, **headers: str) -> Client:
        """Go on where the client was."""
        return self.composition.ask_for("/uptime", accept=EVENTS, last_event_id=last or last_id(self.client), **headers)

    def test_it_goes_on_behind_the_last_event(self) -> None:
        """What was not seen is told again, and what comes then; the run is the same."""
        first = last_id(self.client)
        self.composition.process.says(b"two")
        self.client.gone()
        self.composition.process.says(b"three")
        again = self.resume(first)
        self.composition.turn()
        self.composition.process.ends()

        self.assertEqual([kind for kind, _ in events(again)], ["stdout", "stdout", "outcome"])
        self.assertEqual([data for kind, data in events(again) if kind == "stdout"], ["two", "three"])
        self.assertEqual(len(self.composition.spawner.processes), 1)

    def test_a_run_waits_for_its_reader(self) -> None:
        """While nobody reads, the process is paused, and after a while it is ended."""
        self.client.gone()
        self.assertTrue(self.composition.process.is_paused)
        self.composition.clock.advance(RESUME_SECONDS)
        self.composition.turn()

        self.assertFalse(self.composition.process.is_alive)
        self.assertEqual(self.resume(last_id(self.client)).response.status, 204)

    def test_who_comes_back_first_is_believed(self) -> None:
        """A client knows before us that its connection is gone: the old one is let go."""
        again = self.resume()
        self.composition.process.says(b"two")

        self.assertFalse(self.client.is_open)
        self.assertEqual(events(again), [("stdout", "two")])
        self.composition.process.ends()
        self.assertEqual(events(again)[-1][0], "outcome")

    def test_an_end_without_a_reader_is_kept(self) -> None:
        """A run that ends while its reader is away tells how, if that comes back in time."""
        self.client.gone()
        self.composition.process.ends()
        self.composition.clock.advance(0)
        self.composition.process.resumeProducing()
        self.composition.clock.advance(0.1)
        again = self.resume()

        self.composition.clock.advance(0.1)
        self.assertEqual([kind for kind, _ in events(again)], ["outcome"])

    def test_a_failure_without_a_reader_is_kept(self) -> None:
        """Who comes back in time is told why there is no answer, and nothing is kept after that."""
        self.client.gone()
        self.composition.ledger.is_about_to_be_full = True
        self.composition.process.ends()
        self.composition.process.resumeProducing()
        self.composition.clock.advance(0.1)
        self.composition.ledger.is_about_to_be_full = False
        again = self.resume()

        ((kind, data),) = events(again)
        self.assertEqual((kind, data["error"]["code"]), ("failure", "fault"))
        self.assertTrue(again.response.is_whole)
        self.assertEqual(204, self.resume().response.status)

    def test_a_failure_that_nobody_comes_back_for(self) -> None:
        """Is forgotten after a while."""
        self.client.gone()
        self.composition.ledger.is_about_to_be_full = True
        self.composition.process.ends()
        self.composition.process.resumeProducing()
        self.composition.clock.advance(RESUME_SECONDS)
        self.composition.ledger.is_about_to_be_full = False

        self.assertEqual(204, self.resume().response.status)

    def test_a_reader_who_wants_no_more(self) -> None:
        """Who says so has the run ended at once, whether its connection is already seen to be gone or not."""
        for is_gone in (True, False):
            with self.subTest(is_gone=is_gone):
                self.setUp()
                last = last_id(self.client)
                if is_gone:
                    self.client.gone()
                stopping = self.resume(last, cmdserver_stop="yes")
                self.composition.turn()

                self.assertEqual(204, stopping.response.status)
                self.assertFalse(self.composition.process.is_alive)
                self.assertFalse(self.client.is_open)
                self.assertEqual(204, self.resume(last).response.status)

    def test_nobody_else_can_go_on(self) -> None:
        """Somebody who knows the id, but is somebody else, is told nothing."""
        self.assertEqual(self.resume(authorization="Bearer good").response.status, 404)
        self.assertEqual(self.resume(authorization="Bearer good", cmdserver_stop="yes").response.status, 204)
        self.assertTrue(self.client.is_open)

    def test_who_may_not_any_more_cannot_go_on(self) -> None:
        """Going on is asked like a request: by the policy of now, whatever the address says, and counted."""
        composition = WebComposition(self, command(), command("df", share=True), per_minute=2)
        client = composition.ask_for("/uptime", accept=EVENTS)
        composition.process.says(b"secret")
        last = last_id(client).partition(".")[0] + ".0"
        client.gone()
        composition.process.ends()
        composition.process.resumeProducing()
        composition.clock.advance(0.1)
        composition.dispatcher.reconfigure(Policy([command(), command("df", share=True)], DF_ONLY))

        refused = composition.ask_for("/df", accept=EVENTS, last_event_id=last)
        throttled = composition.ask_for("/df", accept=EVENTS, last_event_id=last)

        self.assertEqual((refused.response.status, throttled.response.status), (401, 429))
        self.assertNotIn("secret", refused.response.text + throttled.response.text)
        self.assertEqual(
            [event.outcome for event in composition.ledger.requests],
            [Code.OK, Code.UNKNOWN_COMMAND, Code.UNKNOWN_COMMAND, Code.THROTTLED],
        )

    def test_ids_that_mean_nothing(self) -> None:
        """They are answered 204, whatever they are, and run nothing."""
        name = last_id(self.client).partition(".")[0]
        for odd in ("x", "x.1", f"{name}.", f"{name}.x", f"{name}.-1", f"{name}.\xb2", name, f"{name}.{'9' * 5000}"):
            self.assertEqual(self.resume(odd).response.status, 204, odd)
        self.assertEqual(self.resume(f"{name}.{'9' * 15}").response.status, 200)
        self.assertEqual(len(self.composition.spawner.processes), 1)

    def test_what_is_kept_has_an_end(self) -> None:
        """Of much output something in the middle is forgotten, and it is told how much."""
        self.composition = WebComposition(self, command(output_limit_bytes=1 << 30))
        self.client = self.composition.ask_for("/uptime", accept=EVENTS)
        self.composition.process.says(b"one")
        first = last_id(self.client)
        for _ in range(4):
            self.composition.process.says(b"x" * (KEPT_BYTES // 2))
        self.client.gone()
        again = self.resume(first)

        self.assertEqual(events(again), [("gap", 3 * KEPT_BYTES // 2), ("stdout", "x" * (KEPT_BYTES // 2))])

    def test_only_so_many_wait(self) -> None:
        """Beyond a number, runs whose readers are gone end at once."""
        self.patch(event_streams, "MOST_LINGERING", 1)
        another = self.composition.ask_for("/uptime", accept=EVENTS)
        self.client.gone()
        another.gone()
        self.composition.turn()

        self.assertEqual([process.is_alive for process in self.composition.spawner.processes], [True, False])
