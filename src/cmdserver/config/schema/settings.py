"""The whole file."""

from typing import Annotated

from msgspec import Meta, Struct, field

from cmdserver.config.schema.callers import HookSettings, RoleSettings
from cmdserver.config.schema.commands import CommandDefaults, CommandSettings
from cmdserver.config.schema.host import TLS, Audit, Fleet, HistorySettings, Limits, Listen, Runner, SiteSettings, Web
from cmdserver.config.schema.values import NonEmpty

#: Of files that are included.
Patterns = Annotated[list[NonEmpty], Meta(max_length=100)]


class Settings(Struct, frozen=True, kw_only=True):
    """The whole file; a table that could not be read is None, until its mistake is told and the rest forgotten."""

    state_dir: NonEmpty | None = None
    #: Patterns of more files, relative to this one.
    include: Patterns = field(default_factory=list)
    site: SiteSettings = field(default_factory=SiteSettings)
    listen: list[Listen | None] = field(default_factory=list)
    defaults: CommandDefaults = field(default_factory=CommandDefaults)
    commands: dict[str, CommandSettings | None] = field(default_factory=dict)
    roles: dict[str, RoleSettings | None] = field(default_factory=dict)
    hooks: dict[str, HookSettings | None] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    tls: TLS = field(default_factory=TLS)
    web: Web = field(default_factory=Web)
    audit: Audit = field(default_factory=Audit)
    history: HistorySettings = field(default_factory=HistorySettings)
    fleet: Fleet = field(default_factory=Fleet)
    runner: Runner = field(default_factory=Runner)
