"""Answers as text and as JSON.

A JSON answer is one object on one line of ASCII. A text answer ends, after a failure, in one line that begins with
``cmdserver:``, as Unix programs name themselves in a complaint.
"""

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping

from cmdserver.core.errors import BadArgument, RequestError, TryAgain, UnknownCommand
from cmdserver.core.escaping import printable_line
from cmdserver.core.model import Caller, Grant, Rule
from cmdserver.core.output import Answer, Parsed
from cmdserver.core.run_states import RunState
from cmdserver.frontends.common.check_text import check_fields, check_problem, is_own_text, says_itself
from cmdserver.parameters.mistakes import ValueMistake
from cmdserver.parameters.number_types import span

#: Bytes of output that are made JSON at a time.
PIECE_BYTES = 1 << 14

_Decoder = codecs.getincrementaldecoder("utf-8")


def answer_trailer(answer: Answer) -> bytes:
    """Return the line that says what went wrong with a run; empty if nothing did."""
    problem = answer.problem
    if answer.check is not None:  # others cost no calls for this
        problem = None if says_itself(answer) else check_problem(answer)
    if not problem:
        return b""
    return complaint(f"{answer.command}: {problem}")


def end_line(answer: Answer) -> bytes:
    """Return the line that says how a run has ended, even if that was well."""
    if answer.check is not None and is_own_text(answer):
        return complaint(f"{answer.command}: {answer.check.text}")
    state = f"{answer.check.state.name}: " if answer.check is not None else ""
    if problem := check_problem(answer):
        return complaint(f"{answer.command}: {state}{problem}")
    status = answer.finished.exit_status
    return complaint(f"{answer.command}: {state}exit status {status}" + (" (ok)" if status else ""))


def output_omission(command_name: str, omitted_bytes: int) -> bytes:
    """Return the line that says, in the middle of output, how much of it is left out."""
    return complaint(f"{command_name}: output truncated: {omitted_bytes} bytes are left out here")


def stderr_omission(command_name: str, omitted_bytes: int) -> bytes:
    """Return the line that says, in the middle of standard error, how much of it is left out."""
    return complaint(f"{command_name}: standard error truncated: {omitted_bytes} bytes are left out here")


def has_failed(answer: Answer) -> bool:
    """Whether a command did not end well, or a check has not passed."""
    if answer.check is not None:
        return not answer.check.state.is_passed
    return answer.state is not RunState.OK


def answer_json(answer: Answer) -> bytes:
    """Render an answer with its output, and the data that were added to it (`Assessor.complete`)."""
    return b"".join(answer_json_pieces(answer))


def answer_json_pieces(answer: Answer) -> Iterator[bytes]:
    """Render the same in pieces, at least one, so that a slow client costs no more memory than one of them.

    A piece is made of `PIECE_BYTES` of output or a little more, and is up to six times as long if all is to be escaped.
    """
    held = bytearray()
    for part in _answer_parts(answer):
        held += part
        if len(held) >= PIECE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def outcome_json(answer: Answer) -> bytes:
    """Render an answer without its output, which was sent before."""
    return _with_data(json_line(_before_output(answer) | _after_output(answer)), answer)


def _answer_parts(answer: Answer) -> Iterator[bytes]:
    yield json_line(_before_output(answer)).removesuffix(b"}\n") + b', "stdout": "'
    yield from _json_string(answer.finished.stdout)
    yield b'", "stderr": "'
    yield from _json_string(answer.finished.stderr)
    yield b'", ' + _with_data(json_line(_after_output(answer)).removeprefix(b"{"), answer)


def _json_string(output: bytes) -> Iterator[bytes]:
    """Render what is between the quotes."""
    decoder = _Decoder("replace")
    for start in range(0, len(output), PIECE_BYTES):
        text = decoder.decode(output[start : start + PIECE_BYTES], start + PIECE_BYTES >= len(output))
        yield json.dumps(text).encode("ascii")[1:-1]


def _with_data(record: bytes, answer: Answer) -> bytes:
    """Append what a parser made of the output to a record, and why that is nothing if it is."""
    if answer.parser is None:
        return record
    parsed = answer.parsed or Parsed()
    why = b"" if parsed.problem is None else b', "data_error": ' + json.dumps(parsed.problem).encode("ascii")
    return b'%s, "data": %s%s}\n' % (record.removesuffix(b"}\n"), parsed.json, why)


def _before_output(answer: Answer) -> dict[str, object]:
    return {
        "id": answer.id,
        "command": answer.command,
        "arguments": answer.arguments,
        "outcome": answer.code,
        "ended_by": answer.finished.ended_by,
        "exit_status": answer.finished.exit_status,
        "signal": answer.finished.signal,
    }


def _after_output(answer: Answer) -> dict[str, object]:
    finished = answer.finished
    record: dict[str, object] = {
        "truncated": finished.truncated,
        "duration_seconds": round(finished.duration_seconds, 6),
        "shared": answer.shared,
    }
    if answer.check is not None:
        record["check"] = check_fields(answer.check)
    if answer.joined:
        record["joined"] = True
    if answer.omitted_bytes:
        record["omitted_bytes"] = answer.omitted_bytes
    if answer.state in {RunState.TIMEOUT, RunState.FAULT, RunState.LOST}:
        record["error"] = {"code": answer.code, "message": answer.problem}
    return record


def error_text(error: RequestError) -> bytes:
    """Render an error for people."""
    return complaint(f"{error.code}: {error}")


def error_json(error: RequestError) -> bytes:
    """Render an error for programs, with fields for what they may act on."""
    record: dict[str, object] = {"code": error.code, "message": str(error)}
    if isinstance(error, TryAgain):
        record["retry_after_seconds"] = error.retry_after_seconds
    if isinstance(error, UnknownCommand):
        record["suggestions"] = error.suggestions
    if isinstance(error, BadArgument) and error.mistakes:
        mistakes = [_mistake(each) for each in error.mistakes]
        return json_line({"error": record | mistakes[0] | {"message": str(error)}, "errors": mistakes})
    return json_line({"error": record})


def _mistake(mistake: ValueMistake) -> dict[str, object]:
    message = str(ValueMistake(mistake.parameter, mistake.message))
    return {"parameter": mistake.parameter, "message": message, "suggestions": mistake.suggestions}


def explanation_text(grant: Grant, rule: Rule) -> bytes:
    """Render what would run, a field on each line."""
    rows = [
        ("command", grant.command.name),
        *((name, _explained(value)) for name, value in _explanation(grant, rule).items()),
        *(("warning", each) for each in grant.command.warnings),
    ]
    return table(rows, max(len(name) for name, _ in rows)).encode()


def explanation_json(grant: Grant, rule: Rule) -> bytes:
    """Render the same for programs."""
    record = {"command": grant.command.name, **_explanation(grant, rule)}
    return json_line(record | {"warnings": list(grant.command.warnings)})


def whoami_text(caller: Caller, roles: Iterable[str]) -> bytes:
    """Render who a caller is."""
    rows = [
        ("name", caller.name or "(anonymous)"),
        ("roles", " ".join(roles) or "(none)"),
        ("protocol", caller.protocol),
        ("address", caller.source),
    ]
    return table(rows, len("protocol")).encode()


def whoami_json(caller: Caller, roles: Iterable[str]) -> bytes:
    """Render the same for programs; the anonymous have no name."""
    return json_line({"name": caller.name, "roles": list(roles), "protocol": caller.protocol, "address": caller.source})


def who_text(connected: Mapping[str, int]) -> bytes:
    """Render how many are connected."""
    rows = [(protocol, str(count)) for protocol, count in sorted(connected.items())]
    return table(rows, max((len(protocol) for protocol, _ in rows), default=0)).encode()


def who_json(connected: Mapping[str, int]) -> bytes:
    """Render the same for programs."""
    return json_line({"connected": dict(sorted(connected.items()))})


def _explanation(grant: Grant, rule: Rule) -> dict[str, object]:
    command = grant.command
    return {
        "run": _what_runs(grant),
        "executable": command.executable,
        "arguments": list(grant.arguments),
        "user": command.user,
        "group": command.group,
        "working_directory": command.working_directory,
        # Names only: what the administrator puts there may be secret.
        "environment": [name for name, _ in command.environment],
        "timeout_seconds": command.timeout_seconds,
        "output_limit_bytes": command.output_limit_bytes,
        "max_running": command.max_running,
        "when_running": command.when_running,
        "on_disconnect": command.on_disconnect,
        "ok_statuses": sorted(command.ok_statuses),
        "history": command.history,
        **({"schedule": list(command.schedule)} if command.schedule else {}),
        "read_only": command.read_only,
        "share": command.share,
        "raw": command.raw,
        **({"check": str(command.check)} if command.check is not None else {}),
        **({"metrics": True} if command.metrics else {}),
        **({"rate_limit": f"{rate.count} in {span(rate.seconds)}"} if (rate := command.rate_limit) else {}),
        "role": rule.role,
        **({"second_factor": True} if rule.second_factor else {}),
        "rule": rule.pattern,
    }


def _what_runs(grant: Grant) -> list[str]:
    """Return the argument list with its values, which no secret is among."""
    command = grant.command
    if command.template is None:
        return list(command.run)
    return list(command.template.fill(command.run[0], command.parameters, grant.values).argv)


def _explained(value: object) -> str:
    match value:
        case None:
            return "no limit"
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(map(str, value)) or "none"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def complaint(text: str) -> bytes:
    """Return a line of ours, as Unix programs name themselves in a complaint."""
    return f"cmdserver: {printable_line(text)}\n".encode(errors="replace")


def table(rows: Iterable[tuple[str, str]], width: int, indent: str = "") -> str:
    """Render rows of a name and a text, each on one line, whatever the text is."""
    return "".join(f"{indent}{name:<{width}}  {printable_line(value)}".rstrip() + "\n" for name, value in rows)


def json_line(record: Mapping[str, object]) -> bytes:
    """Render an object on one line of ASCII."""
    return json.dumps(record).encode("ascii") + b"\n"
