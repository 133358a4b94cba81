"""``certs/make``, as somebody new would run it."""

import os
import shutil
import ssl
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cmdserver.net.tls_context import ServerCredentials, TLSFiles, load, peer_name
from cmdserver.net.tls_transport import TLSFactory
from tests.tls_doubles import Client, Composition, Wire, client_context

MAKE = Path(__file__).parent.parent / "certs" / "make"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here"),
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here"),
]


def make(out: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run it."""
    environment = os.environ | {"CERTS_OUT": str(out)}
    done = subprocess.run([MAKE, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    return done


def read(path: Path) -> x509.Certificate:
    """Read a certificate."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    """Read for whom it is."""
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def contents(out: Path) -> dict[str, bytes]:
    """Read everything."""
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_server(tmp_path: Path) -> None:
    """One command makes an authority and a certificate for this host."""
    out = tmp_path / "new" / "out"

    make(out)

    assert set(contents(out)) == {"ca.crt", "ca.key", "server.crt", "server.key"}
    names = alternative_names(read(out / "server.crt"))
    assert names.get_values_for_type(x509.DNSName)[0] == "localhost"
    assert os.uname().nodename in names.get_values_for_type(x509.DNSName)
    assert {"127.0.0.1", "::1"} == {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert isinstance(read(out / "server.crt").public_key(), ec.EllipticCurvePublicKey)
    for path in out.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_again(tmp_path: Path) -> None:
    """Nothing that is there is made anew."""
    make(tmp_path)
    make(tmp_path, "client", "alice")
    before = contents(tmp_path)

    make(tmp_path)
    make(tmp_path, "client", "alice", "bob")

    after = contents(tmp_path)
    assert after.keys() - before.keys() == {"bob.crt", "bob.key"}
    assert before.items() <= after.items()


def test_more_names(tmp_path: Path) -> None:
    """The server's certificate can be for more names; the authority stays."""
    make(tmp_path)
    before = contents(tmp_path)

    make(tmp_path, "server", "web1.example.org", "*.example.org", "192.0.2.7", "2001:db8::1", "localhost")

    names = alternative_names(read(tmp_path / "server.crt"))
    dns = names.get_values_for_type(x509.DNSName)
    assert dns[-2:] == ["web1.example.org", "*.example.org"]
    assert dns.count("localhost") == 1
    assert {"192.0.2.7", "2001:db8::1"} < {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert contents(tmp_path)["ca.crt"] == before["ca.crt"]
    assert contents(tmp_path)["server.key"] != before["server.key"]


def test_they_work(tmp_path: Path) -> None:
    """The daemon takes them without a warning, clients verify them, and alice is alice."""
    make(tmp_path)
    make(tmp_path, "client", "alice", "bob@example.org")
    files = TLSFiles(certificate=tmp_path / "server.crt", key=tmp_path / "server.key", client_ca=tmp_path / "ca.crt")
    loaded = load(files, datetime.now(UTC))
    assert loaded.warnings == ()

    for user in ("alice", "bob@example.org"):
        composition = Composition()
        context = client_context()
        context.load_verify_locations(str(tmp_path / "ca.crt"))
        context.set_verify(ssl.CERT_REQUIRED)
        context.use_certificate_file(str(tmp_path / f"{user}.crt"))
        context.use_privatekey_file(str(tmp_path / f"{user}.key"))
        wire = Wire(TLSFactory(composition, ServerCredentials(loaded), composition.clock), Client(context))
        peer = peer_name(wire.server, datetime.now(UTC))
        assert peer is not None
        assert peer.names == (user,)


def test_openssl_verifies(tmp_path: Path) -> None:
    """So does openssl at its strictest, each for its purpose only."""
    make(tmp_path)
    make(tmp_path, "client", "alice")
    for name, purpose, other in (("server", "sslserver", "sslclient"), ("alice", "sslclient", "sslserver")):
        for asked, status in ((purpose, 0), (other, 2)):
            options = ["-x509_strict", "-purpose", asked, "-CAfile", str(tmp_path / "ca.crt")]
            command = ["openssl", "verify", *options, str(tmp_path / f"{name}.crt")]
            done = subprocess.run(command, capture_output=True, timeout=20, check=False)
            assert done.returncode == status, done.stderr


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(
            ("client", name)
            for name in ["../alice", "", "-x", ".hidden", "a\nb", "ca", "server", "$(id)", "a,b", "x" * 65]
        ),
        *(("server", name) for name in ["two words", "", "a,DNS:b", "1.2.3", "1:2:x", "a\nb", "-x", "$(id)"]),
    ],
)
def test_bad_name(tmp_path: Path, kind: str, name: str) -> None:
    """A name that no user or no host can have makes nothing, and what was there stays."""
    make(tmp_path)
    before = contents(tmp_path)

    done = make(tmp_path, kind, name, status=1)

    assert done.stderr.startswith("certs/make: ")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("arguments", [("help",), ("client",), ("-h",)])
def test_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What it does not understand it answers with what it does."""
    assert "certs/make client USER" in make(tmp_path, *arguments, status=2).stderr
    assert contents(tmp_path) == {}


def test_authority_without_key(tmp_path: Path) -> None:
    """An authority without its key signs nothing more and is not replaced; what it has signed stays good."""
    make(tmp_path)
    (tmp_path / "ca.key").unlink()
    before = contents(tmp_path)

    assert "nothing more can be signed" in make(tmp_path, "client", "alice", status=1).stderr
    assert contents(tmp_path) == before
    make(tmp_path)


def test_issuer_has_a_name(tmp_path: Path) -> None:
    """The authority says whose it is, so that several can be told apart in a browser's list."""
    make(tmp_path)

    name = read(tmp_path / "ca.crt").subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert os.uname().nodename in str(name)
