"""Tests of what a line of the audit file says: nobody can forge one."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.records import line_of
from cmdserver.core.errors import Code
from cmdserver.core.events import Started
from cmdserver.core.run_states import EndedBy
from tests.running_doubles import STRANGER, finished, requested, user

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


class LineTests(SynchronousTestCase):
    """What one line says."""

    def record(self, **differences: Any) -> dict[str, Any]:
        """Read the line of an event back."""
        line = line_of(requested(**differences))
        self.assertNotIn(b"\n", line)
        read: dict[str, Any] = json.loads(line)
        return read

    def test_a_run_has_every_field(self) -> None:
        """An answered request says who, whence, what, when and how it ended."""
        end = finished(exit_status=3, duration_seconds=0.123456789, stdout_bytes=10, stderr_bytes=2, truncated=True)

        record = self.record(
            caller=user("ada"),
            command="df",
            arguments=("-h", "/"),
            outcome=Code.FAILED,
            finished=end,
            shared=True,
            ended_by=EndedBy.LIMIT,
            time=1_700_000_000.5,
        )

        self.assertEqual(
            record,
            {
                "time": "2023-11-14T22:13:20.500Z",
                "event": "request",
                "id": "0123456789abcdef",
                "protocol": "line",
                "tls": False,
                "source": "192.0.2.2",
                "user": "ada",
                "method": "password",
                "command": "df",
                "arguments": ["-h", "/"],
                "outcome": "failed",
                "ended_by": "limit",
                "exit_status": 3,
                "signal": None,
                "duration_seconds": 0.123457,
                "stdout_bytes": 10,
                "stderr_bytes": 2,
                "truncated": True,
                "shared": True,
            },
        )

    def test_a_start_says_what_is_known(self) -> None:
        """Who, whence and what, as the line of the end will; and nothing of how it ends."""
        event = Started(
            time=1_700_000_000.5, id="0123456789abcdef", caller=user("ada"), command="df", arguments=("-h",)
        )

        record = json.loads(line_of(event))

        end = self.record(caller=user("ada"), command="df", arguments=("-h",), time=1_700_000_000.5)
        self.assertEqual(record, {key: end[key] for key in record} | {"event": "started"})
        self.assertEqual(
            list(record), ["time", "event", "id", "protocol", "tls", "source", "user", "method", "command", "arguments"]
        )

    def test_a_refusal_has_the_same_fields(self) -> None:
        """A request for which nothing ran has null and 0 where a run would have more to say."""
        record = self.record(command=None, outcome=Code.MALFORMED, finished=None)

        self.assertEqual(set(record), set(self.record()))
        self.assertEqual((record["command"], record["user"], record["outcome"]), (None, None, "malformed"))
        self.assertEqual((record["exit_status"], record["signal"], record["duration_seconds"]), (None, None, None))
        self.assertEqual((record["stdout_bytes"], record["stderr_bytes"]), (0, 0))
        self.assertEqual((record["truncated"], record["shared"]), (False, False))

    def test_status_zero_is_not_nothing(self) -> None:
        """A success has exit status 0 and its duration, even one of 0 seconds."""
        record = self.record(finished=finished(exit_status=0, duration_seconds=0.0))

        self.assertEqual((record["exit_status"], record["duration_seconds"]), (0, 0.0))

    def test_a_signal_is_told(self) -> None:
        """A run that died of a signal has its name and no exit status."""
        record = self.record(finished=finished(exit_status=None, signal="SIGKILL"))

        self.assertEqual((record["exit_status"], record["signal"]), (None, "SIGKILL"))

    def test_who_ended_it(self) -> None:
        """What would have gone on says who ended it, be it only its caller, who has left; all else has null."""
        for by in EndedBy:
            self.assertEqual(self.record(ended_by=by)["ended_by"], str(by))
        self.assertIsNone(self.record()["ended_by"])

    def test_no_output_is_written(self) -> None:
        """What a command said is nobody's business here."""
        line = line_of(requested(finished=finished(stdout=b"hidden-out", stderr=b"hidden-err")))

        self.assertNotIn(b"hidden", line)

    @given(ANY_TEXT, st.lists(ANY_TEXT, max_size=4), ANY_TEXT, st.none() | ANY_TEXT)
    @example("\x7f", [], "", None)
    @example("\x7f", ["\n", "\r\n", '"}', "\u2028", "\udcff"], "\x1b[2J", "\0")
    def test_nothing_forges_aline_of(self, name: str, arguments: list[str], source: str, who: str | None) -> None:
        """Any text in anything that a client chooses gives one line of printable ASCII that reads back as it was."""
        caller = replace(STRANGER, source=source, name=who)

        line = line_of(requested(command=name, arguments=tuple(arguments), caller=caller))

        self.assertRegex(line, rb"\A[ -~]+\Z")
        record = json.loads(line)
        self.assertEqual(
            (record["command"], record["arguments"], record["source"], record["user"]), (name, arguments, source, who)
        )
        self.assertEqual(record["outcome"], "ok")
