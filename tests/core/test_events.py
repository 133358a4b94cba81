"""Tests of telling what happened to all who must know."""

import re

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import AuditError
from cmdserver.core.events import AuditLog, Event, EventLog, new_id
from tests import contracts
from tests.running_doubles import MemoryLedger, requested


class MemoryLedgerTests(contracts.LedgerContract):
    """The contract, kept by the fake."""

    def make_ledger(self) -> AuditLog:
        return MemoryLedger()

    def make_full_ledger(self) -> AuditLog:
        ledger = MemoryLedger()
        ledger.is_full = True
        return ledger

    def written(self, ledger: AuditLog) -> list[str]:
        assert isinstance(ledger, MemoryLedger)
        return [event.id for event in ledger.events]


class EventStreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.happened: list[str] = []
        self.ledger = MemoryLedger(self.happened)
        self.stream = EventLog(self.ledger)

    def observe(self, event: Event) -> None:
        """Be an observer."""
        self.happened.append(f"observed {event.id}")

    def test_the_ledger_comes_first(self) -> None:
        """All events are written down before any observer is told of one, and each is told of them in order."""
        self.stream.subscribe(self.observe)

        self.stream.publish([requested(id="a"), requested(id="b")])

        self.assertEqual(self.happened, ["ledger written", "observed a", "observed b"])

    def test_nothing_is_nothing(self) -> None:
        """A run that ends for nobody has no events, which is no trouble of an audit log that takes none now."""
        self.stream.subscribe(self.observe)
        self.ledger.is_full = True

        self.stream.publish([])

        self.assertEqual(self.happened, [])

    def test_ids(self) -> None:
        """They are 64 bits in hexadecimal, and none comes twice."""
        ids = [new_id() for _ in range(1000)]

        self.assertEqual(len(set(ids)), 1000)
        self.assertTrue(all(re.fullmatch("[0-9a-f]{16}", each) for each in ids))

    def test_what_is_not_written_did_not_happen(self) -> None:
        """If the ledger refuses, so does the stream, and no observer is told."""
        self.stream.subscribe(self.observe)
        self.ledger.is_about_to_be_full = True

        self.assertRaises(AuditError, self.stream.publish, [requested()])

        self.assertEqual(self.happened, [])

    def test_a_mistake_of_the_ledger_is_a_refusal(self) -> None:
        """Whatever it raises, the publisher is told that nothing was written, and the log what happened."""
        self.stream.subscribe(self.observe)
        self.ledger.mistake = IndexError("mistake")

        with self.assertRaisesRegex(AuditError, "IndexError"):
            self.stream.publish([requested()])

        self.assertEqual((self.happened, len(self.flushLoggedErrors(IndexError))), ([], 1))

    def test_the_ledger_can_be_asked_before(self) -> None:
        """Whether events can be written is the ledger's to say."""
        self.stream.require_audit_log()
        self.ledger.is_full = True

        self.assertRaises(AuditError, self.stream.require_audit_log)

    def test_an_observers_failure_is_its_own(self) -> None:
        """An observer that raises is logged; the publisher, the others and the next event are not disturbed."""

        def fail(event: Event) -> None:
            raise ValueError(event.id)

        self.stream.subscribe(fail)
        self.stream.subscribe(self.observe)

        self.stream.publish([requested(id="a"), requested(id="b")])

        self.assertEqual(self.happened, ["ledger written", "observed a", "observed b"])
        self.assertEqual([str(failure.value) for failure in self.flushLoggedErrors(ValueError)], ["a", "b"])

    def test_observers_hear_what_comes_after(self) -> None:
        """Who subscribes late is not told of what was before."""
        self.stream.publish([requested(id="a")])
        self.stream.subscribe(self.observe)

        self.stream.publish([requested(id="b")])

        self.assertEqual(self.happened[-1], "observed b")
        self.assertNotIn("observed a", self.happened)
