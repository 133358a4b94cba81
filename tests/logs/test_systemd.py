"""Tests of what is told to systemd."""

import re
import socket
import time
from pathlib import Path

import pytest

from cmdserver.logs.systemd import notify


@pytest.mark.parametrize("is_abstract", [False, True])
def test_who_listens_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool) -> None:
    """In one message, with the time by which a reload is known from the one before; on a path or an abstract name."""
    path = f"@{tmp_path}@x" if is_abstract else f"{tmp_path}/@x"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path.replace("@", "\0", 1) if is_abstract else path)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        before = time.monotonic_ns()
        notify("STATUS=\u00fc")
        after = time.monotonic_ns()
        found = re.fullmatch("STATUS=\u00fc\nMONOTONIC_USEC=([0-9]+)", listener.recv(1000).decode())

    assert found is not None
    assert before // 1000 <= int(found[1]) <= after // 1000


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1234"])
def test_nobody_is_told(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Where there is nobody, or nobody that can be told."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setattr(socket, "socket", None)

    notify("READY=1")


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tells finds out."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        notify("READY=1")
