"""Tests of the server's transport with a client, on a wire on which nothing takes time."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from cmdserver.sshtransport import algorithms, strict
from cmdserver.sshtransport.dispatching import PING, PONG
from cmdserver.sshtransport.encoding import Fields, string, uint32
from cmdserver.sshtransport.rekeying import RekeyLimits
from tests.sshtransport.client import (
    TALK,
    ClientTransport,
    Talk,
    TalkingClient,
    TalkingServer,
    Wire,
    connected,
    cut,
    taken,
    talk,
)


def offering(**names: list[bytes]) -> ClientTransport:
    """Make a client that offers these and no others."""
    client = TalkingClient()
    for kind, offered in names.items():
        setattr(client, kind, offered)
    return client


class HandshakeTests(SynchronousTestCase):
    def test_every_offered_suite_works(self) -> None:
        """Whatever a client chooses of what we offer, both understand each other, in both directions."""
        for method, cipher, mac in itertools.product(algorithms.KEY_EXCHANGES, algorithms.CIPHERS, algorithms.MACS):
            with self.subTest(method=method, cipher=cipher, mac=mac):
                wire = connected(
                    client=offering(supportedKeyExchanges=[method], supportedCiphers=[cipher], supportedMACs=[mac])
                )

                wire.client.sendPacket(TALK, b"up")
                wire.server.sendPacket(TALK, b"down")
                wire.settle()

                self.assertEqual((talk(wire.server).heard, talk(wire.client).heard), ([b"up"], [b"down"]))

    def test_legacy_peers_alone_are_offered_the_old_mac(self) -> None:
        """Encrypt-and-MAC is for legacy peers, and last; others are not even told that we have it."""
        for version, is_offered in (
            (b"dropbear_2019.78", True),
            (b"libssh_0.8.9", True),
            (b"libssh2_1.4.3", True),
            (b"libssh2_1.10.0", True),
            (b"libssh2_1.10.1_DEV", True),
            (b"libssh2_1.11.0", False),
            (b"libssh2_1.100.0", False),
            (b"libssh2_10.0.0", False),
            (b"libssh2_2.1.0", False),
            (b"Renci.SshNet.SshClient.0.0.1", True),
            (b"Renci.SshNet.SshClient.0.0.1.2", False),
            (b"Renci.SshNet.SshClient.2024.1.0", False),
            (b"RenciXSshNet.SshClient.0.0.1", False),
            (b"OpenSSH_9.2", False),
            (b"OpenSSH_9.2 SSH-2.0-libssh2_1.10.0", False),
        ):
            with self.subTest(version):
                server = TalkingServer()
                server.makeConnection(StringTransport())
                said_before = taken(server)
                server.dataReceived(b"SSH-2.0-" + version + b"\r\n")
                offer = taken(server)

                self.assertEqual(said_before, server.ourVersionString + b"\r\n")
                self.assertEqual(offer.count(b"etm@openssh.com,hmac-sha2-256,hmac-sha2-512\0"), 2 * is_offered)
                self.assertEqual(offer.count(b"hmac-sha2-512\0"), 2 * is_offered)

    def test_legacy_peers_get_through(self) -> None:
        """With each of the old MACs, and each cipher that needs one; nobody else does with nothing but these."""
        for cipher, mac in itertools.product(algorithms.CIPHERS[3:], algorithms.LEGACY_MACS):
            with self.subTest(cipher=cipher, mac=mac):
                client = offering(supportedCiphers=[cipher], supportedMACs=[mac])
                client.ourVersionString = b"SSH-2.0-libssh2_1.10.0"
                wire = connected(client=client)
                wire.client.sendPacket(TALK, b"up")
                wire.server.sendPacket(TALK, b"down")
                wire.settle()

                self.assertEqual((talk(wire.server).heard, talk(wire.client).heard), ([b"up"], [b"down"]))
                refused = connected(client=offering(supportedCiphers=[cipher], supportedMACs=[mac]))
                self.assertIsNone(refused.client.service)

    def test_legacy_peers_that_have_better_get_it(self) -> None:
        """What is offered besides changes nothing for a client that says it is legacy and prefers what it should."""
        client = offering(supportedCiphers=[b"aes128-ctr"], supportedMACs=[*algorithms.MACS, *algorithms.LEGACY_MACS])
        client.ourVersionString = b"SSH-2.0-libssh2_1.10.0"
        wire = connected(client=client)

        self.assertEqual(wire.server._agreed.inward.mac, algorithms.MACS[0])

    @settings(max_examples=20, deadline=None)
    @given(st.integers(1, 60))
    def test_bytes_can_come_in_any_pieces(self, size: int) -> None:
        """Nothing depends on how the network cuts what is sent."""
        wire = Wire(
            TalkingServer(),
            TalkingClient(),
            lambda data: [data[start : start + size] for start in range(0, len(data), size)],
        )
        wire.settle()

        wire.client.sendPacket(TALK, b"up")
        wire.settle()

        self.assertEqual(talk(wire.server).heard, [b"up"])

    def test_nothing_is_sent_in_the_clear_but_the_exchange(self) -> None:
        """From NEWKEYS on, what is said cannot be read on the wire."""
        wire = connected()

        wire.server.sendPacket(TALK, b"a secret that is long enough")
        wire.settle()

        self.assertNotIn(b"a secret", wire.to_client)
        self.assertTrue(wire.server.isEncrypted("both"))
        self.assertTrue(wire.server.isVerified("both"))

    def test_before_the_exchange_nothing_is_encrypted(self) -> None:
        """Who asks, such as authentication, is told so."""
        server = Wire(TalkingServer(), TalkingClient()).server

        self.assertEqual([server.isEncrypted(way) for way in ("in", "out", "both")], [False, False, False])

    def test_clients_learn_what_users_may_sign_with(self) -> None:
        """All algorithms for users are told, though the only host key is of Ed25519."""
        wire = connected()

        self.assertEqual(
            wire.client.peerExtensions,
            {b"server-sig-algs": b",".join(algorithms.USER_KEYS), b"ping@openssh.com": b"0"},
        )

    def test_who_does_not_ask_is_told_nothing(self) -> None:
        """A client without RFC 8308 gets no message that it does not know."""
        client = TalkingClient()
        client.marks = ()

        self.assertEqual(connected(client=client).client.peerExtensions, {})

    def test_a_wrong_guess_is_skipped(self) -> None:
        """What a client sends before anything is agreed on is ignored if it guessed another method or host key."""
        for guess, host_key in ((b"curve25519-sha256", b"ssh-ed25519"), (algorithms.KEY_EXCHANGES[0], b"rsa-sha2-256")):
            with self.subTest(guess=guess):
                client = Guessing([guess, *algorithms.KEY_EXCHANGES], [host_key, b"ssh-ed25519"])
                wire = connected(client=client)

                wire.client.sendPacket(TALK, b"up")
                wire.settle()

                self.assertEqual(talk(wire.server).heard, [b"up"])

    def test_sides_without_anything_in_common_part(self) -> None:
        """The client is told which kind of algorithm it lacks."""
        for kind, text in {
            "supportedKeyExchanges": b"no matching key exchange method found",
            "supportedPublicKeys": b"no matching host key type found",
            "supportedCiphers": b"no matching cipher found",
            "supportedCompressions": b"no matching compression found",
        }.items():
            with self.subTest(kind=kind):
                wire = Wire(TalkingServer(), offering(**{kind: [b"another"]}))
                wire.deliver()

                self.assertTrue(wire.server.transport.disconnecting)
                self.assertIn(uint32(3) + string(text), taken(wire.server))

    def test_authenticating_ciphers_need_no_mac_in_common(self) -> None:
        """A client without encrypt-then-MAC, such as dropbear, can have ChaCha20 all the same."""
        wire = connected(
            client=offering(supportedMACs=[b"hmac-sha1"], supportedCiphers=[b"chacha20-poly1305@openssh.com"])
        )

        self.assertIsInstance(wire.server.service, Talk)


class Guessing(TalkingClient):
    """A client that sends its part before anything is agreed on; its names are in other orders than ours."""

    def __init__(self, methods: list[bytes], host_keys: list[bytes]) -> None:
        self.supportedKeyExchanges, self.supportedPublicKeys = methods, host_keys

    def sendKexInit(self) -> None:
        """Announce a guess, and send one that is wrong."""
        before = self.transport.value()
        super().sendKexInit()
        packet = bytearray(self.transport.value()[len(before) :])
        padding = packet[4]
        packet[-padding - 5] = 1  # first_kex_packet_follows
        self.ourKexInitPayload = bytes(packet[5:-padding])
        self.transport.clear()
        self.transport.write(before + bytes(packet))
        self._send(strict.KEX_INIT, string(b"a guess"))


class StrictTests(SynchronousTestCase):
    """Terrapin, CVE-2023-48795."""

    def test_sequence_numbers_start_again_with_new_keys(self) -> None:
        """If both are strict, the first packet under a key has the number 0; in later exchanges too."""
        wire = connected()

        # EXT_INFO and SERVICE_ACCEPT were sent, SERVICE_REQUEST received.
        self.assertEqual((wire.server.outgoingPacketSequence, wire.server.incomingPacketSequence), (2, 1))

        wire.server.sendKexInit()
        wire.settle()

        self.assertEqual((wire.server.outgoingPacketSequence, wire.server.incomingPacketSequence), (0, 0))

    def test_they_go_on_for_clients_that_are_not_strict(self) -> None:
        """RFC 4253 section 6.4, as it was."""
        client = TalkingClient()
        client.marks = ()
        wire = connected(client=client)

        self.assertEqual((wire.server.outgoingPacketSequence, wire.server.incomingPacketSequence), (4, 4))

    def test_nobody_becomes_strict_later(self) -> None:
        """What is announced counts in the first KEXINIT of both sides only, and is not announced again."""
        client = TalkingClient()
        client.marks = ()
        wire = connected(client=client)
        client.marks = (strict.CLIENT_MARKER,)
        before = wire.server.incomingPacketSequence
        first = wire.to_client.count(strict.SERVER_MARKER)

        client._is_first = True  # so that it announces something
        wire.client.sendKexInit()
        wire.client._is_first = False
        wire.deliver()
        later = wire.server.ourKexInitPayload
        wire.settle()

        self.assertEqual((first, later.count(strict.SERVER_MARKER)), (1, 0))
        self.assertEqual(later[0], strict.KEXINIT)
        self.assertGreater(wire.server.incomingPacketSequence, before)

    def test_nothing_can_be_slipped_in_before_the_keys(self) -> None:
        """A message that the first exchange does not need ends the connection, wherever it stands."""
        for number in (strict.IGNORE, strict.UNIMPLEMENTED, strict.DEBUG, 5, 6, 7, 22, 50, 80, PING):
            for place in range(3):
                with self.subTest(number=number, place=place):
                    wire = Wire(TalkingServer(), TalkingClient())
                    for _ in range(place):
                        wire.deliver()
                    wire.server.dataReceived(b"SSH-2.0-x\r\n" if place == 0 else b"")

                    wire.server.dataReceived(wire.client._sealer.seal(0, bytes((number,)) + bytes(20)))

                    self.assertTrue(wire.server.transport.disconnecting)

    def test_a_prefix_cannot_be_cut_away(self) -> None:
        """Had a message been slipped in before the keys, what is cut away after them would be missed all the same."""
        for name in algorithms.CIPHERS:
            with self.subTest(name):
                wire = terrapin(offering(supportedCiphers=[name]))

                self.assertTrue(wire.server.transport.disconnecting)
                self.assertIsNone(wire.server.service)

    def test_the_attack_is_one(self) -> None:
        """Without strict key exchange it would not be missed, so the test above does test something."""
        client = offering(supportedCiphers=[b"chacha20-poly1305@openssh.com"])
        client.marks = ()

        self.assertFalse(terrapin(client).server.transport.disconnecting)


def terrapin(client: ClientTransport) -> Wire:
    """Count a message more before the keys, as if it had been slipped in, and cut the first one after them away."""
    client.connectionSecure = lambda: None  # type: ignore[method-assign]
    wire = Wire(TalkingServer(), client)
    wire.deliver()
    wire.server.incomingPacketSequence += 1
    wire.settle()
    client.requestService(Talk())
    taken(client)
    client.sendPacket(strict.IGNORE, b"what comes after what was cut away")
    wire.deliver()
    return wire


class RekeyingTests(SynchronousTestCase):
    def test_both_sides_can_start_an_exchange(self) -> None:
        """It makes no difference to what is said before, meanwhile and after."""
        for starter in ("server", "client"):
            with self.subTest(starter):
                wire = connected()
                session = wire.server.sessionID
                wire.server.sendPacket(TALK, b"before")
                wire.client.sendPacket(TALK, b"before")
                getattr(wire, starter).sendKexInit()
                wire.server.sendPacket(TALK, b"meanwhile")
                wire.client.sendPacket(TALK, b"meanwhile")
                wire.settle()
                wire.server.sendPacket(TALK, b"after")
                wire.client.sendPacket(TALK, b"after")
                wire.settle()

                expected = [b"before", b"meanwhile", b"after"]
                self.assertEqual((talk(wire.server).heard, talk(wire.client).heard), (expected, expected))
                self.assertEqual((wire.server.sessionID, wire.client.sessionID), (session, session))

    def test_both_sides_can_start_at_once(self) -> None:
        """Two starts are one exchange."""
        wire = connected()

        wire.server.sendKexInit()
        wire.client.sendKexInit()
        wire.server.sendPacket(TALK, b"meanwhile")
        wire.settle()

        self.assertEqual(talk(wire.client).heard, [b"meanwhile"])

    def test_keys_change_while_data_flows_both_ways(self) -> None:
        """With a limit of a few packets nothing is lost, doubled or out of order; whoever has the limit."""
        for limits in (RekeyLimits(size=2000), RekeyLimits(packets=3)):
            with self.subTest(limits=limits):
                server, client = TalkingServer(), TalkingClient()
                server.rekeyLimits = client.rekeyLimits = limits
                wire = connected(server, client)
                agreed: list[bytes] = []
                wire.server._is_agreed = lambda agreed=agreed: agreed.append(b"")  # type: ignore[method-assign,misc]
                said = [b"%d " % index * 50 for index in range(100)]

                for index, message in enumerate(said):
                    wire.server.sendPacket(TALK, message)
                    wire.client.sendPacket(TALK, message)
                    if index % 3:
                        wire.deliver()
                wire.settle()

                self.assertEqual((talk(wire.server).heard, talk(wire.client).heard), (said, said))
                self.assertGreater(len(agreed), 5)

    def test_time_is_a_reason_too(self) -> None:
        """With the first packet after the time is over, keys are exchanged."""
        now = [0.0]
        server = TalkingServer()
        server.seconds = lambda: now[0]
        wire = connected(server)

        now[0] = 3599.0
        wire.server.sendPacket(TALK, b"early")
        early = wire.server._is_holding
        now[0] = 3600.0
        wire.server.sendPacket(TALK, b"late")

        self.assertEqual((early, wire.server._is_holding), (False, True))

    def test_strangers_cannot_have_keys_exchanged_again(self) -> None:
        """Before the login a second exchange is work that nobody needs."""
        wire = connected(logged_in=False)

        wire.client.sendKexInit()
        wire.settle()

        self.assertTrue(wire.server.transport.disconnecting)

    def test_no_exchange_is_started_before_the_login(self) -> None:
        """Nor do we start one."""
        server = TalkingServer()
        server.rekeyLimits = RekeyLimits(packets=1)
        wire = connected(server, logged_in=False)

        wire.server.sendPacket(TALK, b"something")

        self.assertFalse(wire.server._is_holding)

    def test_who_started_may_say_nothing_else(self) -> None:
        """After its KEXINIT a peer that goes on talking is cut off (RFC 4253 section 7.1)."""
        for number in (TALK, 5, 7, 80, strict.KEXINIT):
            with self.subTest(number=number):
                wire = connected()
                wire.client.sendKexInit()
                wire.client._send(number, b"go on")

                wire.deliver()

                self.assertTrue(wire.server.transport.disconnecting)
                self.assertEqual(talk(wire.server).heard, [])

    def test_what_the_rfc_allows_meanwhile_is_ignored(self) -> None:
        """IGNORE, DEBUG and UNIMPLEMENTED may come in the middle of a later exchange."""
        wire = connected()
        wire.client.sendKexInit()
        for number in (strict.IGNORE, strict.DEBUG, strict.UNIMPLEMENTED):
            wire.client._send(number, bytes(12))
        wire.client.sendPacket(TALK, b"afterwards")
        wire.settle()

        self.assertEqual(talk(wire.server).heard, [b"afterwards"])

    def test_output_is_held_and_released(self) -> None:
        """Who produces output is told, once each."""
        wire = connected()
        assert isinstance(wire.server, TalkingServer)
        wire.server.output.clear()

        wire.server.sendKexInit()
        held = wire.server.isOutputHeld
        wire.settle()

        self.assertEqual(wire.server.output, ["held", "released"])
        self.assertEqual((held, wire.server.isOutputHeld), (True, False))

    def test_not_much_is_held(self) -> None:
        """Who never answers our KEXINIT cannot make us keep answers for ever."""
        wire = connected()
        wire.server.maxHeldBytes = 1000
        wire.server.sendKexInit()

        for _ in range(11):
            wire.server.sendPacket(TALK, bytes(100))

        self.assertTrue(wire.server.transport.disconnecting)

    def test_empty_messages_are_not_held_for_nothing(self) -> None:
        """Many small answers are much, too."""
        wire = connected()
        wire.server.maxHeldBytes = 1000
        wire.server.sendKexInit()

        for _ in range(11):
            wire.server.sendPacket(TALK, b"")

        self.assertTrue(wire.server.transport.disconnecting)

    def test_new_keys_are_announced_and_nothing_else(self) -> None:
        """NEWKEYS has no content (RFC 4253 section 7.3)."""
        wire = connected()
        send = wire.client._send
        wire.client._send = lambda number, message: send(number, message or b"x")  # type: ignore[method-assign]

        wire.client.sendKexInit()
        wire.settle()

        self.assertTrue(wire.server.transport.disconnecting)

    def test_an_exchange_cannot_be_started_twice(self) -> None:
        """By us, which would be a mistake."""
        wire = connected()
        wire.server.sendKexInit()

        with self.assertRaises(RuntimeError):
            wire.server.sendKexInit()

    def test_nothing_is_taken_under_a_key_that_is_used_up(self) -> None:
        """From a peer that pays no attention to our wish for another key."""
        wire = connected()
        wire.server._opening._packets = (1 << 32) - 17

        wire.client.sendPacket(TALK, b"one too many")
        wire.deliver()

        self.assertTrue(wire.server.transport.disconnecting)
        self.assertEqual(talk(wire.server).heard, [])

    def test_no_key_protects_more_than_it_can(self) -> None:
        """Before a nonce could come again, the connection ends; no packet is sent, none is taken."""
        wire = connected()
        wire.server._sealing._packets = (1 << 32) - 16
        wire.server._is_holding = True

        wire.server.sendPacket(strict.DISCONNECT, b"")

        self.assertEqual(taken(wire.server), b"")
        self.assertTrue(wire.server.transport.disconnecting)

    def test_sequence_numbers_wrap(self) -> None:
        """After 2^32 - 1 comes 0, in both directions, as the other side has it."""
        client = TalkingClient()
        wire = connected(client=client)
        last = (1 << 32) - 1
        for side in (wire.server, wire.client):
            side.incomingPacketSequence = side.outgoingPacketSequence = last

        for word in (b"last", b"first"):
            wire.client.sendPacket(TALK, word)
            wire.server.sendPacket(TALK, word)
        wire.settle()

        self.assertEqual((talk(wire.server).heard, talk(wire.client).heard), ([b"last", b"first"],) * 2)
        self.assertEqual(wire.server.incomingPacketSequence, 1)


class Asking(ClientTransport):
    """A client that asks for some service.

    Args:
        name: Which one.
    """

    def __init__(self, name: bytes) -> None:
        self._name = name

    def connectionSecure(self) -> None:
        """Ask for it."""
        self.sendPacket(5, string(self._name))


class MessageTests(SynchronousTestCase):
    def test_pings_are_answered(self) -> None:
        """With what was in them."""
        wire = connected()
        answers: list[tuple[int, bytes]] = []
        wire.client.dispatchMessage = lambda messageNum, payload: answers.append((messageNum, payload))  # type: ignore[method-assign]

        wire.client.sendPacket(PING, string(b"are you there?"))
        wire.settle()

        self.assertEqual(answers, [(PONG, string(b"are you there?"))])

    def test_unknown_messages_are_answered_with_their_number(self) -> None:
        """The sequence number is that of the message which is not implemented."""
        wire = connected()
        answers: list[tuple[int, bytes]] = []
        wire.client.dispatchMessage = lambda messageNum, payload: answers.append((messageNum, payload))  # type: ignore[method-assign]

        for number in (8, 19, 99):
            wire.client.sendPacket(number, b"")
        wire.settle()

        # The first packet under these keys asked for the service.
        self.assertEqual(answers, [(strict.UNIMPLEMENTED, uint32(sequence)) for sequence in (1, 2, 3)])

    def test_a_service_is_started_once(self) -> None:
        """Authentication cannot be started anew to have its attempts back."""
        wire = connected(logged_in=False)
        first = wire.server.service

        wire.client.requestService(Talk())
        wire.settle()

        self.assertTrue(wire.server.transport.disconnecting)
        self.assertIs(wire.server.service, first)

    def test_only_authentication_can_be_asked_for(self) -> None:
        """Whatever else the factory has."""
        for name in (b"ssh-connection", b"no such thing"):
            with self.subTest(name=name):
                wire = connected(client=Asking(name), logged_in=False)

                self.assertIsNone(wire.server.service)
                self.assertTrue(wire.server.transport.disconnecting)

    def test_what_a_service_cannot_read_ends_the_connection(self) -> None:
        """Its parser's exception makes one line in the log, and no traceback."""
        wire = connected()

        wire.client.sendPacket(TALK, b"")
        wire.settle()

        self.assertTrue(wire.server.transport.disconnecting)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_services_can_have_stricter_parsers(self) -> None:
        """Whose exceptions are then mistakes of ours, but for Malformed."""
        wire = connected()
        wire.server.parserErrors = ()

        wire.client.sendPacket(TALK, b"")
        wire.settle()

        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

        wire = connected()
        wire.server.parserErrors = ()
        talk(wire.server).ssh_TALK = lambda packet: Fields(packet).end()  # type: ignore[method-assign]

        wire.client.sendPacket(TALK, b"x")
        wire.settle()

        self.assertTrue(wire.server.transport.disconnecting)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_parts_before_anything_has_begun_is_no_trouble(self) -> None:
        """There is no service, and nobody is logged in."""
        wire = Wire(TalkingServer(), TalkingClient())

        cut(wire.server)

        self.assertEqual(wire.server.service, None)

    def test_our_own_mistakes_are_logged_as_such(self) -> None:
        """With a traceback, and without a word of it to the peer."""
        wire = connected()
        talk(wire.server).ssh_TALK = lambda packet: len(packet) // 0  # type: ignore[method-assign,assignment]
        told: list[tuple[int, bytes]] = []
        wire.client.receiveError = lambda reasonCode, description: told.append((reasonCode, description))  # type: ignore[method-assign]

        wire.client.sendPacket(TALK, b"x")
        wire.settle()

        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(told, [(11, b"Internal error")])

    def test_after_the_end_nothing_is_read_or_sent(self) -> None:
        """What comes after our farewell is dropped; what services still say is, too."""
        wire = connected()
        wire.client.sendPacket(TALK, b"too late")

        wire.server.sendDisconnect(11, "that is enough")
        farewell = taken(wire.server)
        wire.server.sendPacket(TALK, b"and another thing")
        wire.server.sendDisconnect(11, b"twice")
        more = taken(wire.server)
        wire.deliver()

        self.assertGreater(len(farewell), 0)
        self.assertEqual((more, taken(wire.server), talk(wire.server).heard), (b"", b"", []))

    def test_the_service_and_the_user_hear_of_the_end(self) -> None:
        """Once the connection is gone."""
        wire = connected()
        assert isinstance(wire.server, TalkingServer)
        service = talk(wire.server)

        cut(wire.server)

        self.assertTrue(service.is_stopped)
        self.assertEqual(wire.server.output[-1], "logged out")


class NoDelay(StringTransport):
    """A transport that says that it is TCP's."""

    noDelay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Note it."""
        self.noDelay = enabled


class TCPTests(SynchronousTestCase):
    def test_answers_do_not_wait_for_acknowledgements(self) -> None:
        """Nagle's algorithm is off where there is one."""
        below = NoDelay()
        directlyProvides(below, ITCPTransport)

        TalkingServer().makeConnection(below)

        self.assertTrue(below.noDelay)


class SlowPeerTests(SynchronousTestCase):
    def test_who_takes_no_answers_is_not_listened_to(self) -> None:
        """When many answers wait for a peer, its messages wait too, in its own memory."""
        wire = connected()
        below = wire.server.transport
        below.producer.pauseProducing()

        for _ in range(300):
            wire.server.sendPacket(TALK, bytes(1000))
        paused = below.producerState
        below.producer.resumeProducing()

        self.assertEqual((paused, below.producerState), ("paused", "producing"))

    def test_who_is_slow_is_still_listened_to(self) -> None:
        """A Ctrl-C is read while output waits, as long as it is not too much."""
        wire = connected()
        wire.server.transport.producer.pauseProducing()

        wire.server.sendPacket(TALK, bytes(1000))

        self.assertEqual(wire.server.transport.producerState, "producing")
        self.assertTrue(wire.server.isOutputHeld)
