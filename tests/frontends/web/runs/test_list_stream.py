"""Tests of the list of runs as an event stream."""

from typing import Any

from cmdserver.dispatch.scheduling.run_directory import JUST_SECONDS
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS
from cmdserver.frontends.web.runs.list_stream import MOST_TOGETHER, MOST_WAITING, TOGETHER_SECONDS
from tests.frontends.web.doubles import Client
from tests.frontends.web.runs.doubles import RunsTestCase, events
from tests.running_doubles import user

EVENTS = "text/event-stream"


class ListStreamTests(RunsTestCase):
    def follow(self, target: str = "/-/runs", **headers: str) -> Client:
        """Let ada follow the list, until she knows what is alive."""
        client = self.ask(target, accept=EVENTS, **headers)
        self.composition.clock.advance(TOGETHER_SECONDS)
        return client

    def runs(self, client: Client) -> list[dict[str, Any]]:
        """What a client was told of runs, after what was to be told together."""
        self.composition.clock.advance(TOGETHER_SECONDS)
        return [data for kind, data in events(client) if kind == "run"]

    def states(self, client: Client) -> list[tuple[str, str]]:
        """Of which runs a client was told what."""
        return [(each["id"], each["state"]) for each in self.runs(client)]

    def test_what_is_alive_comes_first(self) -> None:
        """All ids at once, then each run, the oldest first; and how many they are."""
        first, second = self.start(), self.start("backup")
        client = self.follow()

        self.assertEqual(events(client)[0], ("alive", {"ids": [second, first]}))
        self.assertEqual(self.states(client), [(first, "running"), (second, "running")])
        self.assertEqual([data for kind, data in events(client) if kind == "count"], [{"running": 2, "queued": 0}])
        self.assertEqual(client.response["x-accel-buffering"], "no")

    def test_what_becomes_of_runs(self) -> None:
        """Each change is told, and the number when it is another."""
        client = self.follow()
        run = self.start()
        self.assertEqual(self.states(client), [(run, "running")])
        self.composition.process.ends(3)
        self.assertEqual(self.states(client)[1:], [(run, "failed")])
        counts = [data["running"] for kind, data in events(client) if kind == "count"]
        self.assertEqual(counts, [0, 1, 0])

    def test_changes_are_told_together(self) -> None:
        """Of a run that is over before it was told that it began, the end alone is told."""
        client = self.follow()
        run = self.start()
        self.composition.process.ends()

        self.assertEqual([kind for kind, _ in events(client)], ["alive", "count"])
        self.assertEqual(self.states(client), [(run, "ok")])

    def test_many_are_told_in_parts(self) -> None:
        """A burst holds nobody up for long."""
        client = self.follow()
        for _ in range(MOST_TOGETHER + 1):
            self.start()

        self.assertEqual(len(self.runs(client)), MOST_TOGETHER)
        self.assertEqual(len(self.runs(client)), MOST_TOGETHER + 1)

    # Who may see what

    def test_others_runs_are_not_told(self) -> None:
        """Neither when it begins, nor later, nor in the number."""
        self.start(caller=user("guy"))
        self.reload(sees=())
        client = self.follow()
        self.start("backup", caller=user("guy"))
        own = self.start("backup", caller=user("ada"))

        self.assertEqual([each["id"] for each in self.runs(client)], [own])
        self.assertEqual(events(client)[0], ("alive", {"ids": []}))
        self.assertEqual([data["running"] for kind, data in events(client) if kind == "count"], [0, 1])

    def test_each_event_asks_the_policy(self) -> None:
        """What was heard before a reload is told after it only to who may still see it."""
        client = self.follow()
        self.start(caller=user("guy"))
        self.reload(sees=())

        self.assertEqual(self.runs(client), [])
        self.composition.process.ends()
        self.assertEqual(self.runs(client), [])
        self.reload()
        run = self.start(caller=user("guy"))
        self.assertEqual(self.states(client), [(run, "running")])

    def test_a_lost_session_ends_it(self) -> None:
        """Whoever logs out elsewhere hears no more, not even what was on its way."""
        client = self.composition.connect()
        lost: list[bool] = []
        self.patch(self.composition.front_end.site.authentication, "has_lost_session", lambda _request: bool(lost))
        client.asks("/-/runs", accept=EVENTS, authorization="Bearer good")
        self.composition.clock.advance(TOGETHER_SECONDS)
        self.start()
        lost.append(True)

        self.assertEqual(self.runs(client), [])
        self.assertTrue(client.response.is_whole)
        self.assertEqual(len(self.composition.directory._observers), 0)

    def test_a_lost_session_ends_an_idle_one(self) -> None:
        """The next heartbeat at the latest ends it."""
        client = self.follow()
        self.patch(self.composition.front_end.site.authentication, "has_lost_session", lambda _request: True)
        self.composition.clock.advance(HEARTBEAT_SECONDS)

        self.assertTrue(client.response.is_whole)
        self.assertEqual(len(self.composition.directory._observers), 0)

    # What was asked for

    def test_what_matches(self) -> None:
        """Every run is told, and whether it is one that was asked for: it may have become another."""
        self.start()
        client = self.follow("/-/runs?state=running&command=uptime")
        self.start("backup")
        self.composition.spawner.processes[0].ends()

        self.assertEqual([each["matches"] for each in self.runs(client)], [True, False, False])
        self.assertEqual(len(events(client)[0][1]["ids"]), 1)

    def test_a_mistake_is_no_stream(self) -> None:
        """Nothing is followed that cannot be looked for."""
        client = self.ask("/-/runs?state=odd", accept=EVENTS)

        self.assertEqual((client.response.status, client.response.json["error"]["code"]), (422, "bad_argument"))
        self.assertEqual(len(self.composition.directory._observers), 0)

    def test_rows(self) -> None:
        """Our script gets the page's row, with the group where it belongs; others get data alone."""
        self.start("backup", caller=user("ada"))
        (plain,) = self.runs(self.follow())
        (drawn,) = self.runs(self.follow(cmdserver_rows="yes"))

        self.assertFalse({"row", "group"} & set(plain))
        self.assertEqual(drawn["group"], "now")
        self.assertIn("Back up", drawn["row"])
        self.assertIn("/stop", drawn["row"])

    def test_rows_have_stop_for_who_may(self) -> None:
        """Another's run has none, unless a role says so."""
        self.start(caller=user("guy"))
        (without,) = self.runs(self.follow(cmdserver_rows="yes"))
        self.reload(stops=("uptime",))
        (with_it,) = self.runs(self.follow(cmdserver_rows="yes"))

        self.assertNotIn("/stop", without["row"])
        self.assertIn("/stop", with_it["row"])

    # Clients

    def test_who_does_not_read(self) -> None:
        """Waits; of each run the latest is told when they read again, and the oldest are dropped, which is told."""
        client = self.follow()
        client.is_slow = True
        self.start()
        self.composition.clock.advance(TOGETHER_SECONDS)
        before = len(events(client))
        waiting = [self.start() for _ in range(MOST_WAITING + 1)]
        self.composition.clock.advance(TOGETHER_SECONDS)
        self.assertEqual(len(events(client)), before)

        client.catches_up()
        client.is_slow = False
        for _ in range(MOST_WAITING // MOST_TOGETHER):
            self.composition.clock.advance(TOGETHER_SECONDS)
        told = [each["id"] for each in self.runs(client)]
        self.assertEqual([kind for kind, _ in events(client)].count("gap"), 1)
        self.assertEqual(told[-MOST_WAITING:], waiting[1:])
        self.assertNotIn(waiting[0], told)

    def test_many_may_wait(self) -> None:
        """As many as may wait are all told, without a gap."""
        client = self.follow()
        for _ in range(MOST_WAITING):
            self.start()
        for _ in range(MOST_WAITING // MOST_TOGETHER):
            self.composition.clock.advance(TOGETHER_SECONDS)

        self.assertEqual(len(self.runs(client)), MOST_WAITING)
        self.assertNotIn("gap", [kind for kind, _ in events(client)])

    def test_who_leaves(self) -> None:
        """Nothing is left of them."""
        client = self.follow()
        self.start()
        client.gone()
        self.composition.clock.advance(TOGETHER_SECONDS)
        self.composition.process.ends()
        self.composition.clock.advance(HEARTBEAT_SECONDS)

        self.assertEqual(len(self.composition.directory._observers), 0)

    def test_heartbeats(self) -> None:
        """Something is sent now and then, but not to who does not read."""
        client = self.follow()
        told = [client.response.text.count(": still here")]
        for client.is_slow in (False, True, True):
            self.composition.clock.advance(HEARTBEAT_SECONDS)
            told.append(client.response.text.count(": still here"))

        self.assertEqual(told, [1, 2, 3, 3])

    def test_what_has_just_ended(self) -> None:
        """Our page is told what has become of runs since it was made, if its reader may see it; programs are not."""
        run = self.start(caller=user("guy"))
        self.composition.process.ends(3)
        rows = {"cmdserver_rows": "yes"}
        self.assertEqual([run], [each["id"] for each in self.runs(self.follow(**rows))])
        self.assertEqual([], self.runs(self.follow()))
        self.reload(sees=())
        self.assertEqual([], self.runs(self.follow(**rows)))
        self.reload()
        self.composition.clock.advance(JUST_SECONDS)
        self.assertEqual([], self.runs(self.follow(**rows)))
