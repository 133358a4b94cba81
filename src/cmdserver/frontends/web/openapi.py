"""The OpenAPI 3.1 description of the commands that a caller may run, and of their runs."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cmdserver.core import errors
from cmdserver.core.model import Command
from cmdserver.frontends.web.http.form_data import FORM, JSON
from cmdserver.frontends.web.http.problems import STATUS
from cmdserver.frontends.web.runs import description
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.json_schema import schema_of

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_PAGE: Final = {"text/html": {"schema": {"type": "string"}}}
_ANSWER: Final = {"$ref": "#/components/schemas/Answer"}
_ERROR: Final = {"$ref": "#/components/schemas/Error"}


def _object(optional: Mapping[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    """Return the schema of an object, given those of its members."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}

_LISTED: Final = {"title": _STRING, "section": _STRING, "parameters": _array({"type": "object"})}
_LIST: Final = _object(commands=_array(_object(_LISTED, name=_STRING, help=_STRING, read_only=_BOOLEAN)))

_SUGGESTIONS: Final = _array(_STRING)
#: What is no single parameter's mistake has none.
_PARAMETER: Final = {"type": ["string", "null"]}

_SCHEMAS: Final = {
    "Answer": _object(
        id=_STRING,
        command=_STRING,
        arguments=_array(_STRING),
        exit_status={"type": ["integer", "null"]},
        signal={"type": ["string", "null"]},
        stdout=_STRING,
        stderr=_STRING,
        truncated=_BOOLEAN,
        duration_seconds={"type": "number", "minimum": 0},
        shared=_BOOLEAN,
        optional={"data": {"description": "The output, parsed, if the command has a parser"}},
    ),
    "Error": _object(
        error=_object(
            code={"type": "string", "enum": [str(code) for code in errors.Code if code != errors.Code.OK]},
            message=_STRING,
            optional={
                "retry_after_seconds": {"type": "integer", "minimum": 1},
                "parameter": _PARAMETER,
                "suggestions": _SUGGESTIONS,
            },
        ),
        optional={"errors": _array(_object(parameter=_PARAMETER, message=_STRING, suggestions=_SUGGESTIONS))},
    ),
}


def describe(commands: Iterable[Command], root: str) -> Mapping[str, Any]:
    """Describe the addresses of commands, of their list, and of runs.

    Args:
        commands: What is described.
        root: The address that they are below, without a slash at the end; may be relative to the description's.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": "cmdserver", "version": "1", "description": "Commands of this host that you may run"},
        "servers": [{"url": root}],
        "paths": {
            "/": {
                "get": _operation(
                    "index", "What you may run", {"application/json": {"schema": _LIST}, **_TEXT, **_PAGE}
                )
            },
            **{f"/{command.name}": _path(command) for command in commands},
            **description.paths(_operation),
        },
        "components": {
            "schemas": {**_SCHEMAS, "Run": description.RUN_SCHEMA},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"basic": []}, {"bearer": []}],
    }


def _path(command: Command) -> dict[str, Any]:
    operations = {"post": _run(command, f"run_{command.name}")}
    if command.parameters:
        operations["post"]["requestBody"] = _body(command)
    if command.read_only and not any(each.is_secret and each.is_required for each in command.parameters):
        operations["get"] = _run(command, command.name)
        in_query = [_in_query(each) for each in command.parameters if not each.is_secret]
        operations["get"]["parameters"] += in_query
    return operations


def _in_query(parameter: Parameter) -> dict[str, Any]:
    """Describe a field of a query; there is none of a secret, which browsers and logs would keep."""
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "schema": schema_of(parameter),
    }


def _body(command: Command) -> dict[str, Any]:
    """Describe a body, which is a form or JSON."""
    required = [each.name for each in command.parameters if each.is_required]
    schema = {
        "type": "object",
        "properties": {each.name: schema_of(each) for each in command.parameters},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
    return {"required": bool(required), "content": {media.decode(): {"schema": schema} for media in (JSON, FORM)}}


def _run(command: Command, name: str) -> dict[str, Any]:
    content = {
        "application/json": {"schema": _ANSWER},
        **_TEXT,
        **_PAGE,
        "text/event-stream": {"schema": {"type": "string"}},
    }
    operation = _operation(name, command.help, content)
    operation["parameters"] = [description.PREFER]
    operation["responses"]["202"] = description.STARTED
    operation["responses"]["502"] = {"description": "It failed (never in JSON)", "content": _TEXT}
    operation["responses"]["504"] = {
        "description": "It was ended for taking too long",
        "content": {"application/json": {"schema": _ANSWER}, **_TEXT},
    }
    return operation


def _operation(name: str, summary: str, content: Mapping[str, Any]) -> dict[str, Any]:
    refused = {
        "content": {"application/json": {"schema": _ERROR}, **_TEXT, "text/html": {"schema": {"type": "string"}}}
    }
    statuses = sorted({*map(int, STATUS.values()), 401, 405, 413, 421} - {200, 504})
    responses: dict[str, Any] = {str(status): {"description": "Refused, or failed", **refused} for status in statuses}
    responses["200"] = {"description": "The answer", "content": content}
    return {"operationId": name, "summary": summary, "responses": responses}
