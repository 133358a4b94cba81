"""Tests of asking ssh-agent: what it holds, what it signs, and agents that are broken or hostile."""

import itertools
import socket
import unittest
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cmdserver.auth.signatures.keys import WrongSignature, from_ssh, verify
from cmdserver.fleet.client.ssh_agent import AgentError, AgentKey, SSHAgent
from cmdserver.sshtransport.encoding import string, uint32
from tests.auth.signatures.doubles import blob_of, kind_of
from tests.fleet.client.doubles import (
    FAILURE,
    GARBLED,
    HAS_OPENSSH,
    Behaviour,
    FakeAgent,
    read_message,
    saying,
    serving,
    ssh_add,
    ssh_agent,
    ssh_keygen,
)
from tests.signing import PrivateKey, Signing

CONTENT = b'"@method": GET\n'
KEY = AgentKey("ssh-ed25519", blob_of(Signing().line), "ada")
KEYS: tuple[PrivateKey, ...] = (
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    rsa.generate_private_key(65537, 2048),
)


class HonestTests(unittest.TestCase):
    def test_keys(self) -> None:
        """In its order, with comments that can be shown; those that cannot sign are there too."""
        other = string(b"sk-ssh-ed25519@openssh.com") + b"whatever"
        with serving(FakeAgent(*KEYS, others=[other])) as path:
            keys = SSHAgent(path).list_keys()

        self.assertEqual(
            [(key.kind, key.blob, key.comment) for key in keys],
            [
                ("sk-ssh-ed25519@openssh.com", other, "a\\x1bkey"),
                *((kind_of(line), blob_of(line), "a\\x1bkey") for line in (Signing(key).line for key in KEYS)),
            ],
        )

    def test_no_keys(self) -> None:
        """Those that it has for a while are gone when it is over."""
        with serving(FakeAgent()) as path:
            self.assertEqual(SSHAgent(path).list_keys(), ())

    def test_signatures(self) -> None:
        """Of each type, with SHA-256 for RSA; rewritten, they are what RFC 9421 has."""
        agent = FakeAgent(*KEYS)
        with serving(agent) as path:
            for key in SSHAgent(path).list_keys():
                signature = from_ssh(key.kind, key.blob, SSHAgent(path).sign(key, CONTENT))
                verify(key.kind, key.blob, signature, CONTENT)

        self.assertEqual(agent.flags, [0, 0, 0, 2])

    def test_numbers_of_all_lengths(self) -> None:
        """ECDSA's have a zero before a high bit, and none before others: some of a hundred are a byte shorter."""
        agent = FakeAgent(KEYS[1])
        (blob,) = agent.keys
        lengths = set()
        for number in range(200):
            answer = agent.answer(b"\x0d" + string(blob) + string(b"%d" % number) + uint32(0))
            signature = answer[5:]
            lengths.add(len(signature))
            verify("ecdsa-sha2-nistp256", blob, from_ssh("ecdsa-sha2-nistp256", blob, signature), b"%d" % number)

        self.assertGreaterEqual(len(lengths), 3)


class RewritingTests(unittest.TestCase):
    """What is no signature of the key's type."""

    def test_refused(self) -> None:
        """Others' algorithms, and what is too short, too long or too large."""
        ed, p256, _, big = (Signing(key).line for key in KEYS)
        for line, signature in (
            (ed, b""), (ed, b"\0\0\0\1"), (ed, string(b"ssh-ed25519")),
            (ed, string(b"ssh-ed25519") + string(b"x") + b"y"),
            (ed, string(b"ssh-rsa") + string(b"x")), (big, string(b"ssh-rsa") + string(b"x")),
            (big, string(b"rsa-sha2-512") + string(b"x")), (big, string(b"\xff\n") + string(b"x")),
            (p256, string(b"ecdsa-sha2-nistp256") + string(b"x")),
            (p256, string(b"ecdsa-sha2-nistp256") + string(string(b"x"))),
            (p256, string(b"ecdsa-sha2-nistp256") + string(string(b"x") * 3)),
            (p256, string(b"ecdsa-sha2-nistp256") + string(string(b"x" * 33) * 2)),
        ):  # fmt: skip
            with self.assertRaises(WrongSignature, msg=signature):
                from_ssh(kind_of(line), blob_of(line), signature)
        with self.assertRaisesRegex(WrongSignature, "not to sign as 'ssh-rsa'"):
            from_ssh(kind_of(big), blob_of(big), string(b"ssh-rsa") + string(b"x"))
        with self.assertRaises(WrongSignature):
            from_ssh("ssh-ed25519", b"damaged", string(b"ssh-ed25519") + string(b"x"))
        with self.assertRaises(WrongSignature):
            from_ssh("ecdsa-sha2-nistp521", b"", string(b"ecdsa-sha2-nistp521") + string(b"x"))

    def test_short_rsa_signatures(self) -> None:
        """One of 256 begins with a zero, which an agent may leave out; the key's size says how many."""
        for bits, size in ((2048, 256), (2056, 257), (2050, 257)):
            line = Signing(rsa.generate_private_key(65537, bits)).line
            short = string(b"rsa-sha2-256") + string(b"x" * (size - 1))

            self.assertEqual(from_ssh("ssh-rsa", blob_of(line), short), b"\0" + b"x" * (size - 1))


class HostileTests(unittest.TestCase):
    """Whatever an agent does, it is `AgentError`, and soon."""

    def refused(self, behave: Behaviour, monotonic: Callable[[], float] = lambda: 0) -> tuple[str, str]:
        """Ask for both; say why it was in vain."""
        reasons = []
        with serving(behave) as path:
            agent = SSHAgent(path, monotonic)
            for ask in (agent.list_keys, lambda: agent.sign(KEY, CONTENT)):
                with self.assertRaises(AgentError) as caught:
                    ask()
                reasons.append(str(caught.exception).replace(path, "PATH"))
        return reasons[0], reasons[1]

    def test_garbled(self) -> None:
        """Other numbers, fields that end too early or too late, keys without a type."""
        for answer in GARBLED:
            for reason in self.refused(saying(string(answer))):
                self.assertRegex(reason, r"^ssh-agent \(PATH\) (does not answer as an agent does|answers with 0 bytes)")

    def test_refusals(self) -> None:
        """Those that it may have a reason for are explained."""
        for failure in (FAILURE, b"\x1e", b"\x66"):
            listing, signing = self.refused(saying(string(failure)))

            self.assertEqual(listing, "ssh-agent (PATH) does not list its keys")
            self.assertRegex(signing, r"refuses to sign with the key ada: .*ssh-add -h.*ssh-add -c.*ssh-add -x")

    def test_too_much(self) -> None:
        """Nobody waits for what is announced."""
        for size in (0xFFFFFFFF, 256 * 1024 + 1):
            for reason in self.refused(saying(size.to_bytes(4, "big"))):
                self.assertRegex(reason, f"answers with {size} bytes; 262144 are the most")

    def test_the_most(self) -> None:
        """An answer of that size is read, in whatever pieces it comes."""
        blob = string(b"ssh-ed25519") + b"x" * 1000
        comment = b"y" * (256 * 1024 - 5 - 8 - len(blob))
        answer = string(b"\x0c\0\0\0\1" + string(blob) + string(comment))
        self.assertEqual(len(answer), 4 + 256 * 1024)
        with serving(saying(answer)) as path:
            (key,) = SSHAgent(path).list_keys()

        self.assertEqual((key.blob, key.comment), (blob, "y" * 64))

    def test_it_hangs_up(self) -> None:
        """Before an answer, and within one."""
        for answer in (b"", b"\0\0", b"\0\0\0\5\x0c"):
            for reason in self.refused(saying(answer)):
                self.assertEqual(reason, "ssh-agent (PATH) has ended the connection")

    def test_it_is_slow(self) -> None:
        """A byte now and then does not keep anybody for longer than the time that there is for all of them."""

        def byte_by_byte(client: socket.socket) -> None:
            read_message(client)
            for byte in string(b"\x0c" + b"\0" * 4096):
                client.sendall(bytes([byte]))

        clock = itertools.count(step=1.0)
        listing, signing = self.refused(byte_by_byte, lambda: next(clock))

        self.assertEqual(listing, "ssh-agent (PATH) has not answered for 10 s")
        self.assertEqual(signing, "ssh-agent (PATH) has not answered for 60 s")

    def test_it_says_nothing(self) -> None:
        """What is left of the time is what is waited for at the socket."""
        clock = iter([0.0, 9.99, 0.0, 59.99])

        def silent(client: socket.socket) -> None:
            read_message(client)
            # Who waits for longer than there is time gets to see it hang up.
            client.settimeout(3)
            client.recv(1)

        listing, signing = self.refused(silent, lambda: next(clock))

        self.assertEqual(listing, "ssh-agent (PATH) has not answered for 10 s")
        self.assertEqual(signing, "ssh-agent (PATH) has not answered for 60 s")

    def test_nobody_is_there(self) -> None:
        """Where no socket is, and where none can be; the name is shown as it can be."""
        for path in ("/nonexistent/agent", "/dev/null", "x" * 200, "a\0b", "/nonexistent/\x1b[2J"):
            with self.assertRaisesRegex(AgentError, r"cannot be reached: .+; see \$SSH_AUTH_SOCK$") as caught:
                SSHAgent(path).list_keys()
            self.assertTrue(str(caught.exception).isprintable())


@pytest.mark.slow
@pytest.mark.skipif(not HAS_OPENSSH, reason="needs OpenSSH")
@pytest.mark.parametrize(
    "words",
    [("-t", "ed25519"), ("-t", "ecdsa", "-b", "256"), ("-t", "ecdsa", "-b", "384"), ("-t", "rsa", "-b", "2048")],
)
def test_the_real_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    """OpenSSH's lists a key that was added, and signs with it, as often as it is asked."""
    file = ssh_keygen(tmp_path / "key", *words)
    with ssh_agent(tmp_path) as path:
        ssh_add(path, str(file))
        agent = SSHAgent(path)
        (key,) = agent.list_keys()
        signatures = [from_ssh(key.kind, key.blob, agent.sign(key, b"%d" % number)) for number in range(20)]

    line = file.with_suffix(".pub").read_text()
    assert (key.kind, key.blob, key.comment) == (kind_of(line), blob_of(line), "of ada")
    for number, signature in enumerate(signatures):
        verify(key.kind, key.blob, signature, b"%d" % number)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_OPENSSH, reason="needs OpenSSH")
def test_the_real_one_refuses(tmp_path: Path) -> None:
    """A key that is for the way to a host alone signs nothing else; what to do is said."""
    file = ssh_keygen(tmp_path / "key", "-t", "ed25519")
    (tmp_path / "known_hosts").write_text(f"web-1 {Signing().line}\n")
    with ssh_agent(tmp_path) as path:
        ssh_add(path, "-H", str(tmp_path / "known_hosts"), "-h", "web-1", str(file))
        agent = SSHAgent(path)
        (key,) = agent.list_keys()
        with pytest.raises(AgentError, match=r"refuses to sign with the key of ada: .*ssh-add -h"):
            agent.sign(key, CONTENT)
