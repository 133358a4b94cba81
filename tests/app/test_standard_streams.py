"""What is said to people, whatever their terminal can show."""

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cmdserver.app import standard_streams


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", rb"gr\xfcn \u2192 \udcff"),
        ("ANSI_X3.4-1968", rb"gr\xfcn \u2192 \udcff"),
        ("latin-1", b"gr\xfcn " + rb"\u2192 \udcff"),
        ("utf-8", "gr\u00fcn \u2192 ".encode() + rb"\udcff"),
    ],
)
def test_every_text_can_be_said(monkeypatch: pytest.MonkeyPatch, encoding: str, expected: bytes) -> None:
    """What an encoding does not have is an escape, in what we write and in what click writes."""
    for write in (standard_streams.say, lambda text: click.echo(text, nl=False)):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding))
        standard_streams.prepare()
        write("gr\u00fcn \u2192 \udcff")
        sys.stdout.flush()
        assert written.getvalue() == expected


def test_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was started without one has nowhere to say anything, and does so."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    standard_streams.prepare()
    standard_streams.say("x")
    assert sys.stdout.isatty() is False
    sys.stdout.close()
    sys.stderr.close()


def test_somebody_elses_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no stream of Python's own is left alone."""
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    standard_streams.prepare()
    assert sys.stdout is own


def test_nobody_listens() -> None:
    """A pipe that was closed at its other end is no failure, and nothing is said about it."""
    reading, writing = os.pipe()
    os.close(reading)
    script = "from cmdserver.app import standard_streams as s; s.prepare(); s.say('x'); s.say('y')"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=pipe, stderr=subprocess.PIPE, check=False, cwd=Path("/")
        )
    assert (done.returncode, done.stderr) == (0, b"")
