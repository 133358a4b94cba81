"""The OpenAPI 3.1 description of the addresses of runs, for `openapi.describe`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import RunState
from cmdserver.runs.query import MOST, USUAL_LIMIT

#: Of all operations here.
TAG: Final = "Runs"

#: Makes an operation of its id, its summary, and its answer.
Operation = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]

_STRING: Final = {"type": "string"}
_TEXT: Final = {"text/plain": {"schema": _STRING}, "text/html": {"schema": _STRING}}
_EVENTS: Final = {"text/event-stream": {"schema": _STRING}}
_RUN: Final = {"$ref": "#/components/schemas/Run"}
_SEEN: Final = {
    "allOf": [_RUN, {"type": "object", "required": ["stdout", "stderr"], "properties": {"omitted_bytes": {}}}]
}

#: What is known of a run.
RUN_SCHEMA: Final = {
    "type": "object",
    "required": ["id", "command", "arguments", "state", "user", "protocol", "asked"],
    "properties": {
        "id": _STRING,
        "command": _STRING,
        "arguments": {"type": "array", "items": _STRING},
        "state": {"type": "string", "enum": [str(state) for state in RunState]},
        "user": {"type": ["string", "null"]},
        "protocol": _STRING,
        "asked": {"type": "string", "format": "date-time"},
        "started": {"type": ["string", "null"], "format": "date-time"},
        "duration_seconds": {"type": ["number", "null"], "minimum": 0},
        "exit_status": {"type": ["integer", "null"]},
        "stopped_by": {"type": ["string", "null"]},
        "check": {
            "type": "object",
            "required": ["state", "text"],
            "properties": {"state": {"type": "string", "enum": [state.name for state in CheckState]}, "text": _STRING},
        },
    },
}
#: By which a command is started for nobody who waits.
PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "Answer at once, with where the run can be looked at (RFC 7240)",
    "schema": {"type": "string", "enum": ["respond-async"]},
}
#: What is answered then.
STARTED: Final = {
    "description": "It was started, and goes on by itself",
    "headers": {"Location": {"schema": _STRING}, "Preference-Applied": {"schema": _STRING}},
    "content": {"application/json": {"schema": _RUN}, "text/plain": {"schema": _STRING}},
}

_FILTERS: Final = (
    ("command", _STRING),
    ("user", _STRING),
    ("state", {"type": "string", "enum": [str(state) for state in RunState]}),
    ("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL_LIMIT}),
    ("before", {"type": "string", "description": "The id of a run: what was asked for before it"}),
)


def paths(operation: Operation) -> dict[str, Any]:
    """Describe the list of runs, one run, and what ends it."""
    listed = {"type": "object", "required": ["runs"], "properties": {"runs": {"type": "array", "items": _RUN}}}
    runs = operation("runs", "Runs that you may see, newest first", _with(listed, _EVENTS))
    runs["parameters"] = [
        {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in _FILTERS
    ]
    run = operation("run", "What is known of a run, and its output", _with(_SEEN, _EVENTS))
    stop = operation("stop_run", "Ends a run, and waits until it has ended", _with(_RUN))
    for each in (runs, run, stop):
        each["tags"] = [TAG]
    stop["responses"]["303"] = {"description": "To its page, for browsers"}
    run_id = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
    in_path = {"parameters": [{"name": "id", "in": "path", "required": True, "schema": run_id}]}
    return {
        "/-/runs": {"get": runs},
        "/-/runs/{id}": {"get": run | in_path},
        "/-/runs/{id}/stop": {"post": stop | in_path},
    }


def _with(schema: Mapping[str, Any], *more: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}, **_TEXT}
    for each in more:
        content |= each
    return {"description": "The answer", "content": content}
