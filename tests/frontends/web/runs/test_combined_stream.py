"""Tests of the events of several runs and lists on one response."""

import json
from collections.abc import Mapping
from typing import Any

from cmdserver.frontends.web.runs.combined_stream import MOST_PARTS
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS
from cmdserver.frontends.web.runs.list_stream import TOGETHER_SECONDS
from tests.frontends.web.doubles import Client
from tests.frontends.web.runs.doubles import RunsTestCase
from tests.running_doubles import user

#: What a part has told: kinds and data.
Told = list[tuple[str, Any]]


def parts(client: Client) -> Mapping[str, Told]:
    """Read what a client was told, by part; what belongs to none is of the part ``""``."""
    found: dict[str, Told] = {}
    for block in client.responses[0].text.split("\n\n"):
        if block and not block.startswith(":"):
            event = dict(line.split(": ", 1) for line in block.split("\n"))
            found.setdefault(event.get("part", ""), []).append((event["event"], json.loads(event["data"])))
    return found


def name_of(client: Client) -> str:
    """Say under which name parts are added to a stream."""
    ((kind, name),) = [each for each in parts(client)[""] if each[0] == "stream"]
    assert kind == "stream"
    return str(name)


class CombinedStreamTestCase(RunsTestCase):
    """What ada follows; to be subclassed."""

    def follow(self, *wanted: str, **headers: str) -> Client:
        """Let ada ask for events."""
        return self.ask("/-/events?" + "&".join(wanted), **headers)

    def change(self, client: Client, *wanted: str, **headers: str) -> Client:
        """Let her ask for others on the same response."""
        return self.ask(f"/-/events/{name_of(client)}?" + "&".join(wanted), **headers)

    def says(self, number: int, text: bytes) -> None:
        """Let a process say something; they are counted from the first one."""
        self.composition.spawner.processes[number].says(text)


class PartTests(CombinedStreamTestCase):
    def test_runs_and_lists(self) -> None:
        """Each event says which part it is of; parts are numbered as they were asked for."""
        first, second = self.start(), self.start("backup")
        client = self.follow(f"run={first}", "runs=", f"run={second}")
        self.says(0, b"one\n")
        self.says(1, b"two\n")
        self.composition.clock.advance(TOGETHER_SECONDS)

        told = parts(client)
        self.assertEqual([("started", {"command": "uptime", "arguments": []}), ("stdout", "one\n")], told["0"])
        self.assertEqual(["alive", "count", "run", "run"], [kind for kind, _ in told["1"]])
        self.assertEqual([("started", {"command": "backup", "arguments": []}), ("stdout", "two\n")], told["2"])
        self.assertIn(f"part: 0\nid: {first}.4\nevent: stdout\n", client.response.text)
        self.assertEqual("text/event-stream; charset=utf-8", client.response["content-type"])

    def test_the_end_of_a_part_is_no_other_ones(self) -> None:
        """An outcome, or a run that there is not; the response ends with its last part."""
        first, second = self.start(), self.start("backup")
        client = self.follow(f"run={first}", "run=0000", f"run={second}")
        self.assertEqual("unknown_run", parts(client)["1"][0][1]["error"]["code"])
        self.composition.spawner.processes[0].ends()
        self.assertEqual("outcome", parts(client)["0"][-1][0])
        self.assertFalse(client.response.is_whole)
        self.says(1, b"still\n")
        self.assertEqual(("stdout", "still\n"), parts(client)["2"][-1])
        self.composition.spawner.processes[1].ends()
        self.assertTrue(client.response.is_whole)

    def test_what_is_known_is_not_told(self) -> None:
        """Behind a position comes the rest; the same run may be two parts, at two positions."""
        run = self.start()
        self.says(0, b"f\xc3\xbcnf")
        client = self.follow(f"run={run}.2", f"run={run}.4")

        self.assertEqual([("stdout", "ünf")], parts(client)["0"])
        self.assertEqual([("stdout", "f")], parts(client)["1"])

    def test_what_is_drawn(self) -> None:
        """Our script is told what the page says of a run, with links as from the address that it asks."""
        run = self.start()
        client = self.follow(f"run={run}", cmdserver_rows="yes")
        self.says(0, b"<one>\n")
        self.composition.process.ends(3)

        self.assertIn(("html", "&lt;one&gt;\n"), parts(client)["0"])
        begun, ended = (data for kind, data in parts(client)["0"] if kind == "drawn")
        self.assertIn('class="output"', begun)
        self.assertIn("exit status 3", ended.lower())
        self.assertEqual(
            ["started", "drawn", "html", "html", "drawn", "outcome"], [kind for kind, _ in parts(client)["0"]]
        )

    def test_silence_is_filled(self) -> None:
        """One comment now and then for all parts, and no timer that stays."""
        client = self.follow(f"run={self.start()}", f"run={self.start()}", "runs=")
        self.composition.clock.advance(HEARTBEAT_SECONDS)
        self.assertEqual(1, client.response.text.count("\n: still"))
        client.gone()
        due = [call for call in self.composition.clock.getDelayedCalls() if "_beat" in str(call)]
        self.assertEqual([], due)
        self.assertEqual(0, len(self.composition.directory._observers))


class ChangeTests(CombinedStreamTestCase):
    """Parts that are added and dropped while the response goes on."""

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = self.start(), self.start("backup")
        self.client = self.follow(f"run={self.first}")

    def test_a_part_is_added(self) -> None:
        """On the response that there is, with the next number."""
        other = self.change(self.client, f"run={self.second}", "runs=")
        self.says(1, b"two\n")

        self.assertEqual((204, b""), (other.response.status, other.response.body))
        self.assertEqual(("stdout", "two\n"), parts(self.client)["1"][-1])
        self.assertEqual("alive", parts(self.client)["2"][0][0])

    def test_a_part_is_dropped(self) -> None:
        """Nobody hears it any more; a number that is none any more is no mistake, and the last one is the end."""
        self.change(self.client, f"run={self.second}", "drop=0", "drop=77")
        self.says(0, b"one\n")
        self.assertEqual(["started"], [kind for kind, _ in parts(self.client)["0"]])
        self.assertFalse(self.client.response.is_whole)
        self.change(self.client, "drop=1")
        self.assertTrue(self.client.response.is_whole)

    def test_it_is_nobody_elses(self) -> None:
        """Another caller neither adds to a stream nor drops from it, and cannot tell that there is one."""
        for headers in ({"authorization": ""}, {}):
            with self.subTest(headers):
                address = f"/-/events/{name_of(self.client)}?drop=0&run={self.second}"
                other = self.composition.ask_for(address, **headers)
                self.assertEqual(404, other.response.status)
        none = self.composition.ask_for(f"/-/events/0000000000000000?run={self.second}")
        self.assertEqual(none.response.status, 404)
        self.says(0, b"one\n")
        self.assertEqual(["0"], [part for part in parts(self.client) if part])
        self.assertEqual(("stdout", "one\n"), parts(self.client)["0"][-1])

    def test_it_is_over_with_its_client(self) -> None:
        """Then there is nothing to add to."""
        self.client.gone()

        self.assertEqual(404, self.change(self.client, "runs=").response.status)

    def test_there_is_a_most(self) -> None:
        """One more is refused, and nothing else happens."""
        for _ in range(MOST_PARTS // 33):
            self.change(self.client, *[f"run={self.second}.0"] * 33)
        refused = self.change(self.client, f"run={self.second}")
        self.assertEqual((400, MOST_PARTS), (refused.response.status, len({*parts(self.client)} - {""}) + 99))

    def test_what_is_no_change(self) -> None:
        """Fields and values that mean nothing are refused, and so is a stream of nothing."""
        for wanted in (
            "",
            "drop=0",
            "run=",
            "run=a%0Ab",
            "run=%3Cb%3E",
            "run=a.b",
            "drop=x",
            "runs=%C3%BC",
            "x=y",
            "asked=.",
        ):
            with self.subTest(wanted):
                self.assertEqual(400, self.follow(wanted).response.status)


class AuthorizationTests(CombinedStreamTestCase):
    """Each part is asked for like the request that it replaces."""

    def test_what_may_not_be_seen_is_not_there(self) -> None:
        """Neither a run of somebody else's, nor the list of those."""
        self.reload(sees=())
        run = self.start(caller=user("guy"))
        client = self.follow(f"run={run}", "runs=")
        self.composition.clock.advance(TOGETHER_SECONDS)

        self.assertEqual(
            [("failure", "unknown_run")], [(kind, data["error"]["code"]) for kind, data in parts(client)["0"]]
        )
        self.assertEqual(("alive", {"ids": []}), parts(client)["1"][0])

    def test_a_reload_takes_rights_away(self) -> None:
        """The part ends that may go on no more, and no other one."""
        run, own = self.start(caller=user("guy")), self.start("backup", caller=user("ada"))
        client = self.follow(f"run={run}", f"run={own}")
        self.reload(sees=())
        self.says(0, b"secret\n")
        self.says(1, b"own\n")

        self.assertEqual(["started", "failure"], [kind for kind, _ in parts(client)["0"]])
        self.assertEqual(("stdout", "own\n"), parts(client)["1"][-1])

    def test_a_mistake_is_its_parts(self) -> None:
        """A query that means nothing does not keep the others from being told."""
        client = self.follow("runs=colour%3Dred", f"run={self.start()}")

        self.assertEqual("bad_argument", parts(client)["0"][0][1]["error"]["code"])
        self.assertEqual("started", parts(client)["1"][0][0])

    def test_each_part_is_counted_and_written_down(self) -> None:
        """As a request of its own."""
        run = self.start()
        self.composition.dispatcher._admission._throttle.per_minute = 2
        client = self.follow(f"run={run}", "runs=", f"run={run}")

        self.assertEqual("throttled", parts(client)["2"][0][1]["error"]["code"])
        self.assertEqual(["started"], [kind for kind, _ in parts(client)["0"]])

    def test_the_end_of_a_session(self) -> None:
        """The next heartbeat at the latest ends all, and says why; and nothing can be added."""
        for occasion in ("heartbeat", "event", "change"):
            with self.subTest(occasion):
                client = self.follow(f"run={self.start()}", *([] if occasion == "heartbeat" else ["runs="]))
                self.patch(self.composition.front_end.site.authentication, "has_lost_session", lambda _request: True)
                if occasion == "heartbeat":
                    self.composition.clock.advance(HEARTBEAT_SECONDS)
                elif occasion == "event":
                    self.start()
                    self.composition.clock.advance(TOGETHER_SECONDS)
                else:
                    self.assertEqual(404, self.change(client, "runs=").response.status)
                self.assertEqual(
                    ("failure", "denied"), (parts(client)[""][-1][0], parts(client)[""][-1][1]["error"]["code"])
                )
                self.assertTrue(client.response.is_whole)
                self.patch(self.composition.front_end.site.authentication, "has_lost_session", lambda _request: False)

    def test_who_the_client_believes_to_be(self) -> None:
        """Whoever believes to be logged in is told that they are not, and not that there is nothing."""
        nobody = {"authorization": "Negotiate x"}
        for user_name, headers, status in (
            ("ada", {}, 200),
            ("", nobody, 200),
            ("ada", nobody, 401),
            ("guy", {}, 401),
            ("", {}, 401),
        ):
            with self.subTest(user_name, headers=headers):
                self.assertEqual(status, self.follow("runs=", f"user={user_name}", **headers).response.status)
        client = self.follow("runs=")
        self.assertEqual(401, self.change(client, "runs=", "user=guy").response.status)
        self.assertEqual(204, self.change(client, "runs=", "user=ada").response.status)


class PaceTests(CombinedStreamTestCase):
    """A client that does not keep up."""

    def test_nobody_is_told_what_is_not_read(self) -> None:
        """All parts wait, also those that are added meanwhile; what comes then comes in order, and once."""
        first, second = self.start(), self.start("backup")
        client = self.follow(f"run={first}")
        client.is_slow = True
        self.says(0, b"one\n")
        self.says(0, b"two\n")
        self.change(client, f"run={second}")
        self.says(1, b"other\n")
        self.assertNotIn("two", client.response.text)
        self.assertNotIn("other", client.response.text)
        client.catches_up()
        self.assertEqual([("stdout", "one\n"), ("stdout", "two\n")], parts(client)["0"][1:])
        self.assertEqual(("stdout", "other\n"), parts(client)["1"][-1])

    def test_a_flood_leaves_the_others_their_turn(self) -> None:
        """However much one says: each time that the client catches up, who has waited longest is told first, alone."""
        runs = [self.start(), self.start("backup")]
        client = self.follow(*[f"run={run}" for run in runs])
        client.is_slow = True
        told: list[list[int]] = []
        for _ in range(4):
            for number in range(2):
                self.says(number, b"x" * 5000)
            before = parts(client)
            assert client.producer is not None
            client.producer.resumeProducing()
            after = parts(client)
            told.append([number for number in range(2) if len(after[str(number)]) > len(before[str(number)])])
        self.assertEqual([[1], [0], [1], [0]], told)
