"""Tests of what Prometheus reads."""

import unittest
from collections.abc import Collection

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from cmdserver.audit.receivers import ForwardCounts
from cmdserver.core.errors import Code
from cmdserver.core.events import LoggedIn, Started
from cmdserver.core.run_states import EndedBy
from cmdserver.observers import series
from cmdserver.observers.metrics import Metrics, Now
from cmdserver.observers.series import UNKNOWN, WORDS
from tests.doubles import a_caller
from tests.observers.doubles import an_offer
from tests.running_doubles import command, finished, requested


class MetricsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.forwarded: dict[str, ForwardCounts] = {}
        self.offer = an_offer(command(), command("df"))
        now = Now(
            running=lambda: 3,
            queued=lambda: 5,
            connections=lambda: {"web": 7},
            refused=lambda: {"line": 0, "ssh": 4},
            forwarded=lambda: self.forwarded,
            offer=lambda: self.offer,
        )
        self.metrics = Metrics(now)

    def families(self, visible: Collection[str] = ("uptime", "df")) -> dict[str, Metric]:
        """Read what is written as Prometheus does."""
        text = self.metrics.render(visible, visible).decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """Say what one sample is worth."""
        samples = [each for family in self.families().values() for each in family.samples]
        (value,) = (each.value for each in samples if each.name == name and each.labels == labels)
        return value

    def test_requests_are_counted(self) -> None:
        """By listener, command and outcome."""
        for outcome in (Code.OK, Code.OK, Code.BUSY):
            self.metrics(requested(outcome=outcome))

        self.assertEqual(self.value("cmdserver_requests_total", protocol="line", command="uptime", outcome="ok"), 2)
        self.assertEqual(self.value("cmdserver_requests_total", protocol="line", command="uptime", outcome="busy"), 1)

    def test_lines_that_were_sent_on_are_counted(self) -> None:
        """By receiver; who has none has no such series."""
        self.assertNotIn("cmdserver_audit_forward_sent", self.families())
        self.forwarded["udp:a:514"] = ForwardCounts(sent=3, lost=2, waiting=1)

        for name, value in (("sent_total", 3), ("lost_total", 2), ("waiting", 1)):
            self.assertEqual(self.value(f"cmdserver_audit_forward_{name}", to="udp:a:514"), value)

    def test_starts_are_not_counted(self) -> None:
        """A request counts when it ends, once."""
        self.metrics(Started(time=0.0, id="a", caller=a_caller(), command="uptime", arguments=()))

        self.assertEqual(self.value("cmdserver_requests_total", protocol="line", command="uptime", outcome="ok"), 0)

    def test_the_duration_of_what_goes_on_is_not_measured(self) -> None:
        """A caller who was refused in the midst of a run says nothing about how long that takes."""
        self.metrics(requested(outcome=Code.DENIED, finished=finished(exit_status=None)))
        self.metrics(requested(finished=finished(exit_status=None, signal="SIGTERM")))
        self.metrics(requested())

        self.assertEqual(self.value("cmdserver_run_duration_seconds_count", command="uptime"), 2)

    def test_everything_is_there_from_the_start(self) -> None:
        """Each command has all its series before anybody has asked for it, also one that was added later."""
        self.families()
        self.offer = an_offer(command("new"))
        samples = self.families({"new"})["cmdserver_requests"].samples

        self.assertEqual(
            {(each.labels["protocol"], each.labels["outcome"]) for each in samples if each.labels["command"] == "new"},
            {(protocol, outcome) for protocol, name, outcome in series.requests(self.offer) if name == "new"},
        )
        self.assertEqual({each.value for each in samples}, {0.0})

    def test_how_the_last_run_ended(self) -> None:
        """Its exit status, as a shell gives it, and when one was last a success; nothing before there was a run."""
        families = self.families()
        self.assertEqual(families["cmdserver_last_exit_status"].samples, [])
        self.assertEqual(families["cmdserver_last_success_timestamp_seconds"].samples, [])

        for time, outcome, ended, status, success in (
            (5.0, Code.OK, {"exit_status": 0}, 0, 5),
            (6.0, Code.FAILED, {"exit_status": 3}, 3, 5),
            (7.0, Code.FAILED, {"exit_status": None, "signal": "SIGKILL"}, 137, 5),
            (8.0, Code.OK, {"exit_status": 1}, 1, 8),
            (9.0, Code.TIMEOUT, {"exit_status": None, "signal": "SIGTERM", "ended_by": EndedBy.LIMIT}, 143, 8),
        ):
            self.metrics(requested(time=time, outcome=outcome, finished=finished(**ended)))
            self.assertEqual(self.value("cmdserver_last_exit_status", command="uptime"), status)
            self.assertEqual(self.value("cmdserver_last_success_timestamp_seconds", command="uptime"), success)

    def test_what_somebody_ended_says_nothing(self) -> None:
        """Nor does a request without a run; that its caller has left a run that went on changes nothing."""
        stopped = finished(exit_status=None, signal="SIGTERM", ended_by=EndedBy.CALLER)
        self.metrics(requested(outcome=Code.FAILED, finished=stopped, ended_by=EndedBy.CALLER))
        self.metrics(requested(outcome=Code.BUSY, finished=None))
        self.metrics(requested(outcome=Code.OK, finished=finished(exit_status=None)))
        self.assertEqual(self.families()["cmdserver_last_exit_status"].samples, [])
        self.assertEqual(self.families()["cmdserver_last_success_timestamp_seconds"].samples, [])

        self.metrics(requested(outcome=Code.FAILED, finished=finished(exit_status=4), ended_by=EndedBy.DISCONNECT))
        self.assertEqual(self.value("cmdserver_last_exit_status", command="uptime"), 4)

    def test_no_client_chooses_a_label(self) -> None:
        """Whatever is asked for, what is no command counts under one name."""
        for name in ("nothing", "uptime\n", None, "x" * 1000):
            self.metrics(requested(command=name, outcome=Code.UNKNOWN_COMMAND, finished=None))

        value = self.value("cmdserver_requests_total", protocol="line", command=UNKNOWN, outcome="unknown_command")
        self.assertEqual(value, 4)
        commands = {each.labels["command"] for each in self.families()["cmdserver_requests"].samples}
        self.assertEqual(commands, {"uptime", "df", *WORDS, UNKNOWN})

    def test_durations(self) -> None:
        """How long processes ran; what needed none has no duration."""
        self.metrics(requested(finished=finished(duration_seconds=0.2)))
        self.metrics(requested(outcome=Code.BUSY, finished=None))

        self.assertEqual(self.value("cmdserver_run_duration_seconds_count", command="uptime"), 1)
        self.assertEqual(self.value("cmdserver_run_duration_seconds_sum", command="uptime"), 0.2)
        self.assertEqual(self.value("cmdserver_run_duration_seconds_bucket", command="uptime", le="0.1"), 0)
        self.assertEqual(self.value("cmdserver_run_duration_seconds_bucket", command="uptime", le="0.25"), 1)

    def test_logins(self) -> None:
        """Made and refused, by protocol."""
        self.metrics(
            LoggedIn(time=0, id="1", protocol="web", source="::1", user="x", method="password", outcome=Code.DENIED)
        )

        self.assertEqual(self.value("cmdserver_logins_total", protocol="web", outcome="denied"), 1)
        self.assertEqual(self.value("cmdserver_logins_total", protocol="line", outcome="ok"), 0)

    def test_how_things_are_now(self) -> None:
        """What runs, what waits and who is connected is looked up when it is asked."""
        self.assertEqual(self.value("cmdserver_running"), 3)
        self.assertEqual(self.value("cmdserver_queued"), 5)
        self.assertEqual(self.value("cmdserver_connections", protocol="web"), 7)
        for protocol, count in (("ssh", 4), ("line", 0)):
            self.assertEqual(self.value("cmdserver_connections_refused_total", protocol=protocol, reason="from"), count)
        self.assertEqual(len(self.families()["cmdserver_build_info"].samples), 1)

    def test_what_promtool_would_say(self) -> None:
        """Each family has a help and a type once, counters end in _total, and no series comes twice."""
        self.metrics(requested())
        text = self.metrics.render({"uptime", "df"}, {"uptime", "df"}).decode()
        names = [family.name for family in text_string_to_metric_families(text)]
        self.assertEqual(len(names), len(set(names)))
        for kind in ("HELP", "TYPE"):
            described = [line.split()[2] for line in text.splitlines() if line.startswith(f"# {kind} ")]
            self.assertEqual(len(described), len(set(described)))
            self.assertEqual(len(described), len(names))
        for line in text.splitlines():
            if line.startswith("# TYPE ") and line.endswith(" counter"):
                self.assertTrue(line.split()[2].endswith("_total"), line)
        series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(len(series), len(set(series)))

    def test_nobody_sees_more_than_they_may_run(self) -> None:
        """Series of other commands are left out, in all families."""
        self.metrics(requested(command="df"))
        text = self.metrics.render({"uptime"}, {"uptime"}).decode()

        self.assertNotIn('"df"', text)
        self.assertIn('"uptime"', text)
