"""The OpenAPI 3.1 description of the commands that a caller may run, and of their runs."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cmdserver.checks.states import CheckState
from cmdserver.core import errors
from cmdserver.core.model import Command
from cmdserver.frontends.web.http.form_data import FORM, JSON
from cmdserver.frontends.web.http.problems import STATUS
from cmdserver.frontends.web.request_values import FOLLOW
from cmdserver.frontends.web.runs import description
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.json_schema import schema_of

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_PAGE: Final = {"text/html": {"schema": {"type": "string"}}}
#: The tag of commands without a section.
_NO_SECTION: Final = "Commands"


def _ref(kind: str, name: str) -> dict[str, Any]:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _object(optional: Mapping[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    """Return the schema of an object, given those of its members."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}

_OPTIONAL_STRING: Final = {"type": ["string", "null"]}
_LISTED: Final = _object(
    name=_STRING,
    address=_STRING,
    title=_STRING,
    section=_OPTIONAL_STRING,
    help=_STRING,
    read_only=_BOOLEAN,
    parser=_OPTIONAL_STRING,
    check=_BOOLEAN,
    parameters=_array(_object(name=_STRING, type=_STRING, required=_BOOLEAN, schema={"type": "object"})),
)
_LIST: Final = _object(commands=_array(_LISTED))

_OPTIONAL_NUMBER: Final = {"type": ["number", "null"]}
_CHECK: Final = _object(
    state={"type": "string", "enum": [state.name for state in CheckState]},
    text=_STRING,
    long_text=_STRING,
    performance=_array(
        _object(
            label=_STRING,
            value=_OPTIONAL_NUMBER,
            unit=_STRING,
            warning=_OPTIONAL_STRING,
            critical=_OPTIONAL_STRING,
            minimum=_OPTIONAL_NUMBER,
            maximum=_OPTIONAL_NUMBER,
        )
    ),
    optional={"performance_omitted": {"type": "integer", "minimum": 1}},
)

_SUGGESTIONS: Final = _array(_STRING)
_SCHEMAS: Final = {
    "Answer": _object(
        id=_STRING,
        command=_STRING,
        arguments=_array(_STRING),
        exit_status={"type": ["integer", "null"]},
        signal=_OPTIONAL_STRING,
        stdout=_STRING,
        stderr=_STRING,
        truncated=_BOOLEAN,
        duration_seconds={"type": "number", "minimum": 0},
        shared=_BOOLEAN,
        optional={
            "data": {"description": "The output, parsed, if the command has a parser"},
            "data_error": {"type": "string", "description": "Why data is null"},
            "check": _CHECK,
        },
    ),
    "Error": _object(
        error=_object(
            code={"type": "string", "enum": [str(code) for code in errors.Code if code != errors.Code.OK]},
            message=_STRING,
            optional={
                "retry_after_seconds": {"type": "integer", "minimum": 1},
                "parameter": _OPTIONAL_STRING,
                "suggestions": _SUGGESTIONS,
            },
        ),
        optional={"errors": _array(_object(parameter=_OPTIONAL_STRING, message=_STRING, suggestions=_SUGGESTIONS))},
    ),
}

_ANSWER: Final = _ref("schemas", "Answer")
_OTHER: Final = {"anyOf": [_ref("schemas", "Error"), _ANSWER, _ref("schemas", "Run")]}
#: Which code each status stands for.
_CODES: Final = ", ".join(f"{status} {code}" for code, status in STATUS.items() if code is not errors.Code.OK)
_HEADERS: Final = {
    name: {"schema": _STRING} for name in ("Cmdserver-Request-Id", "Cmdserver-Exit-Status", "Cmdserver-Check")
}
_RESPONSES: Final = {
    "Ran": {
        "description": "How it ended; of text and pages: that it was a success",
        "headers": _HEADERS,
        "content": {
            "application/json": {"schema": _ANSWER},
            **_TEXT,
            **_PAGE,
            "text/event-stream": {"schema": _STRING},
        },
    },
    "NotPassed": {
        "description": "A check that is CRITICAL or UNKNOWN, in text and pages; or busy",
        "headers": _HEADERS,
        "content": {"application/json": {"schema": _ref("schemas", "Error")}, **_TEXT, **_PAGE},
    },
    "Started": description.STARTED,
    "Other": {
        "description": f"Refused or failed: {_CODES}, and others of HTTP's. In JSON, a command that failed is 200, and"
        " one that was ended for taking too long has the form of an answer",
        "content": {"application/json": {"schema": _OTHER}, **_TEXT, **_PAGE},
    },
}
_FOLLOW: Final = {
    "name": FOLLOW,
    "in": "query",
    "required": False,
    "description": "Send text while it is made, and in its last line how the command ended",
    "schema": _BOOLEAN,
}


def describe(commands: Iterable[Command], root: str, address: str | None = None) -> Mapping[str, Any]:
    """Describe the addresses of commands, of their list, and of runs.

    What is the same for all commands is said once, in the components.

    Args:
        commands: What is described.
        root: The address that they are below, without a slash at the end; may be relative to the description's.
        address: The same as an absolute address, as far as we know it: a proxy may have another one.
    """
    commands = tuple(commands)
    paths = {command.name: _path(command) for command in commands}
    listed = {"description": "The answer", "content": {"application/json": {"schema": _LIST}, **_TEXT, **_PAGE}}
    sections = dict.fromkeys(each.section or _NO_SECTION for each in commands)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cmdserver", "version": "1", "description": "Commands of this host that you may run"},
        "servers": [{"url": root}, *([{"url": address}] if address is not None else [])],
        "tags": [{"name": each} for each in (*sections, *({description.TAG} - set(sections)))],
        "paths": {
            "/": {"get": _operation("index", "What you may run", listed)},
            **{f"/{name}": path for name, path in paths.items()},
            **description.paths(_operation),
        },
        "components": {
            "schemas": {
                **_SCHEMAS,
                "Run": description.RUN_SCHEMA,
                **{each.name: _values(each) for each in commands if "requestBody" in paths[each.name]["post"]},
            },
            "responses": _RESPONSES,
            "parameters": {"Prefer": description.PREFER, "Follow": _FOLLOW},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"basic": []}, {"bearer": []}],
    }


def _path(command: Command) -> dict[str, Any]:
    """Describe a command: with GET, if it only reads and needs no secret, and with POST, always.

    Both take the values in the query. Of a command with secrets, and where there is no GET, POST has them in its body.
    """
    secrets = [each for each in command.parameters if each.is_secret]
    fields = [_in_query(each) for each in command.parameters if not each.is_secret]
    has_get = command.read_only and not any(each.is_required for each in secrets)
    path: dict[str, Any] = {"parameters": [_ref("parameters", "Prefer"), _ref("parameters", "Follow")]}
    post = _run(command, f"run_{command.name}")
    if has_get:
        path["get"] = _run(command, command.name)
        # The same again: said in full, it would be half of all.
        post = {key: post[key] for key in ("operationId", "tags")}
        post["responses"] = {
            "200": _ref("responses", "Ran"),
            **_unpassed(command),
            "default": _ref("responses", "Other"),
        }
    if has_get and not secrets:
        path["parameters"] += fields
    elif command.parameters:
        post["requestBody"] = _body(command)
        if has_get:
            path["get"]["parameters"] = fields
    return {**path, "post": post}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    """Describe a field of a query; there is none of a secret, which browsers and logs would keep."""
    is_required = {"required": True} if parameter.is_required else {}
    return {"name": parameter.name, "in": "query", **is_required, "schema": schema_of(parameter)}


def _body(command: Command) -> dict[str, Any]:
    """Describe a body, which is a form or JSON."""
    is_required = any(each.is_required for each in command.parameters)
    schema = {"schema": _ref("schemas", command.name)}
    return {"required": is_required, "content": {media.decode(): schema for media in (JSON, FORM)}}


def _values(command: Command) -> dict[str, Any]:
    """Describe the values in a body, all together."""
    required = [each.name for each in command.parameters if each.is_required]
    return {
        "type": "object",
        "properties": {each.name: schema_of(each) for each in command.parameters},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _run(command: Command, name: str) -> dict[str, Any]:
    operation = _operation(name, command.help or command.title, _ref("responses", "Ran"))
    operation["tags"] = [command.section or _NO_SECTION]
    operation["responses"] |= {"202": _ref("responses", "Started"), **_unpassed(command)}
    return operation


def _unpassed(command: Command) -> dict[str, Any]:
    """Describe the answer of a check that has not passed."""
    return {"503": _ref("responses", "NotPassed")} if command.check is not None else {}


def _operation(name: str, summary: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    responses = {"200": answer, "default": _ref("responses", "Other")}
    return {"operationId": name, **({"summary": summary} if summary else {}), "responses": responses}
