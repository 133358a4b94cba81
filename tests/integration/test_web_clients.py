"""The web listener with the clients that people have: curl, with every way to log in, over TLS and HTTP/2."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.integration.daemon import Daemon, Listener, program, running, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import COMMANDS, LENIENT, ROLES, USERS, write_passwords
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

PLAIN = Listener(protocol="web", login="optional")
TLS = Listener(protocol="web", login="optional", tls=True)
REQUIRED = Listener(protocol="web", login="required")


def curl(listener: Listener, path: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Call curl as a person would."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    scheme = "https" if listener.tls else "http"
    return subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "15",
            *options,
            f"{scheme}://localhost:{listener.port}{path}",
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def status(listener: Listener, path: str, *options: str) -> int:
    """Say with which status a request is answered."""
    return int(curl(listener, path, "--output", "/dev/null", "--write-out", "%{http_code}", *options).stdout)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whose certificates are believed."""
    return trustme.CA()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Daemon]:
    """A daemon with three web listeners and all kinds of users."""
    directory = tmp_path_factory.mktemp("clients")
    files = {name: str(directory / name) for name in ("ca.pem", "server.pem", "server.key")}
    server = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(files["ca.pem"])
    server.cert_chain_pems[0].write_to_path(files["server.pem"])
    server.private_key_pem.write_to_path(files["server.key"])
    tls = {"certificate": files["server.pem"], "key": files["server.key"], "client_ca": files["ca.pem"]}
    commands = {
        **{name: {**settings, "read_only": True} for name, settings in COMMANDS.items()},
        "fail": shell("echo half; echo why >&2; exit 7", read_only=True),
        "restart": shell("echo restarted"),
        "big": {
            "run": ["sh", "-c", "head -c 3000000 /dev/zero; exit 7"],
            "output_limit_bytes": 10_000_000,
            "read_only": True,
        },
    }
    roles = {**ROLES, "anonymous": {"commands": ["uptime", "fail", "big", "restart"]}}
    with running(directory, commands, roles=roles, listeners=[PLAIN, TLS, REQUIRED], tls=tls, limits=LENIENT) as daemon:
        write_passwords(daemon)
        yield daemon


@pytest.fixture(scope="module")
def believing(daemon: Daemon) -> tuple[str, ...]:
    """What makes curl believe our certificate."""
    return "--cacert", str(daemon.directory / "ca.pem")


def token(daemon: Daemon, *options: str) -> str:
    """Make a bearer token for alice."""
    done = subprocess.run(
        [program("cmdserver"), "token", "add", "alice", f"--state-dir={daemon.state_directory}",
         f"--config={daemon.config_file}", *options],
        capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True,
    )  # fmt: skip
    return done.stdout.split()[-1]


def test_curl_gets_what_the_command_prints(daemon: Daemon) -> None:
    """Standard output as it is; a failure makes curl --fail fail, and says why to people."""
    assert "load average" in curl(PLAIN, "/uptime").stdout
    failed = curl(PLAIN, "/fail", "--include")
    assert "502 Bad Gateway" in failed.stdout
    assert "Cmdserver-Exit-Status: 7" in failed.stdout
    assert failed.stdout.endswith("half\nwhy\ncmdserver: fail: exit status 7\n")
    assert curl(PLAIN, "/fail", "--fail").returncode == 22
    assert daemon.audit()[-1]["exit_status"] == 7


@pytest.mark.usefixtures("daemon")
def test_plain_http_where_tls_is_spoken() -> None:
    """One sentence says which address is meant, whatever is sent behind it."""
    address = f"localhost:{TLS.port}/uptime"
    for body in ("", "x" * 1_000_000):
        done = subprocess.run(
            [
                "curl",
                "--silent",
                "--max-time",
                "15",
                "--include",
                "--data",
                "@-",
                "--header",
                "Expect:",
                f"http://{address}",
            ],
            input=body,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.stdout.startswith("HTTP/1.1 400 Bad Request\n"), done
        assert done.stdout.endswith(f"cmdserver: malformed: this port speaks HTTPS; ask for https://{address}\n")


def test_strict_transport_security(believing: tuple[str, ...]) -> None:
    """With the administrator's certificate, and over TLS."""
    for version in ("--http1.1", "--http2"):
        shown = curl(TLS, "/uptime", "--include", version, *believing).stdout.lower()
        assert "strict-transport-security: max-age=31536000" in shown.splitlines()
    assert "strict-transport-security" not in curl(PLAIN, "/uptime", "--include").stdout.lower()


@pytest.mark.usefixtures("daemon")
def test_curl_takes_what_is_compressed() -> None:
    """What it shows is the same, and less has come over the wire."""
    for path, accept in (("/metrics", "*/*"), ("/-/openapi.json", "*/*")):
        header = ("--header", f"Accept: {accept}", "--write-out", "%{stderr}%{size_download}")
        plain, small = curl(PLAIN, path, *header), curl(PLAIN, path, *header, "--compressed")
        assert plain.stdout[:200] == small.stdout[:200]
        assert int(small.stderr) < int(plain.stderr) / 2


@pytest.mark.usefixtures("daemon")
def test_a_late_failure_is_no_whole_answer() -> None:
    """What has grown too long to be held back is begun as a success; if it is none after all, curl can tell."""
    done = curl(PLAIN, "/big", "--output", "/dev/null", "--write-out", "%{http_code} %{size_download}")

    code, size = done.stdout.split()
    assert code == "200"
    assert int(size) > 3_000_000
    assert done.returncode == 18, "curl's CURLE_PARTIAL_FILE"


@pytest.mark.usefixtures("daemon")
def test_strangers_are_told_how_to_log_in() -> None:
    """What they may not run does not exist, and a login might help; where one is required everything says so."""
    answer = curl(PLAIN, "/reboot", "--include")
    assert "401 Unauthorized" in answer.stdout
    assert 'WWW-Authenticate: Basic realm="cmdserver"' in answer.stdout
    assert "WWW-Authenticate: Bearer" in answer.stdout
    assert answer.stdout.count("unknown_command") == 1
    assert [status(REQUIRED, path) for path in ("/", "/uptime", "/nothing", "/metrics", "/-/openapi.json")] == [401] * 5
    assert [status(REQUIRED, path) for path in ("/-/healthy", "/-/login", "/-/static/list.css")] == [200] * 3


@pytest.mark.usefixtures("daemon")
def test_browsers_are_shown_a_form() -> None:
    """Nothing opens a window of the browser's own: there is no challenge that it knows."""
    html = ("--header", "Accept: text/html", "--include")
    answer = curl(PLAIN, "/reboot", *html).stdout
    assert "401 Unauthorized" in answer
    assert "Basic" not in answer
    assert 'name="password"' in answer
    answer = curl(REQUIRED, "/uptime?a=b", *html).stdout
    assert "303 See Other" in answer
    assert re.search(r"^Location: \./-/login\?next=/uptime%3Fa%3Db\r?$", answer, re.MULTILINE)


def test_basic(daemon: Daemon) -> None:
    """Name and password in each request; wrong ones are refused, and all are written down."""
    logins = len([line for line in daemon.audit() if line["event"] == "login"])
    assert curl(PLAIN, "/df", "--user", f"alice:{USERS['alice']}").stdout == "full\n"
    assert curl(REQUIRED, "/df", "--user", f"alice:{USERS['alice']}").stdout == "full\n"
    assert status(PLAIN, "/reboot", "--user", f"alice:{USERS['alice']}") == 403
    assert status(PLAIN, "/uptime", "--user", "alice:wrong") == 401
    assert status(PLAIN, "/uptime", "--header", "Authorization: Basic !") == 401
    made = [line for line in daemon.audit() if line["event"] == "login"][logins:]

    assert [(line["user"], line["method"], line["outcome"]) for line in made] == [
        *[("alice", "password", "ok")] * 3,
        ("alice", "password", "denied"),
    ]


def test_a_changed_password_counts_at_once(daemon: Daemon) -> None:
    """That it was right a moment ago does not matter."""
    assert status(PLAIN, "/df", "--user", f"root:{USERS['root']}") == 200
    write_passwords(daemon, {**USERS, "root": "another"})
    assert status(PLAIN, "/df", "--user", f"root:{USERS['root']}") == 401
    assert status(PLAIN, "/df", "--user", "root:another") == 200
    write_passwords(daemon)


def test_bearer(daemon: Daemon) -> None:
    """A token is its user, for the commands that it is good for."""
    header = ("--header", f"Authorization: Bearer {token(daemon, '--commands', 'df')}")
    assert curl(PLAIN, "/df", *header).stdout == "full\n"
    assert curl(PLAIN, "/df", "--request", "POST", *header).stdout == "full\n"
    assert status(PLAIN, "/uptime", *header) == 403
    (listed,) = json.loads(curl(PLAIN, "/", "--header", "Accept: application/json", *header).stdout)["commands"]
    assert (listed["name"], listed["help"], listed["read_only"]) == ("df", "How full", True)
    assert status(PLAIN, "/df", "--header", "Authorization: Bearer wrong") == 401


@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_client_certificate(daemon: Daemon, authority: trustme.CA, believing: tuple[str, ...], http: str) -> None:
    """Whoever holds one is not asked."""
    certificate = daemon.directory / "alice.pem"
    authority.issue_cert(common_name="alice").private_key_and_cert_chain_pem.write_to_path(str(certificate))

    assert curl(TLS, "/df", http, *believing, "--cert", str(certificate)).stdout == "full\n"
    assert status(TLS, "/reboot", http, *believing, "--cert", str(certificate)) == 403


def test_http_2(daemon: Daemon, believing: tuple[str, ...]) -> None:
    """A client that can is spoken to in HTTP/2, and gets the same answers; one that cannot in HTTP/1.1."""
    if "HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this curl does not speak HTTP/2")
    written = "--write-out", " %{http_version} %{http_code}"
    assert curl(TLS, "/uptime", *believing, *written).stdout.endswith(" 2 200")
    assert curl(TLS, "/uptime", "--http1.1", *believing, *written).stdout.endswith(" 1.1 200")
    failed = curl(TLS, "/fail", *believing, "--include").stdout
    assert "cmdserver-exit-status: 7" in failed
    assert "x-content-type-options: nosniff" in failed
    assert curl(TLS, "/restart", *believing, "--request", "POST").stdout == "restarted\n"
    assert status(TLS, "/uptime", *believing, "--header", "Host: evil.example") == 421
    assert status(TLS, "/restart", *believing, "--data", "x" * 100_000) == 413
    stream = curl(TLS, "/uptime", *believing, "--header", "Accept: text/event-stream").stdout
    assert "event: outcome" in stream
    many = [f"https://localhost:{TLS.port}/uptime" for _ in range(30)]
    assert curl(TLS, "/uptime", *believing, "--parallel", *many).stdout.count("load average") == 31
    assert daemon.audit()[-1]["protocol"] == "web"


def test_a_late_failure_resets_the_stream(daemon: Daemon, believing: tuple[str, ...]) -> None:
    """With HTTP/2 an answer that breaks off is a stream that was reset."""
    done = curl(TLS, "/big", *believing, "--output", "/dev/null")

    assert done.returncode in {18, 92}, done
    assert daemon.audit()[-1]["exit_status"] == 7


@pytest.mark.parametrize("listener", [PLAIN, TLS], ids=str)
def test_the_form(daemon: Daemon, believing: tuple[str, ...], listener: Listener, tmp_path: Path) -> None:
    """Log in with the form, be who you are, log out: the session is over for whoever still has its cookie."""
    trust = believing if listener.tls else ()
    jar, stolen = str(tmp_path / "jar"), str(tmp_path / "stolen")
    form = curl(listener, "/-/login?next=/df", *trust).stdout
    fields = dict(re.findall(r'<input[^>]*name="([\w-]+)"[^>]*value="([^"]*)"', form))
    assert fields["next"] == "/df"

    def log_in(**changes: str) -> str:
        data = {
            "name": "alice",
            "password": USERS["alice"],
            "next": "/df",
            "csrf-token": fields["csrf-token"],
            **changes,
        }
        options = [option for name, value in data.items() for option in ("--data-urlencode", f"{name}={value}")]
        return curl(listener, "/-/login", *trust, "--include", "--cookie-jar", jar, *options).stdout

    assert "Name or password is wrong." in log_in(password="wrong")
    made = log_in()
    assert re.search(r"^location: \.\./df\r?$", made, re.MULTILINE | re.IGNORECASE)
    (cookie,) = re.findall(r"^set-cookie: (.*?)\r?$", made, re.MULTILINE | re.IGNORECASE)
    name = "__Host-cmdserver-session" if listener.tls else "cmdserver-session"
    assert re.match(rf"{name}-[0-9a-f]{{8}}=", cookie)
    assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert ("Secure" in cookie) is listener.tls
    assert "\nlocation: ../\n" in log_in(next="//evil.example/").lower()

    assert curl(listener, "/df", *trust, "--cookie", jar).stdout == "full\n"
    page = curl(listener, "/", *trust, "--cookie", jar, "--header", "Accept: text/html").stdout
    own = re.findall(r'name="csrf-token"[^>]*value="(\w+)"', page)[0]
    assert own != fields["csrf-token"]
    shutil.copy(jar, stolen)
    assert status(listener, "/-/logout", *trust, "--cookie", jar, "--request", "POST") == 403
    assert status(listener, "/-/logout", *trust, "--cookie", jar, "--data", f"csrf-token={fields['csrf-token']}") == 403
    assert status(listener, "/-/logout", *trust, "--cookie", jar, "--data", f"csrf-token={own}") == 303
    assert status(listener, "/df", *trust, "--cookie", stolen) == 401
    assert daemon.log().count("Traceback") == 0


@pytest.mark.usefixtures("daemon")
def test_other_sites_pages_change_nothing() -> None:
    """What a browser sends on behalf of another site's page is refused, and what a script sends is not."""
    post = ("--request", "POST")
    assert status(PLAIN, "/restart", *post) == 200
    for header in ("Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
        assert status(PLAIN, "/restart", *post, "--header", header) == 403
    own = f"Origin: http://localhost:{PLAIN.port}"
    assert status(PLAIN, "/restart", *post, "--header", own) == 403, "our own page knows the token"
    page = curl(PLAIN, "/restart", "--header", "Accept: text/html").stdout
    token = re.findall(r'name="csrf-token"[^>]*value="(\w+)"', page)[0]
    assert status(PLAIN, "/restart", "--header", own, "--data", f"csrf-token={token}") == 200
    assert status(PLAIN, "/restart", *post, "--header", own, "--header", f"X-Cmdserver-Token: {token}") == 200


def test_the_access_log_cannot_be_forged(daemon: Daemon) -> None:
    """Whatever is in a request, it is one line of the log, quoted, with who and what and how it ended."""
    with HTTPClient(PLAIN.address) as client:
        assert client.ask('/uptime%0a127.0.0.1"-"GET\x85[cmdserver]/forged').status == 400
    before = daemon.log().count("GET /df ")
    assert status(PLAIN, "/df", "--user", f"alice:{USERS['alice']}") == 200

    daemon.wait_for_log("GET /df ", before + 1)  # written once the answer is sent, which may have come before it
    lines = [line.partition("] ")[2] for line in daemon.log().splitlines() if "web.access" in line]
    assert lines[-2].startswith(r'127.0.0.1 - "GET /uptime%0a127.0.0.1\"-\"GET\u0085[cmdserver]/forged HTTP/1.1" 400 ')
    assert re.fullmatch(r'127\.0\.0\.1 "alice" "GET /df HTTP/1\.1" 200 5 \d+\.\d{3} done', lines[-1])


def test_metrics(daemon: Daemon) -> None:
    """Prometheus can read them; strangers learn nothing of commands that they may not run."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - for this test only

    for user, sees in ((), False), (("--user", f"root:{USERS['root']}"), True):
        answer = curl(PLAIN, "/metrics", "--include", *user).stdout
        head, _, text = answer.partition("\n\n")
        assert "text/plain; version=0.0.4; charset=utf-8" in head
        families = {family.name: family for family in text_string_to_metric_families(text)}
        requests = families["cmdserver_requests"].samples
        commands = {sample.labels["command"] for sample in requests}
        assert ("reboot" in commands) is sees
        assert {sample.labels["outcome"] for sample in requests if sample.labels["command"] == "uptime"} >= {
            "ok",
            "fault",
        }
        assert {"cmdserver_running", "cmdserver_connections", "cmdserver_build_info"} <= set(families)
    assert "metrics" not in {line["command"] for line in daemon.audit() if line["event"] == "request"}


def test_a_reload(tmp_path: Path) -> None:
    """What the host is called, and whether requests are logged, is as the file says it now; sessions go on."""
    listener = Listener(protocol="web", login="optional")
    commands = {"say": {"run": ["echo", "said"], "read_only": True}}
    renamed = ("--header", "Host: ops.example")
    with running(tmp_path, commands, listeners=[listener]) as daemon:
        write_passwords(daemon)
        assert (status(listener, "/say"), status(listener, "/say", *renamed)) == (200, 421)
        form = curl(listener, "/-/login").stdout
        given = re.findall(r'name="csrf-token"[^>]*value="(\w+)"', form)[0]
        jar = str(tmp_path / "jar")
        data = f"name=alice&password={USERS['alice']}&csrf-token={given}"
        assert status(listener, "/-/login", "--cookie-jar", jar, "--data", data) == 303
        daemon.configure(commands, listeners=[listener], web={"hosts": ["ops.example"], "access_log": False})
        daemon.reload()
        logged = daemon.log().count("web.access")

        assert (status(listener, "/say"), status(listener, "/say", *renamed)) == (200, 200)
        assert daemon.log().count("web.access") == logged
        assert "alice" in curl(listener, "/", "--cookie", jar, "--header", "Accept: text/html").stdout
        assert status(listener, "/metrics") == 200
