"""Tests of what a name server's answer means."""

from typing import Any

import dns.message
import dns.rcode
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import CannotTell, ProbeFailed, WrongUsage
from cmdserver_probe.kinds.dns import first_server, judge, where
from cmdserver_probe.options import parse


def an_answer(*rrsets: tuple[Any, ...], rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    """Make a server's message."""
    answer = dns.message.make_response(dns.message.make_query("h.example", "A"))
    answer.set_rcode(rcode)
    answer.answer = [dns.rrset.from_text(*each) for each in rrsets]
    return answer


class JudgeTests(SynchronousTestCase):
    ANSWER = an_answer(
        ("h.example.", 300, "IN", "CNAME", "g.example."), ("g.example.", 60, "IN", "A", "192.0.2.2", "192.0.2.1")
    )

    def test_answers(self) -> None:
        """Those of the type that was asked for are counted; the shortest life is told."""
        finding = judge(self.ANSWER, parse(["dns", "h.example"]))

        self.assertEqual(finding.text, "A 192.0.2.1, 192.0.2.2")
        self.assertEqual((finding.values["answers"].number, finding.values["ttl"].number), (2, 60))

    def test_what_is_expected(self) -> None:
        """It is a whole answer: one address is no other's beginning."""
        judge(self.ANSWER, parse(["dns", "h.example", "--expect", "192.0.2.1"]))
        with self.assertRaisesRegex(ProbeFailed, "not among: 192.0.2.1, 192.0.2.2"):
            judge(self.ANSWER, parse(["dns", "h.example", "--expect", "192.0.2"]))

    def test_no_answer(self) -> None:
        """Neither an error nor an empty answer is one."""
        with self.assertRaisesRegex(ProbeFailed, "the server answers NXDOMAIN"):
            judge(an_answer(rcode=dns.rcode.NXDOMAIN), parse(["dns", "h.example"]))
        with self.assertRaisesRegex(ProbeFailed, "there is no MX of that name"):
            judge(self.ANSWER, parse(["dns", "h.example", "--type", "MX"]))


class WhereTests(SynchronousTestCase):
    def test_a_server(self) -> None:
        """It is asked at port 53, or another."""
        self.assertEqual(str(where(parse(["dns", "h", "--server", "::1"]))), "[::1]:53")
        self.assertEqual(str(where(parse(["dns", "h", "--server", "s.example:5353"]))), "s.example:5353")

    def test_the_hosts_own(self) -> None:
        """The first that resolv.conf(5) names."""
        text = "# nameserver 192.0.2.1\nsearch example\nnameserver\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"

        self.assertEqual(str(first_server(text)), "192.0.2.2:53")
        with self.assertRaisesRegex(CannotTell, "write --server HOST"):
            first_server("search example")

    def test_wrong_questions(self) -> None:
        """A name and a type that there cannot be are not asked for."""
        for line in ("dns h..example", f"dns {'x' * 64}", "dns h --type NIX", "dns h --server a:b"):
            with self.subTest(line), self.assertRaises(WrongUsage):
                where(parse(line.split()))
