"""Tests of choosing a representation."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.web.http.negotiation import LONGEST, OF_COMMANDS, OF_DOCUMENTS, Representation, choose
from tests.doubles import LAW

PAGE, TEXT, JSON, EVENTS = Representation.PAGE, Representation.TEXT, Representation.JSON, Representation.EVENTS

_WEIGHTS = st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}".encode())


class ChooseTests(unittest.TestCase):
    def test_what_clients_send(self) -> None:
        """Each kind of client gets what is made for it, without being told how to ask."""
        clients = {
            None: TEXT,
            b"*/*": TEXT,  # curl, wget, requests
            b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": PAGE,
            b"text/html, image/gif, image/jpeg, */*; q=.2": PAGE,
            b"application/json": JSON,
            b"application/json, text/plain, */*": TEXT,
            b"application/json;q=0.9, */*;q=0.1": JSON,
            b"text/event-stream": EVENTS,
            b"text/*": TEXT,
            b"text/html;level=1;q=0.2, text/*;q=0.1": PAGE,
            b"TEXT/HTML ; Q=1": PAGE,
            b"image/png": TEXT,
            b"text/plain;q=0, */*": PAGE,
            b"text/html;q=0.5, text/plain;q=0.5": TEXT,
        }
        self.assertEqual({accept: choose(accept, OF_COMMANDS) for accept in clients}, clients)

    def test_what_is_not_offered_is_not_chosen(self) -> None:
        """A stream is no document: what else the client takes is."""
        self.assertIs(choose(b"text/event-stream, application/json;q=0.1", OF_DOCUMENTS), JSON)

    def test_more_than_anybody_says_is_not_looked_at(self) -> None:
        """A header of any length costs the same."""
        self.assertIs(choose(b"application/json," * LONGEST, OF_COMMANDS), TEXT)

    @LAW
    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_wish(self, accept: bytes) -> None:
        """Any header gives one of what is offered, never an exception."""
        self.assertIn(choose(accept, OF_COMMANDS), OF_COMMANDS)

    @LAW
    @given(st.permutations(OF_COMMANDS), st.lists(_WEIGHTS, min_size=4, max_size=4))
    def test_the_most_liked_is_chosen(self, order: list[Representation], weights: list[bytes]) -> None:
        """If all are named, none is liked better than the one that is chosen, in whatever order they are named."""
        accept = b", ".join(each.value + b";q=" + weight for each, weight in zip(order, weights, strict=True))
        liked = dict(zip(order, map(float, weights), strict=True))

        chosen = choose(accept, OF_COMMANDS)

        self.assertEqual(liked[chosen], max(liked.values()))
