"""Tests of for whom a request is meant: for those alone whom its caller has named."""

import unittest
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.signatures.audience import MOST_NAMES, Audience
from cmdserver.core.site import FleetHost

NAMES = st.from_regex(r"[a-z0-9*?][a-z0-9.*?_-]{0,20}", fullmatch=True)


class AudienceTests(unittest.TestCase):
    def includes(self, text: str, name: str, fleet: str = "prod") -> bool:
        """Whether a host is meant."""
        return Audience.parse(text).includes(FleetHost(fleet, name))

    def test_hosts(self) -> None:
        """By names and by globs, in whatever case; of one fleet."""
        for text, name, expected in (
            ('prod;hosts=("web-1")', "web-1", True),
            ('prod;hosts=("web-1")', "WEB-1", True),
            ('prod;hosts=("WEB-*")', "web-1", True),
            ('prod;hosts=("web-1")', "web-10", False),
            ('prod;hosts=("web-1" "db-*")', "db-7.example", True),
            ('prod;hosts=("web-?")', "web-10", False),
            ('prod;hosts=("*")', "anything", True),
            ("prod;hosts=()", "web-1", False),
        ):
            self.assertEqual(self.includes(text, name), expected, (text, name))
        self.assertFalse(self.includes('prod;hosts=("web-1")', "web-1", "test"))

    def test_what_is_none(self) -> None:
        """Nothing is guessed: each of these is refused."""
        for text in (
            "", "prod", "prod;hosts=", 'prod;hosts=("web-1)', 'prod; hosts=("a")', 'prod;hosts=("a"  "b")',
            "prod;hosts=(a)",
            ';hosts=("a")', 'prod;hosts=("[a-z]")', 'prod;hosts=("a\n")', 'prod;hosts=("a")\n', 'prod;hosts=("a");x',
            'prod;hosts=("")', 'prod;hosts=("\u00e9")',
        ):  # fmt: skip
            with self.assertRaises(ValueError, msg=text):
                Audience.parse(text)

    def test_the_most_names(self) -> None:
        """More would be no field for a server any more."""
        names = " ".join(['"a"'] * (MOST_NAMES + 1))
        Audience.parse(f"prod;hosts=({names[4:]})")

        with self.assertRaisesRegex(ValueError, "201 names; 200 are the most"):
            Audience.parse(f"prod;hosts=({names})")

    def test_many_stars_cost_nothing(self) -> None:
        """A glob of stars is one."""
        self.assertFalse(self.includes(f'prod;hosts=("{"*" * 250}x")', "a" * 250))

    @given(st.lists(NAMES, max_size=5), NAMES)
    def test_it_reads_what_it_writes(self, hosts: list[str], name: str) -> None:
        """And includes a name exactly if one of the globs matches it."""
        audience = Audience("prod", tuple(hosts))

        self.assertEqual(Audience.parse(str(audience)), audience)
        expected = any(fnmatchcase(name, each) for each in hosts)
        self.assertEqual(audience.includes(FleetHost("prod", name)), expected)
