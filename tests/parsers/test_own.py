"""Parsers of ours: what is understood, and what is not."""

from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.output import NotParsed
from cmdserver.parsers.jc_library import load, parse
from cmdserver.parsers.own import OWN
from tests.doubles import LAW, without_jc
from tests.frontends.web.pages.tables import samples


def rows(parser: str, output: bytes) -> Any:
    """Parse output."""
    return parse(parser, output)


class OwnTests(TestCase):
    def refused(self, parser: str, output: bytes) -> None:
        """See that there are no data of output."""
        with self.assertRaises(NotParsed):
            parse(parser, output)

    def test_without_jc(self) -> None:
        """They need no library; dashes and underscores are the same."""
        with without_jc():
            self.assertEqual((load("apt-list"), load("docker_ps")), ("apt-list", "docker_ps"))
            self.assertEqual(len(rows("apt_list", samples.APT)), 3)

    def test_docker(self) -> None:
        """Columns are where their heads are; one that is empty has nothing."""
        first, second = rows("docker-ps", samples.DOCKER)
        self.assertEqual(
            first,
            {
                "container_id": "4c01db0b339c",
                "image": "nginx:1.25",
                "command": '"/docker-entrypoint.s"',
                "created": "17 hours ago",
                "status": "Up 17 hours",
                "ports": "0.0.0.0:80->80/tcp",
                "names": "web",
            },
        )
        self.assertEqual((second["ports"], second["names"]), (None, "db"))
        self.assertEqual(rows("docker-ps", samples.DOCKER.splitlines(keepends=True)[0]), [])

    def test_messages_of_docker(self) -> None:
        """A complaint is no table, nor is one whose columns have moved."""
        self.refused("docker-ps", b"Cannot connect to the Docker daemon. Is it running?\n")
        self.refused("docker-ps", b"")
        self.refused("docker-ps", b"ID   NAME\na-very-long-one web\n")

    def test_apt(self) -> None:
        """A package a line, with what is said of it; what apt says besides is no package."""
        first, second, third = rows("apt-list", b"WARNING: apt has no stable CLI\n\n" + samples.APT)
        self.assertEqual(
            first,
            {
                "package": "adduser",
                "version": "3.134",
                "architecture": "all",
                "suites": ["stable", "now"],
                "status": ["installed", "automatic"],
            },
        )
        self.assertEqual((second["status"], third["status"]), (["upgradable from: 1.22.1-9"], []))
        self.refused("apt-list", b"E: something is wrong\n")

    def test_ip(self) -> None:
        """Interfaces with their addresses, in the words of ``ip -j addr``."""
        loopback, ethernet = rows("ip-addr", samples.IP)
        self.assertEqual(
            loopback["addr_info"],
            [
                {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"},
                {"family": "inet6", "local": "::1", "prefixlen": 128, "scope": "host"},
            ],
        )
        expected = {"ifindex": 2, "ifname": "eth0", "mtu": 1400, "operstate": "UP", "address": "02:fc:00:00:00:01"}
        self.assertLessEqual(expected.items(), {key: ethernet[key] for key in expected}.items())
        self.assertEqual(ethernet["flags"], ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"])
        self.assertEqual(rows("ip-addr", b""), [])
        self.refused("ip-addr", b"no interface\n")
        self.refused("ip-addr", b"1: lo: <UP> no numbers\n")

    @LAW
    @given(st.sampled_from(sorted(OWN)), st.text(), st.sampled_from([samples.APT, samples.IP, samples.DOCKER]))
    def test_any_output(self, parser: str, text: str, before: bytes) -> None:
        """There are rows, or a reason why not."""
        try:
            self.assertIsInstance(parse(parser, before + text.encode(errors="replace")), list)
        except NotParsed:
            return
