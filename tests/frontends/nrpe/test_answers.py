"""Answers: which state, and which text fits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.check import Check, CheckRule
from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.errors import BadArgument, Busy, LoginRequired, UnknownCommand
from cmdserver.core.output import Answer
from cmdserver.core.run_states import RunState
from cmdserver.frontends.nrpe.answers import error_answer, run_answer, said, version_answer
from cmdserver.frontends.nrpe.packets import Packet, Version, serialize
from tests.running_doubles import finished

CUT = b"\ncmdserver: the rest does not fit into an answer of this version of NRPE"


def told(
    stdout: bytes = b"",
    stderr: bytes = b"",
    status: int | None = 0,
    state: RunState | None = None,
    version: Version = Version.V2,
    problem: str | None = None,
    **differences: Any,
) -> tuple[int, bytes]:
    """Tell of a run."""
    state = state or (RunState.FAILED if status else RunState.OK)
    answer = Answer(
        id="1",
        command="disk",
        arguments=(),
        finished=finished(stdout=stdout, stderr=stderr, exit_status=status, **differences),
        state=state,
        problem=problem or (f"exit status {status}" if status else None),
    )
    packet = run_answer(version, answer)
    assert packet.version is version
    serialize(packet)
    return packet.result, packet.text


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 127, 255])
def test_exit_status(status: int) -> None:
    """It is told as it is, in each version."""
    for version in Version:
        assert told(b"DISK - all of it\n", status=status, version=version) == (status, b"DISK - all of it")


def test_success_by_another_status() -> None:
    """``ok_statuses`` are a matter of ours: whoever asks by NRPE gets the status."""
    assert told(b"x", status=1, state=RunState.OK) == (1, b"x")


@pytest.mark.parametrize(
    "state", [RunState.TIMEOUT, RunState.TRUNCATED, RunState.STOPPED, RunState.FAULT, RunState.LOST]
)
def test_no_end_of_its_own(state: RunState) -> None:
    """Whatever status is left, nobody knows; why is on the line that people see, and what there was behind it."""
    for status in (0, 2, None):
        result, text = told(b"so far", status=status, state=state, problem="timeout: ran longer than 1 s and was ended")
        assert (result, text) == (3, b"cmdserver: disk: timeout: ran longer than 1 s and was ended\nso far")


def test_signal() -> None:
    """A plugin that crashes is UNKNOWN."""
    assert told(status=None, state=RunState.FAILED, problem="ended by SIGSEGV") == (
        3,
        b"cmdserver: disk: ended by SIGSEGV",
    )


def checked(text: str, state: CheckState, *, is_plugin: bool = True, **rest: Any) -> tuple[int, bytes]:
    """Tell of a check."""
    answer = Answer(
        id="1",
        command="disk",
        arguments=(),
        finished=finished(**{"stdout": b"DISK printed\n", "exit_status": 0, **rest}),
        state=RunState.FAILED,
        examines=Check() if is_plugin else Check(rules=(CheckRule(value="x", warning=None, critical=None),)),
        check=CheckResult(state=state, text=text, performance=(Performance(label="/", value=9.0, unit="%"),)),
    )
    packet = run_answer(Version.V2, answer)
    return packet.result, packet.text


def test_plugin() -> None:
    """Its text is what it has printed; where it is not believed, the check says why."""
    assert checked("DISK", CheckState.CRITICAL, exit_status=2) == (2, b"DISK printed")
    assert checked("DISK", CheckState.OK, stdout=b"", stderr=b"oh") == (0, b"oh")
    assert checked("exit status 7: DISK", CheckState.UNKNOWN, exit_status=7) == (3, b"exit status 7: DISK | /=9%")
    assert checked("timeout: DISK", CheckState.UNKNOWN, exit_status=None) == (3, b"timeout: DISK | /=9%")


def test_rules() -> None:
    """What they have found is the answer, and not what the command prints."""
    assert checked("x is 93", CheckState.CRITICAL, is_plugin=False) == (2, b"x is 93 | /=9%")


def test_standard_error() -> None:
    """It is told if the command has failed and has said nothing else."""
    assert told(b"out", b"err", status=2) == (2, b"out")
    assert told(b" \n", b"err\n", status=2) == (2, b"err")
    assert told(b"out", b"err") == (0, b"out")
    assert told(b"", b"err") == (0, b"cmdserver: disk: printed nothing")
    assert told(status=2) == (2, b"cmdserver: disk: exit status 2")


def test_what_would_end_the_text() -> None:
    """A NUL does not hide what is behind it; other controls do no harm either, unless the command says ``raw``."""
    assert told(b"a\0b\x1b[2Jc\r\n\td") == (0, b"a^@b^[[2Jc\r\n\td")
    answer = Answer(id="1", command="x", arguments=(), finished=finished(stdout=b"a\0b\x1b[1m"), state=RunState.OK)
    assert run_answer(Version.V4, answer, is_raw=True).text == b"a^@b\x1b[1m"


def test_what_just_fits() -> None:
    """1023 bytes in version 2, 65,535 in the others; one more, and it is cut, and says so."""
    for version in Version:
        most = version.text_bytes
        assert told(b"x" * most + b"\n", version=version) == (0, b"x" * most)
        text = told(b"x" * most + b"y", version=version)[1]
        assert text.endswith(b"x" + CUT)
        assert len(text) == most
        assert told(b"x" * (most - 1) + b"\x01", version=version)[1].endswith(b"x" + CUT)


def test_between_two_characters() -> None:
    """Half a character is none."""
    for beginning in (b"", b"x", b"xx", b"xxx"):
        text = told(beginning + "\U0001f600é€".encode() * 1000)[1]
        assert text.endswith(CUT)
        assert text.decode()
    assert len(told(b"\x80" * 2000)[1]) <= 1023


def test_half_a_number_is_another_number() -> None:
    """Behind a ``|`` there is performance data, which is cut between two of them."""
    text = told(b"OK | " + b"".join(b"a%d=%d;10;20 " % (each, 10**9) for each in range(100)))[1]
    kept = text.removesuffix(CUT)
    assert kept.endswith(b"=1000000000;10;20")
    assert told(b"OK |" + b"1" * 2000) == (0, b"OK" + CUT)


def test_errors() -> None:
    """Codes are UNKNOWN, with their text."""
    for error, text in (
        (Busy("4 run", 1), "cmdserver: busy: 4 run; try again in 1 s"),
        (BadArgument("disk takes no arguments"), "cmdserver: bad_argument: disk takes no arguments"),
        (
            UnknownCommand("d|sk\n", ("disk",)),
            'cmdserver: unknown_command: no check and no read_only command named "d|sk\\n"; did you mean disk?',
        ),
        (LoginRequired(), "cmdserver: denied: a login is required here: check_nrpe -C CERTIFICATE -K KEY"),
    ):
        assert error_answer(Version.V3, error) == Packet(Version.V3, text.encode(), 3)
    assert len(error_answer(Version.V2, UnknownCommand("x" * 5000)).text) == 1023


def test_said() -> None:
    """A sentence is told as it is; nothing is not."""
    assert said(Version.V4, b"Login failed.\n") == Packet(Version.V4, b"Login failed.", 3)
    assert said(Version.V4, b"").text


def test_version() -> None:
    """As nrpe spells its own."""
    assert version_answer(Version.V2).text.startswith(b"cmdserver v")
    assert version_answer(Version.V2).result == 0


@given(st.binary(max_size=3000), st.binary(max_size=50), st.integers(0, 255), st.sampled_from(Version))
def test_whatever_is_printed(stdout: bytes, stderr: bytes, status: int, version: Version) -> None:
    """There is a text, it fits, and has no end in the middle."""
    result, text = told(stdout, stderr, status, version=version)
    assert result == status
    assert 0 < len(text) <= version.text_bytes
    assert b"\0" not in text
