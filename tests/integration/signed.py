"""Callers of a real daemon who sign their requests, with keys of ssh-keygen's and a library that is not ours."""

import subprocess
import time
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tests.integration.client import Address
from tests.integration.daemon import Daemon, Listener
from tests.integration.http_client import HTTPClient, Response
from tests.integration.logins import believing, companion, require_program
from tests.signing import Answered, Asked, PrivateKey, Signing, verify_answer

#: No signature is refused because the daemon has just been started.
AT_ONCE = {"cmdserver.limits.nonces.START_SECONDS": -10.0}


def caller(daemon: Daemon, kind: str = "ed25519") -> Signing:
    """Make a key as people do, and let it in."""
    file = daemon.directory / f"id_{kind}"
    ssh_keygen = require_program("ssh-keygen")
    subprocess.run([ssh_keygen, "-q", "-t", kind, "-N", "", "-f", str(file)], check=True)
    companion(daemon, "key", "add", "alice", str(file.with_suffix(".pub")))
    key = cast("PrivateKey", load_ssh_private_key(file.read_bytes(), password=None))
    return Signing(key, "alice")


def now(**differences: Any) -> dict[str, Any]:
    """Say when a request is signed that is sent now; each has a nonce of its own."""
    return {"created": int(time.time()), "nonce": f"nonce-{time.monotonic_ns():016}", **differences}


def ask(listener: Listener | Address, asked: Asked, **more: str) -> Response:
    """Send a request, with more fields, named as keywords are."""
    fields = {name.lower().replace("-", "_"): value for name, value in asked.headers.items()}
    if isinstance(listener, Listener):
        address, tls = listener.address, believing() if listener.tls else None
    else:
        address, tls = listener, None
    with HTTPClient(address, tls=tls) as client:
        return client.ask(asked.target, asked.method, asked.body, **{"accept": "application/json", **fields, **more})


def host_key(daemon: Daemon) -> str:
    """Return the host's public key."""
    return (daemon.state_directory / "ssh_host_ed25519_key.pub").read_text()


def verify(daemon: Daemon, asked: Asked, response: Response) -> None:
    """Verify an answer."""
    headers = {name.title(): value for name, value in response.headers}
    verify_answer(Answered(response.status, headers, asked), response.body, host_key(daemon))
