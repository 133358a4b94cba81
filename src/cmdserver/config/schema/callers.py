"""The tables of those who ask: roles, and the hooks of programs elsewhere."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from cmdserver.config.schema.values import Allowed, NonEmpty

#: Of all hooks: the runner process hands them over by a descriptor each, in one message with all names.
MOST_SECRET_FILES = 60
SecretFile = Annotated[str, Meta(min_length=1, max_length=250)]


class RoleSettings(Struct, frozen=True, kw_only=True):
    """``[roles.NAME]``: what some callers may run."""

    commands: list[NonEmpty] = field(default_factory=list)
    users: list[NonEmpty] = field(default_factory=list)
    #: Globs of values, by command and parameter.
    only: dict[str, dict[str, Annotated[list[NonEmpty], Meta(min_length=1)]]] = field(default_factory=dict)
    #: Names of commands, or globs: whose runs by others may be seen, and stopped.
    sees: list[NonEmpty] = field(default_factory=list)
    stops: list[NonEmpty] = field(default_factory=list)
    #: Rules of lint that have nothing to say of it.
    allow: Allowed = field(default_factory=list)
    #: Whether it counts only for callers who have shown a second factor.
    second_factor: bool = False


class HookSettings(Struct, frozen=True, kw_only=True):
    """``[hooks.NAME]``: a program elsewhere that starts a command, by ``POST /-/hooks/NAME``."""

    command: NonEmpty
    #: Absolute paths.
    secret_file: SecretFile | Annotated[list[SecretFile], Meta(min_length=1, max_length=10)]
    #: ``github``, ``gitlab`` or ``hmac-sha256:HEADER``.
    signature: NonEmpty
    #: Values, or arrays of them, by paths such as ``body.ref``; for `validation.hooks` to make conditions of.
    only_if: dict[str, Any] = field(default_factory=dict)
    #: Paths by the names of parameters.
    arguments: dict[str, NonEmpty] = field(default_factory=dict)
    #: GitHub sends up to 25 MB, and mostly some 10 kB.
    body_bytes: Annotated[int, Meta(ge=1, le=1 << 25)] = 1 << 20
