"""Tests of the choice of a key: the agent's, a file's, and what is said of those that cannot sign."""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from cmdserver.auth.signatures.keys import verify
from cmdserver.auth.signatures.request_signing import SigningKey
from cmdserver.fleet.client.identities import AgentIdentity, FileIdentity, NoIdentity, find_identity
from cmdserver.fleet.client.ssh_agent import AgentError
from cmdserver.sshtransport.encoding import string
from tests.auth.signatures.doubles import blob_of, kind_of
from tests.fleet.client.doubles import HAS_OPENSSH, FakeAgent, saying, serving, ssh_add, ssh_agent, ssh_keygen
from tests.signing import PrivateKey, Signing, fingerprint_of

CONTENT = b'"@method": GET\n'
ED25519 = ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
P521 = ec.generate_private_key(ec.SECP521R1())
RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - refused
USABLE: tuple[PrivateKey, ...] = (ED25519, P256, ec.generate_private_key(ec.SECP384R1()), RSA)
CERTIFICATE = string(b"ssh-ed25519-cert-v01@openssh.com") + b"whatever"
SECURITY_KEY = string(b"sk-ssh-ed25519@openssh.com") + string(b"x" * 32) + string(b"ssh:")
FORMATS = (PrivateFormat.OpenSSH, PrivateFormat.PKCS8)
NOBODY = "there is no key to sign with: add one with ssh-add, name one with --identity, or make one with ssh-keygen"


def line_of(key: PrivateKey) -> str:
    """Write the public half of a key."""
    return Signing(key).line


def write(
    path: Path,
    key: PrivateKey | ed448.Ed448PrivateKey,
    form: PrivateFormat = PrivateFormat.OpenSSH,
    encryption: KeySerializationEncryption | None = None,
    mode: int = 0o600,
) -> Path:
    """Write the private half of a key."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()))
    path.chmod(mode)
    return path


def locked(passphrase: str, form: PrivateFormat = PrivateFormat.OpenSSH) -> KeySerializationEncryption:
    """Encrypt, in next to no time where that can be chosen."""
    if form is PrivateFormat.OpenSSH:
        return form.encryption_builder().kdf_rounds(1).build(passphrase.encode())
    return BestAvailableEncryption(passphrase.encode())


def no_question(prompt: str) -> str:
    """Nobody is to be asked."""
    raise AssertionError(prompt)


class Asked:
    """Somebody who types passphrases."""

    def __init__(self, *typed: str) -> None:
        self._typed = [*typed]
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._typed.pop(0)


def find(
    home: Path,
    file: Path | None = None,
    agent: str | None = None,
    ask: Callable[[str], str] = no_question,
) -> SigningKey:
    """Find the key, which then has to sign."""
    identity = find_identity(file, agent, ask, home)
    key: PrivateKey
    for key in USABLE:
        if fingerprint_of(line_of(key)) == identity.fingerprint:
            verify(kind_of(line_of(key)), blob_of(line_of(key)), identity.sign(CONTENT), CONTENT)
            return identity
    raise AssertionError(identity.fingerprint)


def refusal(
    home: Path, file: Path | None = None, agent: str | None = None, ask: Callable[[str], str] = no_question
) -> str:
    """Look in vain; return what is said."""
    with pytest.raises(NoIdentity) as caught:
        find_identity(file, agent, ask, home)
    return str(caught.value)


def is_of(identity: SigningKey, key: PrivateKey) -> bool:
    """Whether it is that key."""
    return identity.fingerprint == fingerprint_of(line_of(key))


def test_files(tmp_path: Path) -> None:
    """Each type of key, in OpenSSH's format and in PEM, without an agent."""
    for form in FORMATS:
        for key in USABLE:
            identity = find(tmp_path, write(tmp_path / "key", key, form))

            assert isinstance(identity, FileIdentity)
            assert is_of(identity, key)


def test_passphrases(tmp_path: Path) -> None:
    """Asked for up to three times, of a key that has one."""
    for form in FORMATS:
        file = write(tmp_path / "key", ED25519, form, locked("gr\u00fcn", form))
        asked = Asked("rot", "\udcff", "gr\u00fcn")
        assert is_of(find(tmp_path, file, ask=asked), ED25519)
        assert asked.prompts == [f"Enter passphrase for key '{file}': "] * 3

        wrong = "the passphrase is wrong, or the cipher is unknown"
        for typed, trouble in ((("a", "b", "c"), wrong), (("",), "it needs its passphrase"), (("a", ""), wrong)):
            asked = Asked(*typed)
            assert refusal(tmp_path, file, ask=asked) == f"{file}: {trouble}; ssh-add asks for it once"
            assert len(asked.prompts) == len(typed)


def test_the_agent_has_the_key_of_a_file(tmp_path: Path) -> None:
    """It signs: nobody types a passphrase, nor is the private half needed at all."""
    with serving(FakeAgent(P256, RSA, ED25519)) as agent:
        whole = write(tmp_path / "whole", ED25519, encryption=locked("x"))
        pem = write(tmp_path / "pem", RSA, PrivateFormat.PKCS8, locked("x", PrivateFormat.PKCS8))
        (tmp_path / "pem.pub").write_text(f"{line_of(RSA)} of ada\n")
        (tmp_path / "half.pub").write_text(line_of(ED25519))
        for file, key in ((whole, ED25519), (pem, RSA), (tmp_path / "half", ED25519), (tmp_path / "half.pub", ED25519)):
            identity = find(tmp_path, file, agent)

            assert isinstance(identity, AgentIdentity)
            assert is_of(identity, key)


def test_the_agent_has_it_not(tmp_path: Path) -> None:
    """A named key is that one and no other: it comes from its file, or not at all."""
    file = write(tmp_path / "key", ED25519)
    with serving(FakeAgent(P256)) as agent:
        assert is_of(find(tmp_path, file, agent), ED25519)
        (tmp_path / "half.pub").write_text(line_of(ED25519))
        for half in (tmp_path / "half.pub", tmp_path / "half"):
            said = refusal(tmp_path, half, agent)
            assert said == f"{half}: ssh-agent does not hold the private half of this key; ssh-add adds it"
        assert refusal(tmp_path, tmp_path / "x", agent) == f"{tmp_path / 'x'}: there is no such file"


def test_an_agent_that_is_gone(tmp_path: Path) -> None:
    """A file does without it; if that does not help either, both are said."""
    gone = str(tmp_path / "agent")
    file = write(tmp_path / "key", ED25519)

    assert is_of(find(tmp_path, file, gone), ED25519)
    assert refusal(tmp_path, tmp_path / "x", gone).splitlines() == [
        f"{tmp_path / 'x'}: there is no such file",
        f"ssh-agent ({gone}) cannot be reached: No such file or directory; see $SSH_AUTH_SOCK",
    ]
    assert refusal(tmp_path, None, gone).splitlines()[0] == NOBODY
    write(tmp_path / ".ssh" / "id_rsa", RSA)
    assert is_of(find(tmp_path, None, gone), RSA)
    with serving(saying(string(b"\xff"))) as broken:
        assert is_of(find(tmp_path, None, broken), RSA)


def test_the_agents_first_usable_key(tmp_path: Path) -> None:
    """Others are passed over; the files of ssh are not looked at."""
    write(tmp_path / ".ssh" / "id_ed25519", ED25519)
    with serving(FakeAgent(P521, SHORT, P256, RSA, others=[CERTIFICATE, SECURITY_KEY])) as agent:
        identity = find(tmp_path, None, agent)

    assert is_of(identity, P256)


def test_the_usual_files(tmp_path: Path) -> None:
    """In ssh's order, if the agent has none that can sign; one that cannot, or is locked, is passed over."""
    assert refusal(tmp_path) == NOBODY
    write(tmp_path / ".ssh" / "id_rsa", RSA)
    assert is_of(find(tmp_path), RSA)
    assert is_of(find(tmp_path, None, ""), RSA)
    write(tmp_path / ".ssh" / "id_ecdsa", P521)
    assert is_of(find(tmp_path), RSA)
    write(tmp_path / ".ssh" / "id_ecdsa", P256)
    assert is_of(find(tmp_path), P256)
    write(tmp_path / ".ssh" / "id_ed25519", ED25519, encryption=locked("x"))
    assert is_of(find(tmp_path, ask=Asked("x")), ED25519)
    assert is_of(find(tmp_path, ask=Asked("")), P256)
    with serving(FakeAgent(P521)) as agent:
        assert is_of(find(tmp_path, None, agent, Asked("x")), ED25519)


def test_all_that_cannot_sign(tmp_path: Path) -> None:
    """Each is said with the reason, one a line."""
    write(tmp_path / ".ssh" / "id_ecdsa", P521)
    write(tmp_path / ".ssh" / "id_rsa", RSA, mode=0o640)
    others = [CERTIFICATE, SECURITY_KEY, string(b"ssh-ed25519") + b"x"]
    with serving(FakeAgent(P521, SHORT, others=others)) as agent:
        said = refusal(tmp_path, None, agent).splitlines()

    damaged = "the ssh-ed25519 key is damaged"
    certificate = "a certificate cannot sign requests: use the key that it was made for"
    sk_key = "a security key (sk-ssh-ed25519@openssh.com) cannot sign requests, as it signs more than it is given:"
    nistp521 = "keys of type ecdsa-sha2-nistp521 cannot sign requests: make another, with ssh-keygen -t ed25519"
    short = "an RSA key of 1024 bits cannot sign requests: 2048 are the least"
    assert said == [
        NOBODY,
        *(
            f"a\\x1bkey in ssh-agent: {why}"
            for why in (certificate, f"{sk_key} use another key", damaged, nistp521, short)
        ),
        f"{tmp_path}/.ssh/id_ecdsa: {nistp521}",
        f"{tmp_path}/.ssh/id_rsa: others can read this private key (mode 0640); chmod 600 makes it yours alone",
    ]


def test_files_of_keys_that_cannot_sign(tmp_path: Path) -> None:
    """The same of files, in each format; nobody is asked for a passphrase in vain, where that can be known."""
    cases: tuple[tuple[PrivateKey | ed448.Ed448PrivateKey, PrivateFormat, str], ...] = (
        (P521, PrivateFormat.OpenSSH, "keys of type ecdsa-sha2-nistp521 cannot"),
        (P521, PrivateFormat.PKCS8, "keys of type ecdsa-sha2-nistp521 cannot"),
        (SHORT, PrivateFormat.OpenSSH, "an RSA key of 1024 bits cannot"),
        (SHORT, PrivateFormat.PKCS8, "an RSA key of 1024 bits cannot"),
        (ec.generate_private_key(ec.SECP256K1()), PrivateFormat.PKCS8, "SSH has no such keys"),
        (ed448.Ed448PrivateKey.generate(), PrivateFormat.PKCS8, "keys of this type cannot sign requests"),
    )
    for key, form, reason in cases:
        assert reason in refusal(tmp_path, write(tmp_path / "key", key, form))
    secret = write(tmp_path / "locked", P521, encryption=locked("x"))
    assert "keys of type ecdsa-sha2-nistp521 cannot" in refusal(tmp_path, secret)
    (tmp_path / "token.pub").write_text(f"sk-ssh-ed25519@openssh.com {_base64(SECURITY_KEY)} of ada\n")
    assert "a security key (sk-ssh-ed25519@openssh.com) cannot" in refusal(tmp_path, tmp_path / "token")
    (tmp_path / "c.pub").write_text(f"ssh-ed25519-cert-v01@openssh.com {_base64(CERTIFICATE)} of ada\n")
    assert "use the key that it was made for" in refusal(tmp_path, tmp_path / "c.pub")


def _base64(blob: bytes) -> str:
    return b64encode(blob).decode()


def test_what_is_no_key(tmp_path: Path) -> None:
    """Files that are something else, too long, or not to be read."""
    whole = write(tmp_path / "whole", ED25519).read_bytes()
    file = tmp_path / "key"
    for content in (
        b"", b"hello", b"\xff\xfe", whole[:-60], whole.replace(b"b3BlbnNzaC1rZXktdjE", b"b3BlbnNzaC1rZXktdjI"),
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"---- BEGIN SSH2 PUBLIC KEY ----",
    ):  # fmt: skip
        file.write_bytes(content)
        file.chmod(0o600)
        assert refusal(tmp_path, file).startswith(f"{file}: it is no private key that can be read: "), content
    file.write_bytes(whole.replace(b"b3BlbnNzaC1rZXktdjE", b"b3BlbnNzaC1rZXktdjI"))
    with serving(FakeAgent(ED25519)) as agent:
        assert "it is no private key that can be read" in refusal(tmp_path, file, agent)
    file.write_bytes(b"x" * 65537)
    assert refusal(tmp_path, file) == f"{file}: it is too long for a key"
    assert refusal(tmp_path, tmp_path) == f"{tmp_path}: Is a directory"


def test_who_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private key that others can read is refused, as ssh does; its public half is for everybody."""
    for mode in (0o644, 0o640, 0o604, 0o660, 0o602, 0o610):
        file = write(tmp_path / "key", ED25519, mode=mode)
        said = f"{file}: others can read this private key (mode {mode:04o}); chmod 600 makes it yours alone"
        assert refusal(tmp_path, file) == said
    with serving(FakeAgent(ED25519)) as agent:
        assert is_of(find(tmp_path, file, agent), ED25519)
    for mode in (0o400, 0o600, 0o700):
        assert is_of(find(tmp_path, write(tmp_path / "mine", ED25519, mode=mode)), ED25519)
    # That of somebody else, who has let us read it, is theirs to keep.
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert is_of(find(tmp_path, write(tmp_path / "theirs", ED25519, mode=0o644)), ED25519)


def test_agents_that_lie(tmp_path: Path) -> None:
    """What they sign with another key, of something else or with another hash is no signature."""
    agent = FakeAgent(ED25519, RSA)
    with serving(agent) as path:
        first = find_identity(None, path, no_question, tmp_path)
        (tmp_path / "rsa.pub").write_text(line_of(RSA))
        second = find_identity(tmp_path / "rsa.pub", path, no_question, tmp_path)
        agent.instead = b"something else"
        for identity in (first, second):
            with pytest.raises(
                AgentError, match=re.escape(f"signed with the key {identity.fingerprint}: wrong signature")
            ):
                identity.sign(CONTENT)
        agent.instead = None
        agent.is_old = True
        with pytest.raises(AgentError, match="not to sign as 'ssh-rsa'"):
            second.sign(CONTENT)
        agent.keys[blob_of(line_of(ED25519))] = ed25519.Ed25519PrivateKey.generate()
        with pytest.raises(AgentError, match="wrong signature"):
            first.sign(CONTENT)
        agent.keys.clear()
        with pytest.raises(AgentError, match="refuses to sign"):
            first.sign(CONTENT)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_OPENSSH, reason="needs OpenSSH")
@pytest.mark.parametrize("words", [(), ("-m", "PEM"), ("-m", "PKCS8")])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_files_of_ssh_keygen(tmp_path: Path, kind: str, words: tuple[str, ...]) -> None:
    """In each of its formats, with a passphrase and without; by the real agent too. It says the same fingerprint."""
    for passphrase in ("", "correct horse"):
        file = ssh_keygen(tmp_path / f"key{len(passphrase)}", "-t", kind, *words, passphrase=passphrase)
        said = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, check=True, text=True).stdout
        identity = find_identity(file, None, Asked(passphrase), tmp_path)
        line = file.with_suffix(".pub").read_text()

        assert identity.fingerprint == said.split()[1]
        verify(kind_of(line), blob_of(line), identity.sign(CONTENT), CONTENT)
    file = tmp_path / "key0"
    with ssh_agent(tmp_path) as agent:
        ssh_add(agent, str(file))
        for chosen in (file, None):
            identity = find_identity(chosen, agent, no_question, tmp_path)
            assert isinstance(identity, AgentIdentity)
            identity.sign(CONTENT)


@pytest.mark.slow
def test_it_does_without_twisted() -> None:
    """Who asks has another event loop, and has not to wait until one more is imported."""
    modules = (
        "auth.signatures.request_signing", "auth.signatures.answer_verification", "fleet.client.ssh_agent",
        "fleet.client.identities", "fleet.client.known_hosts",
    )  # fmt: skip
    imports = "\n".join(f"import cmdserver.{module}" for module in modules)
    said = "import sys; print(sorted({name.split('.')[0] for name in sys.modules} & {'twisted', 'zope'}))"
    command = [sys.executable, "-c", f"{imports}\n{said}"]

    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "[]\n"
