"""What belongs to no listener, command or role: files and directories, limits, the runner process."""

import re
from collections.abc import Callable, Collection

from msgspec import Struct

from cmdserver.config.daemon_user import shared_user_warning
from cmdserver.config.decoding import TomlReader
from cmdserver.config.host import Host
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.config.schema.host import TLS, Limits, SiteSettings
from cmdserver.config.schema.settings import Settings
from cmdserver.core.addresses import Network, parse_network
from cmdserver.core.site import NAMED_COLOURS, Site, parse_colour
from cmdserver.limits.max_startups import MaxStartups
from cmdserver.parameters.text_types import is_one_line

#: What no proxy and no client spells in two ways (RFC 3986, section 2.3).
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")

#: A key of the configuration, and what is to be said there.
Remark = tuple[tuple[str, ...], str]


class State(Struct, frozen=True, kw_only=True):
    """What is known of the state directory."""

    #: Everybody who can log in; None if that is not known.
    users: frozenset[str] | None = None
    remarks: tuple[Remark, ...] = ()


class OtherChecks:
    """Looks at the rest of the file.

    Args:
        reader: Takes the notes.
        host: Where users and directories are looked for.
    """

    def __init__(self, reader: TomlReader, host: Host) -> None:
        self._reader = reader
        self._host = host

    def rest(self, settings: Settings) -> None:
        """What every file has."""
        note = self._reader.note
        if settings.state_dir is not None and not settings.state_dir.startswith("/"):
            note(("state_dir",), f"{settings.state_dir} is not an absolute path")
        named = {
            ("state_dir",): settings.state_dir or "",
            ("audit", "file"): settings.audit.file,
            ("history", "file"): settings.history.file,
        }
        for path, value in named.items():
            if "\0" in value:
                note(path, "has a NUL character in it")
        self._runner(settings)
        self._base_path(settings.web.base_path, {*settings.commands, "metrics", "-"})

    def site(self, settings: SiteSettings) -> Site:
        """Read ``[site]``; without a name the host has its own."""
        for key, most in (("name", 64), ("label", 32), ("notice", 300)):
            text: str = getattr(settings, key) or ""
            if not is_one_line(text):
                self._reader.note(("site", key), "must be one line, without control characters")
            elif len(text) > most:
                self._reader.note(("site", key), f"has {len(text)} characters; at most {most} fit where it is shown")
        if settings.name is not None and not settings.name.strip():
            self._reader.note(("site", "name"), "has nothing in it that can be seen")
        colour = self._reader.attempt(("site", "colour"), parse_colour, settings.colour or "grey")
        if settings.colour is not None and not settings.label:
            self._reader.warn(("site", "colour"), "is without effect: there is no label to be coloured")
        return Site(
            name=settings.name or self._host.name(),
            label=settings.label,
            colour=colour or NAMED_COLOURS["grey"],
            notice=settings.notice,
        )

    def limits(self, limits: Limits) -> tuple[MaxStartups, tuple[Network, ...]]:
        """Read ``unauthenticated``, which has its default if it has a mistake, and ``penalty_exempt``."""
        attempt = self._reader.attempt
        startups = attempt(("limits", "unauthenticated"), MaxStartups.parse, limits.unauthenticated)
        networks = [attempt(("limits", "penalty_exempt"), parse_network, each) for each in limits.penalty_exempt]
        return startups or MaxStartups.parse(Limits().unauthenticated), tuple(filter(None, networks))

    def _base_path(self, base_path: str, taken: Collection[str]) -> None:
        """Where the web is served must be a path, and hide none of its own addresses."""
        path = ("web", "base_path")
        if not base_path:
            return
        if not _BASE_PATH.fullmatch(base_path):
            text = "is no path: write it as in /ops or /tools/ops, with letters, digits and . _ ~ - only"
            self._reader.note(path, f"{base_path!r} {text}, and no slash at the end")
        elif base_path.split("/")[1] in taken:
            self._reader.note(path, f"{base_path} is an address of this server already")

    def _runner(self, settings: Settings) -> None:
        """Who starts programs, and what only the runner process can do to them."""
        user = settings.runner.daemon_user
        if user is not None and not user.isdigit():
            self._reader.attempt(("runner", "daemon_user"), self._host.group_of, user)
        if warning := shared_user_warning(user):
            self._reader.warn(("runner", "daemon_user"), warning)
        if settings.runner.process:
            return
        for name, command in settings.commands.items():
            for key in ("umask", "nice", "limits"):
                if command is not None and getattr(command, key) != getattr(CommandSettings(run=[""]), key):
                    text = "is for the runner process, and [runner] says process = false"
                    self._reader.note(("commands", name, key), text)
            if command is not None and command.working_directory != "/" and "=" in str(command.run[0]):
                # env(1), which goes there, would take it for a variable.
                text = f"takes the runner process for {command.run[0]}"
                self._reader.note(("commands", name, "working_directory"), text, besides=["run"])

    def tls(self, settings: Settings, check: Callable[[TLS], object]) -> None:
        """Certificates and keys, if a listener needs them: whether they are named well, then whether they are good."""
        if not any(each.tls for each in settings.listen if each):
            return
        tls, mistakes = settings.tls, len(self._reader.mistakes)
        if (tls.certificate is None) != (tls.key is None):
            missing = "key" if tls.key is None else "certificate"
            self._reader.note(("tls",), f"{missing} is missing: certificate and key go together")
        for name in ("certificate", "key", "client_ca"):
            path: str | None = getattr(tls, name)
            if path is not None and (not path.startswith("/") or "\0" in path):
                self._reader.note(("tls", name), f"{path!r} is not an absolute path")
        if len(self._reader.mistakes) == mistakes:
            self._reader.attempt(("tls",), check, tls)

    def known(self, state: State) -> None:
        """Say what is known of the state directory."""
        for path, remark in state.remarks:
            self._reader.warn(path, remark)
