"""nginx, Apache, Caddy and HAProxy, with the configurations that ``docs/proxies.md`` shows.

What stands there is run as it stands there, but for what no test can have: ports below 1024, a public name, and files
in /etc. A text that is to be replaced and is not there is a mistake.
"""

import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

import pytest
import trustme

from tests.integration.daemon import free_port, is_listening
from tests.integration.logins import write_certificate
from tests.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "proxies.md"
#: Who can log in at the proxies, with passwords of their own.
PASSWORDS = {"ann": "proxy's own 1", "Not a name": "proxy's own 2"}

#: Frames of configurations, into which servers go as ``text``.
NGINX = """
daemon off;
pid {directory}/pid;
error_log {directory}/log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{text}
}}
"""
_APACHE_MODULES = (
    *("mpm_event", "authz_core", "ssl", "headers", "proxy", "proxy_http"),
    *("auth_basic", "authn_core", "authn_file", "authz_user", "socache_shmcb"),
)
_APACHE = """
DefaultRuntimeDir {directory}
PidFile {directory}/pid
ErrorLog {directory}/log
ServerName localhost
Mutex file:{directory}
Listen 127.0.0.1:{port}
{modules}
{user}
{text}
"""
_CADDY = "{{\n    admin off\n    auto_https off\n}}\n{text}"
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
{text}
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where things are in a test.

    Args:
        directory: For a proxy's files; others than root may enter it.
        upstream: The daemon's TCP port.
        socket: The daemon's UNIX socket.
        login: The port of what says who somebody is, for ``auth_request``.
    """

    directory: Path
    upstream: int = 0
    socket: Path = Path("/nowhere")
    login: int = 0


def blocks(language: str) -> list[str]:
    """Cut the blocks of a language out of the page, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Replace each of these texts, all of which must be there."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the page any more"
        text = text.replace(old, new)
    return text


@contextmanager
def started(program: str, arguments: Sequence[str], port: int, directory: Path) -> Iterator[int]:
    """Run a proxy in the foreground until the end, by its own process; skip where it is not installed."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed here")
    homes = {name: str(directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**homes, "PATH": "/usr/bin"},
        ) as process,
    ):
        try:
            wait_until(lambda: _is_ready(process, port, directory), f"{program} answers")
            yield port
        finally:
            process.terminate()


def _is_ready(process: subprocess.Popen[bytes], port: int, directory: Path) -> bool:
    said = "".join(
        each.read_text("utf-8", "replace") for name in ("output", "log") if (each := directory / name).exists()
    )
    assert process.poll() is None, said
    return is_listening(("127.0.0.1", port))


def _certificate(directory: Path) -> tuple[Path, Path]:
    certificate, key = write_certificate(directory, "localhost", trustme.CA().issue_cert("localhost"))
    key.chmod(0o644)  # for Caddy and workers that are not root
    return certificate, key


def _passwords(directory: Path) -> Path:
    """Write passwords in a format that both nginx and Apache read."""
    path = directory / "htpasswd"
    lines = (
        f"{name}:{{SHA}}{b64encode(sha1(password.encode()).digest()).decode()}\n"  # noqa: S324 - theirs, for a test
        for name, password in PASSWORDS.items()
    )
    path.write_text("".join(lines), "ascii")
    return path


def _changes(text: str, place: Place, own: Mapping[str, str]) -> str:
    """Put the files and ports of a test into a configuration that may name each of them."""
    certificate, key = _certificate(place.directory)
    usual = {
        "/etc/ssl/ops.pem": str(certificate),
        "/etc/ssl/ops.key": str(key),
        "127.0.0.1:2080": f"127.0.0.1:{place.upstream}",
        "/run/cmdserver/web": str(place.socket),
        "/etc/nginx/ops.htpasswd": str(place.directory / "htpasswd"),
        "/etc/apache2/ops.htpasswd": str(place.directory / "htpasswd"),
        "127.0.0.1:9091": f"127.0.0.1:{place.login}",
        "ServerName ops.example": "ServerName localhost",
        "server_name ops.example": "server_name localhost",
    }
    _passwords(place.directory)
    return replaced(text, {**own, **{old: new for old, new in usual.items() if old in text}})


@contextmanager
def nginx(text: str, place: Place) -> Iterator[int]:
    """Run nginx with a block of the page, and the snippet that is its first."""
    port, directory = free_port(), place.directory
    (directory / "snippets").mkdir()
    (directory / "snippets" / "cmdserver.conf").write_text(blocks("nginx")[0], "utf-8")
    text = _changes(text, place, {"listen 443 ssl": f"listen 127.0.0.1:{port} ssl"})
    whole = NGINX.format(directory=directory, text=text, user="user root;" if _is_root() else "")
    (directory / "nginx.conf").write_text(whole, "utf-8")
    with started("nginx", ["-p", str(directory), "-c", str(directory / "nginx.conf")], port, directory):
        yield port


@contextmanager
def apache(text: str, place: Place) -> Iterator[int]:
    """Run Apache with a virtual host of the page."""
    port, directory = free_port(), place.directory
    text = _changes(text, place, {"*:443": f"127.0.0.1:{port}"})
    modules = "\n".join(f"LoadModule {each}_module /usr/lib/apache2/modules/mod_{each}.so" for each in _APACHE_MODULES)
    user = "User www-data\nGroup www-data" if _is_root() else ""
    whole = _APACHE.format(directory=directory, port=port, modules=modules, user=user, text=text)
    (directory / "apache.conf").write_text(whole, "utf-8")
    with started("apache2", ["-DFOREGROUND", "-f", str(directory / "apache.conf")], port, directory):
        yield port


@contextmanager
def caddy(text: str, place: Place) -> Iterator[int]:
    """Run Caddy with a site of the page."""
    port, directory = free_port(), place.directory
    changes = {"ops.example {": f"https://localhost:{port} {{\n    bind 127.0.0.1"}
    if "HASH" in text:
        users = "".join(f'        "{name}" {_caddy_hash(password)}\n' for name, password in PASSWORDS.items())
        changes["        ann HASH\n"] = users
    (directory / "Caddyfile").write_text(_CADDY.format(text=_changes(text, place, changes)), "utf-8")
    arguments = ["run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]
    with started("caddy", arguments, port, directory):
        yield port


@contextmanager
def haproxy(text: str, place: Place) -> Iterator[int]:
    """Run HAProxy with the frontend and backend of the page."""
    port, directory = free_port(), place.directory
    certificate, key = _certificate(directory)
    both = directory / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    text = _changes(text, place, {"bind :443": f"bind 127.0.0.1:{port}", "/etc/haproxy/ops.pem": str(both)})
    (directory / "haproxy.cfg").write_text(HAPROXY.format(text=text), "utf-8")
    with started("haproxy", ["-db", "-f", str(directory / "haproxy.cfg")], port, directory):
        yield port


def _caddy_hash(password: str) -> str:
    path = shutil.which("caddy")
    if path is None:
        pytest.skip("caddy is not installed here")
    done = subprocess.run(
        [path, "hash-password", "--plaintext", password],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()


def _is_root() -> bool:
    return os.geteuid() == 0
