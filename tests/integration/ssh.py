"""OpenSSH's client, as tests of SSH listeners use it: with no configuration of anybody's, and no question left open."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.daemon import Daemon, Listener
from tests.integration.logins import ALICE, require_program
from tests.waiting import LIMIT_SECONDS

#: What the client says of an end that is no exit status: a signal, a refusal, a connection that was lost.
NO_STATUS = 255


@dataclass(frozen=True, kw_only=True)
class SSH:
    """Somebody with an SSH client.

    Args:
        listener: Where they call.
        directory: For their files.
        user: As whom they log in.
        password: Given whenever it is asked for.
        key: The file of their private key; None to use the password.
        options: More of ``-o``.
    """

    listener: Listener
    directory: Path
    user: str = "alice"
    password: str = ALICE
    key: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def command_line(self, *words: str) -> list[str]:
        """Say what to start; ``words`` are options of ssh's, then the command."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": str(self.directory / "known_hosts"),
            "LogLevel": "ERROR",
            "ConnectTimeout": f"{LIMIT_SECONDS:g}",
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.key or "/dev/null"),
            **self.options,
        }
        said = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        where = ["-p", str(self.listener.port), "-l", self.user]
        return [
            require_program("ssh"),
            "-F",
            "none",
            *said,
            *where,
            *_before_host(words),
            "127.0.0.1",
            *_command(words),
        ]

    def environment(self) -> dict[str, str]:
        """Say what the client is to find in its environment: nothing of an agent, and who gives it the password."""
        answer = self.directory / f"answer-{abs(hash(self.password))}"
        answer.write_text(f"#!/bin/sh\ncat <<'END'\n{self.password}\nEND\n", "utf-8")
        answer.chmod(0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
        return {**kept, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force", "TERM": "xterm"}

    def run(self, *words: str, text: bytes | None = None, **how: Any) -> subprocess.CompletedProcess[bytes]:
        """Run the client to its end."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        return subprocess.run(
            self.command_line(*words),
            env=self.environment(),
            capture_output=True,
            timeout=LIMIT_SECONDS,
            check=False,
            **given,
            **how,
        )

    def start(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start the client."""
        return subprocess.Popen(self.command_line(*words), env=self.environment(), **how)


def _before_host(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.startswith("-")]


def _command(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def make_key(directory: Path, kind: str = "ed25519", *options: str) -> Path:
    """Make a key pair, as ssh-keygen does; return the file of the private key."""
    file = directory / f"id_{kind}"
    subprocess.run(
        [require_program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(file), *options],
        check=True,
        capture_output=True,
        timeout=LIMIT_SECONDS,
    )
    return file


def authorize(daemon: Daemon, user: str, *keys: Path, options: str = "") -> None:
    """Write a user's ``authorized_keys``, whole."""
    directory = daemon.state_directory / "authorized_keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = f"{options} " if options else ""
    lines = [before + key.with_suffix(".pub").read_text("utf-8") for key in keys]
    new = directory / f".{user}.new"
    new.touch(0o600)
    new.write_text("".join(lines), "utf-8")
    new.replace(directory / user)
