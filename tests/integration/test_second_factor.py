"""A second factor with real clients: over lines, SSH and the web, and what only keys and tokens are good for."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import asyncssh
import pyotp
import pytest
from playwright.sync_api import Browser, expect

from tests.integration.browser import barriers, sticks_out, visit
from tests.integration.client import GREETING
from tests.integration.daemon import Daemon, Listener, running
from tests.integration.http_client import HTTPClient
from tests.integration.logins import (
    ALICE,
    COMMANDS,
    FAILED,
    LENIENT,
    PASSWORD,
    ROLES,
    USER,
    companion,
    knock,
    logins,
    require_program,
    talk,
    write_passwords,
)
from tests.integration.ssh import SSH
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

CODE = b"Code?\n"
LINE, TLS = Listener(), Listener(tls=True)
WEB = Listener(protocol="web", login="optional")
SECURE_SHELL = Listener(protocol="ssh")
SAFE = {"safe": {"commands": ["reboot"], "users": ["alice"], "second_factor": True}}


class Phone:
    """What makes codes: each of them counts once, so a new one may have to be waited for by going to the next step."""

    def __init__(self, daemon: Daemon) -> None:
        (daemon.state_directory / "totp").unlink(missing_ok=True)
        said = companion(daemon, "totp", "add", "alice").stdout
        found = re.search(r"secret=([A-Z2-7]+)", said)
        assert found
        self.secret = found[1]
        self.recovery = said.split()[1:]

    def code(self) -> str:
        """Make the code of now."""
        return pyotp.TOTP(self.secret).now()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with all kinds of listeners."""
    directory = tmp_path_factory.mktemp("daemon")
    roles = {**ROLES, **SAFE}
    with running(directory, COMMANDS, listeners=[LINE, TLS, WEB, SECURE_SHELL], roles=roles, limits=LENIENT) as daemon:
        write_passwords(daemon)
        yield daemon


@pytest.fixture
def phone(daemon: Daemon) -> Phone:
    """Give alice a new second factor."""
    return Phone(daemon)


def answers(directory: Path, password: str, code: str) -> Path:
    """Write a program that answers ssh's questions by what they say."""
    program = directory / "answers"
    program.write_text(f"#!/bin/sh\ncase $1 in *Code:*) echo '{code}' ;; *) echo '{password}' ;; esac\n")
    program.chmod(0o700)
    return program


def ssh(directory: Path, code: str, *words: str, key: Path | None = None, **options: str) -> tuple[int, bytes]:
    """Log in with OpenSSH; return its exit status and what the command said."""
    options = {"NumberOfPasswordPrompts": "1", **options}
    client = SSH(listener=SECURE_SHELL, directory=directory, key=key, options=options)
    done = subprocess.run(
        client.command_line(*words),
        env={**client.environment(), "SSH_ASKPASS": str(answers(directory, ALICE, code))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def form(**fields: str) -> tuple[int, str, str]:
    """Send the form of the login, as a program does; return status, cookie and page."""
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    with HTTPClient(WEB.address) as client:
        answer = client.ask("/-/login", "POST", body, content_type="application/x-www-form-urlencoded")
    return answer.status, answer["set-cookie"], answer.body.decode()


@pytest.mark.parametrize("listener", [LINE, TLS], ids=["tcp", "tls"])
def test_lines(daemon: Daemon, phone: Phone, listener: Listener) -> None:
    """The code is asked for after the password; it counts once, and is no way past a wrong password."""
    said = f"alice\n{ALICE}\n{phone.code()}\nmembers\n".encode()
    assert talk(listener, said) == USER + PASSWORD + CODE + GREETING + b"members\n"
    assert talk(listener, said) == USER + PASSWORD + CODE + FAILED
    assert talk(listener, f"alice\nwrong\n{phone.code()}\n".encode()) == USER + PASSWORD + FAILED
    with knock(listener) as client:
        client.send(f"alice\n{ALICE}\n".encode())
        assert client.read_until(CODE) == USER + PASSWORD + CODE
    wait_until(lambda: logins(daemon)[-1]["reason"] == "no code was given", "it is written down")
    recovery = f"alice\n{ALICE}\n{phone.recovery[0].upper()}\nmembers\n".encode()
    assert talk(listener, recovery).endswith(b"members\n")
    assert talk(listener, recovery).endswith(FAILED)
    said_of = [(each["method"], each["outcome"], each["reason"]) for each in logins(daemon)[-6:]]
    assert said_of == [
        ("password+totp", "ok", None),
        ("password+totp", "denied", "code used before"),
        ("password", "denied", "wrong password"),
        ("password", "denied", "no code was given"),
        ("password+recovery", "ok", None),
        ("password+totp", "denied", "recovery code used before"),
    ]


def test_a_restart(daemon: Daemon, phone: Phone) -> None:
    """A code that was used stays used."""
    said = f"alice\n{ALICE}\n{phone.code()}\nmembers\n".encode()
    assert talk(LINE, said).endswith(b"members\n")
    daemon.stop()
    daemon.start()
    assert talk(LINE, said).endswith(FAILED)


def test_openssh(phone: Phone, tmp_path: Path) -> None:
    """By keyboard-interactive, which its client comes to by itself; the method ``password`` lets nobody in."""
    assert ssh(tmp_path, phone.code(), "members", PreferredAuthentications="password") == (255, b"")
    assert ssh(tmp_path, phone.recovery[0], "members", PreferredAuthentications="password") == (255, b"")
    assert ssh(tmp_path, phone.code(), "members") == (0, b"members\n")
    assert ssh(tmp_path, "000000", "members") == (255, b"")


def test_a_key(daemon: Daemon, phone: Phone, tmp_path: Path) -> None:
    """A role that wants a second factor has the key's holder asked; without one the role is not there."""
    require_program("ssh-keygen")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    companion(daemon, "key", "add", "alice", f"{key}.pub")
    assert ssh(tmp_path, phone.code(), "reboot", key=key) == (0, b"rebooted\n")
    assert ssh(tmp_path, "000000", "reboot", key=key) == (255, b"")
    companion(daemon, "totp", "remove", "alice")
    status, _ = ssh(tmp_path, "", "reboot", key=key)
    assert status == 126
    assert ssh(tmp_path, "", "df", key=key) == (0, b"full\n")
    companion(
        daemon,
        "key",
        "remove",
        "alice",
        companion(daemon, "key", "list", "alice").stdout.split("SHA256:")[1].split()[0],
    )


def test_asyncssh(phone: Phone) -> None:
    """A client that is not OpenSSH's answers two questions in two requests."""

    class Answers(asyncssh.SSHClient):
        asked: list[str]

        def __init__(self) -> None:
            self.asked = []

        def kbdint_auth_requested(self) -> str:
            return ""

        def kbdint_challenge_received(
            self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
        ) -> list[str]:
            self.asked += [text for text, _ in prompts]
            return [phone.code() if text == "Code: " else ALICE for text, _ in prompts]

    async def ask() -> tuple[str, list[str]]:
        options = asyncssh.SSHClientConnectionOptions(
            known_hosts=None, username="alice", client_keys=None, agent_path=None
        )
        connection, client = await asyncssh.create_connection(Answers, "127.0.0.1", SECURE_SHELL.port, options=options)
        assert isinstance(client, Answers)
        said = await connection.run("members")
        connection.close()
        return str(said.stdout), client.asked

    import asyncio  # noqa: PLC0415 - for this client alone

    assert asyncio.run(ask()) == ("members\n", ["Password: ", "Code: "])


def test_forms_of_programs(phone: Phone) -> None:
    """In one step or in two; a wrong code begins no session."""
    status, cookie, page = form(name="alice", password=ALICE.replace(" ", "+"))
    assert (status, cookie) == (200, "")
    number = re.search(r'name="login" value="(\w+)"', page)
    assert number
    status, cookie, _ = form(login=number[1], code=phone.code())
    assert status == 303
    assert cookie
    with HTTPClient(WEB.address) as client:
        answer = client.ask("/members", cookie=cookie.partition(";")[0], accept="text/plain")
    assert (answer.status, answer.body) == (200, b"members\n")
    for code in (phone.code(), "000000"):
        assert form(name="alice", password=ALICE.replace(" ", "+"), code=code)[:2] == (403, "")
    assert form(name="alice", password=ALICE.replace(" ", "+"), code=phone.recovery[0])[0] == 303


def test_basic_and_tokens(daemon: Daemon, phone: Phone) -> None:
    """Basic is refused with the right password, too; a token is not asked, and has no role that wants more."""
    assert phone.secret
    arguments = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://localhost:{WEB.port}/members"]
    require_program("curl")
    for password in (ALICE, "wrong"):
        refused = subprocess.run([*arguments, "-u", f"alice:{password}"], capture_output=True, check=True, text=True)
        assert refused.stdout == "401"
    token = companion(daemon, "token", "add", "alice").stdout.strip()
    with HTTPClient(WEB.address) as client:
        asked = [
            client.ask(f"/{name}", "POST", b"", authorization=f"Bearer {token}", accept="text/plain")
            for name in ("df", "reboot")
        ]
    assert [each.status for each in asked] == [200, 403]
    assert b"second factor" in asked[1].body


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("has_javascript", [True, False])
def test_a_browser(browser: Browser, phone: Phone, colours: Literal["light", "dark"], *, has_javascript: bool) -> None:
    """The second page asks for the code, on a phone, with and without a script; it keeps nobody out."""
    address = f"http://localhost:{WEB.port}"
    with visit(browser, address, width=390, has_javascript=has_javascript, colours=colours) as page:
        page.goto("/-/login?next=/members")
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password", exact=True).fill(ALICE)
        page.get_by_role("button", name="Log in").click()
        field = page.get_by_label("Code")
        expect(field).to_be_focused()
        assert not sticks_out(page)
        if has_javascript:
            assert barriers(page) == []
        field.fill("000000")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password", exact=True).fill(ALICE)
        page.get_by_role("button", name="Log in").click()
        page.get_by_label("Code").fill(phone.code())
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/members")
        expect(page.get_by_text("members").locator("visible=true").first).to_be_visible()
