"""`cmdserver-probe` and other real servers: nginx, OpenSSL, nsd, pyftpdlib, chrony, dropbear, and the daemon itself."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, free_port, has_ipv6, running
from tests.integration.probe_program import PASSWORD, PYTHON, place, probe, started
from tests.integration.servers import nginx_configuration, nsd_configuration

__all__ = ["place"]

pytestmark = pytest.mark.slow

SERVER = """
        ssl_certificate {place}/cert.pem;
        ssl_certificate_key {place}/key.pem;
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        location = / {{ return 200 "all is well\\n"; }}
        location = /old {{ return 301 /new; }}
        location = /private {{ return 401; }}
        location = /broken {{ return 503; }}
        location = /login {{
            if ($http_authorization != "Basic cHJvYmU6c2VjcmV0LXdvcmQ=") {{ return 403; }}
            return 200 "let in\\n";
        }}
"""
HTTP, HTTPS = free_port(), free_port()


@pytest.fixture(scope="module")
def nginx(place: Path) -> Iterator[Path]:
    """Start a web server; give where the certificates are."""
    server = SERVER.format(place=place, port=HTTP, tls_port=HTTPS)
    (place / "nginx.conf").write_text(nginx_configuration(place, server))
    with started(["nginx", "-p", str(place), "-c", str(place / "nginx.conf")], HTTP):
        yield place


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("http://localhost:{http}/", 0, "200 OK, 12 bytes in "),
        ("http://localhost:{http}/ --expect well", 0, "200 OK, 12 bytes in "),
        ("http://localhost:{http}/ --expect ill", 2, "answer: 200 OK, and what is expected is not in its 12 bytes"),
        ("http://localhost:{http}/old", 0, "301 Moved Permanently, to http://localhost:{http}/new, "),
        ("http://localhost:{http}/nowhere", 1, "404 Not Found, "),
        ("http://localhost:{http}/private", 1, "401 Unauthorized, "),
        ("http://localhost:{http}/private --expect 401", 0, "401 Unauthorized, "),
        ("http://localhost:{http}/broken", 2, "503 Service Temporarily Unavailable, "),
        ("http://localhost:{http}/login --user probe --password-file {place}/password", 0, "200 OK, 7 bytes"),
        ("https://localhost:{https}/ {trust}", 0, "200 OK, 12 bytes in "),
        ("https://localhost:{https}/ --insecure", 0, "200 OK, 12 bytes in "),
        ("https://localhost:{https}/", 2, "tls: the certificate is refused: unable to get local issuer certificate"),
        ("https://localhost:{https}/ {trust} --server-name other.example", 2, "not valid for 'other"),
        ("https://localhost:{https}/ {trust} --critical-days 365", 2, "the certificate ends in"),
        ("https://localhost:{http}/", 2, "tls: the target does not speak TLS"),
        ("http://localhost:{https}/", 1, "400 Bad Request, "),
    ],
)  # fmt: skip
def test_http(nginx: Path, line: str, status: int, said: str) -> None:
    """Status, redirects, texts, logins, certificates."""
    words = {"http": HTTP, "https": HTTPS, "place": nginx, "trust": f"--ca-file {nginx}/ca.pem"}
    result = probe(f"http {line.format(**words)}")

    assert (result.status, result.errors) == (status, ""), result.output
    assert said.format(**words) in result.first_line


def test_tls_of_nginx(nginx: Path) -> None:
    """The certificate's days, names and chain."""
    result = probe(f"tls localhost:{HTTPS} --ca-file {nginx}/ca.pem")

    assert result.status == 0, result.output
    assert "for localhost, 127.0.0.1, TLSv1." in result.first_line
    assert result.labels == ["time", "resolve", "connect", "tls", "certificate_days"]
    assert len([each for each in result.output.splitlines() if each.startswith("certificate ")]) == 2


def test_tls_of_openssl(place: Path) -> None:
    """Old versions of TLS are spoken with nobody."""
    for version, status in (("-tls1_3", 0), ("-tls1_2", 0), ("-tls1_1", 2)):
        port = free_port()
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"{place}/cert.pem", "-quiet"]
        with started([*command, "-key", f"{place}/key.pem", version, "-cipher", "DEFAULT@SECLEVEL=0"], port):
            result = probe(f"tls localhost:{port} --ca-file {place}/ca.pem")
        assert result.status == status, result.output


ZONE = """
$ORIGIN probe.example.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
@ IN MX 10 mail
ns IN A 127.0.0.1
mail IN A 192.0.2.25
mail IN AAAA 2001:db8::25
alias IN CNAME mail
"""
DNS = free_port()


@pytest.fixture(scope="module")
def nsd(place: Path) -> Iterator[str]:
    """Start a name server; give the option that asks it."""
    many = "".join(f'many IN TXT "{number} of many texts that do not fit into a datagram"\n' for number in range(60))
    (place / "zone").write_text(ZONE + many)
    (place / "nsd.conf").write_text(nsd_configuration(place, [f"127.0.0.1@{DNS}"], "probe.example"))
    with started(["nsd", "-d", "-c", str(place / "nsd.conf")], DNS):
        yield f"--server localhost:{DNS}"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("mail.probe.example", 0, "A 192.0.2.25 in "),
        ("alias.probe.example --type AAAA --expect 2001:db8::25", 0, "AAAA 2001:db8::25 in "),
        ("probe.example --type MX --expect '10 mail.probe.example.'", 0, "MX 10 mail.probe.example. in "),
        ("many.probe.example --type TXT", 0, 'TXT "0 of many'),
        ("mail.probe.example --expect 192.0.2.2", 2, "query: what is expected is not among: 192.0.2.25"),
        ("nowhere.probe.example", 2, "query: the server answers NXDOMAIN"),
        ("mail.probe.example --type MX", 2, "query: there is no MX of that name"),
        ("elsewhere.example", 2, "query: the server answers REFUSED"),
    ],
)
def test_dns(nsd: str, line: str, status: int, said: str) -> None:
    """Answers of all kinds, also one that comes by TCP; localhost may have an address where nobody is."""
    result = probe(f"dns {line} {nsd}")

    assert (result.status, result.errors) == (status, ""), result.output
    assert said in result.first_line


def test_ftp(place: Path) -> None:
    """A greeting, AUTH TLS and a login; a login in clear is refused by the server itself."""
    port = free_port()
    options = ["-i", "127.0.0.1", "-p", str(port), "-u", "probe", "-P", PASSWORD, "-d", str(place)]
    tls = ["--tls", "--keyfile", f"{place}/key.pem", "--certfile", f"{place}/cert.pem", "--tls-control-required"]
    user, trust = "--user probe --password-file", f"--starttls --ca-file {place}/ca.pem"
    with started([*PYTHON, "pyftpdlib", *options, *tls], port):
        greeting = probe(f"ftp localhost:{port}")
        full = probe(f"ftp localhost:{port} {trust} {user} {place}/password")
        clear = probe(f"ftp localhost:{port} {user} {place}/password")
        wrong = probe(f"ftp localhost:{port} {trust} {user} {place}/wrong-password")

    assert [each.status for each in (greeting, full, clear, wrong)] == [0, 0, 2, 2], full.output
    assert "220 pyftpdlib" in greeting.first_line
    assert full.labels == ["time", "resolve", "connect", "greeting", "tls", "login", "quit", "certificate_days"]
    assert "login: 550" in clear.first_line
    assert "login: 530" in wrong.first_line


CHRONY = """
{local}
port {port}
bindaddress 127.0.0.1
allow 127.0.0.1
cmdport 0
pidfile {place}/chrony.pid
"""


@pytest.mark.parametrize(("local", "status"), [("local stratum 5", 0), ("", 2)])
def test_ntp(place: Path, local: str, status: int) -> None:
    """A server that has a clock, and one that has none to go by."""
    port = free_port()
    (place / "chrony.conf").write_text(CHRONY.format(local=local, port=port, place=place))
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    with started(["chronyd", "-x", "-d", "-u", me, "-U", "-f", f"{place}/chrony.conf"], port, socket.SOCK_DGRAM):
        result = probe(f"ntp localhost:{port} --critical-offset 1")

    assert result.status == status, result.output
    if status == 0:
        assert "stratum 5 in " in result.first_line
        assert result.labels == ["time", "resolve", "query", "offset", "stratum"]
    else:
        assert "query: the server's clock is not synchronised" in result.first_line


def test_ssh_of_dropbear(place: Path) -> None:
    """The identification, as it is."""
    port = free_port()
    keys = ["-r", str(place / "host-key")]
    if shutil.which("dropbearkey") is None:
        pytest.skip("dropbearkey is not installed here")
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", keys[1]], check=True, capture_output=True)
    where = ["-p", f"127.0.0.1:{port}", "-P", f"{place}/dropbear.pid"]
    with started(["dropbear", "-F", "-E", *keys, *where], port):
        good = probe(f"ssh localhost:{port} --expect dropbear")
        bad = probe(f"ssh localhost:{port} --expect OpenSSH")

    assert (good.status, bad.status) == (0, 2), good.output
    assert "SSH-2.0-dropbear" in good.first_line
    assert "greeting: it is not what is expected: SSH-2.0-dropbear" in bad.first_line


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Start the daemon, with a command that has a known answer."""
    with running(tmp_path_factory.mktemp("daemon"), {"hello": {"run": ["echo", "hello, world"]}}) as daemon:
        yield daemon


def test_tcp(daemon: Daemon) -> None:
    """A line sent, and an answer found; another is not."""
    address = f"localhost:{daemon.port}"
    good = probe(rf"tcp {address} --send 'hello\n' --expect 'world\n'")
    bad = probe(rf"tcp {address} --send 'quit\n' --expect 'world\n'")
    open_ = probe(f"tcp {address} -4")

    assert [each.status for each in (good, bad, open_)] == [0, 2, 0], good.output
    assert "hello, world" in good.first_line
    assert "answer: the target ends without what is expected, having said: " in bad.first_line
    assert open_.first_line.startswith(f"OK - tcp {address}: accepts connections in ")


def test_families() -> None:
    """Where only one family listens, the other is refused, and both together find it."""
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        v6, v4 = probe(f"tcp '[::1]:{port}' -6 --json"), probe(f"tcp 127.0.0.1:{port} -4")
        mismatch = probe(f"tcp 127.0.0.1:{port} -6")

    assert (v6.status, v4.status, mismatch.status) == (0, 2, 2), v6.output
    assert f'"address": "[::1]:{port}"' in v6.output
    assert "resolve: " in mismatch.first_line
