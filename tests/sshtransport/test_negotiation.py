"""Tests of KEXINIT, of what follows from two of them, and of EXT_INFO."""

import contextlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.encoding import Malformed, string, uint32
from cmdserver.sshtransport.negotiation import (
    MAX_EXTENSIONS,
    SERVER_EXTENSIONS,
    KexInit,
    NothingInCommon,
    Suite,
    agree,
    encode_extensions,
    parse_extensions,
)

GCM, CTR = b"aes128-gcm@openssh.com", b"aes128-ctr"
OFFER = KexInit(
    key_exchanges=(b"k1", b"k2"),
    host_keys=(b"h1", b"h2"),
    ciphers_in=(GCM, CTR),
    ciphers_out=(CTR, GCM),
    macs_in=(b"m1",),
    macs_out=(b"m1", b"m2"),
    compressions_in=(b"none",),
    compressions_out=(b"none",),
)
COOKIE = bytes(range(16))


class KexInitTests(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        """All lists, and whether a guess follows."""
        for is_followed in (True, False):
            offer = replace(OFFER, is_followed=is_followed)

            self.assertEqual(KexInit.parse(offer.encode(COOKIE)), offer)

    @given(st.binary(max_size=30), st.integers(0, 200))
    def test_any_bytes_are_one_or_malformed(self, data: bytes, place: int) -> None:
        """Nothing else comes of them."""
        message = OFFER.encode(COOKIE)
        with contextlib.suppress(Malformed):
            KexInit.parse(message[:place] + data + message[place:])


class AgreeTests(SynchronousTestCase):
    def test_the_clients_order_counts(self) -> None:
        """For each kind, the first of the client's that the server has; for each direction of its own."""
        client = replace(OFFER, key_exchanges=(b"no", b"k2", b"k1"), macs_out=(b"m2", b"m1"))

        agreed = agree(client, OFFER)

        self.assertEqual((agreed.key_exchange, agreed.host_key), (b"k2", b"h1"))
        self.assertEqual((agreed.inward, agreed.outward), (Suite(cipher=GCM, mac=None), Suite(cipher=CTR, mac=b"m2")))

    def test_a_mac_is_needed_where_the_cipher_is_none(self) -> None:
        """And nowhere else."""
        client = replace(OFFER, macs_in=(b"no",))
        self.assertEqual(agree(client, OFFER).inward, Suite(cipher=GCM, mac=None))

        with self.assertRaises(NothingInCommon):
            agree(replace(OFFER, macs_out=(b"no",)), OFFER)

    def test_a_guess_is_right_if_both_begin_alike(self) -> None:
        """RFC 4253 section 7: with the method and with the host key."""
        for client, wrong in (
            (OFFER, False),
            (replace(OFFER, key_exchanges=(b"k2", b"k1")), True),
            (replace(OFFER, host_keys=(b"h2", b"h1")), True),
            (replace(OFFER, ciphers_in=(CTR, GCM)), False),
        ):
            with self.subTest(client=client):
                self.assertIs(agree(client, OFFER).is_guess_wrong, wrong)

    def test_nothing_is_agreed_on_for_want_of_anything(self) -> None:
        """Empty lists have nothing in common with anything."""
        for client in (
            replace(OFFER, key_exchanges=()),
            replace(OFFER, host_keys=()),
            replace(OFFER, ciphers_in=()),
            replace(OFFER, ciphers_out=()),
            replace(OFFER, compressions_in=()),
            replace(OFFER, compressions_out=()),
        ):
            with self.subTest(client=client), self.assertRaises(NothingInCommon):
                agree(client, OFFER)


class ExtensionInfoTests(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        """Names and values."""
        self.assertEqual(parse_extensions(encode_extensions(SERVER_EXTENSIONS)), dict(SERVER_EXTENSIONS))

    def test_the_message_is_that_of_the_rfc(self) -> None:
        """RFC 8308 section 2.3: a count, then names and values."""
        self.assertEqual(encode_extensions(((b"a", b"1"),)), uint32(1) + string(b"a") + string(b"1"))

    def test_too_many_are_refused(self) -> None:
        """Before any of them is read."""
        many = ((b"", b""),) * (MAX_EXTENSIONS + 1)
        for message in (encode_extensions(many), uint32(0xFFFFFFFF)):
            with self.assertRaises(Malformed):
                parse_extensions(message)
        self.assertEqual(parse_extensions(encode_extensions(many[1:])), {b"": b""})

    @given(st.binary(max_size=60))
    def test_any_bytes_are_one_or_malformed(self, data: bytes) -> None:
        """Nothing else comes of them."""
        with contextlib.suppress(Malformed):
            parse_extensions(uint32(2) + data)
