"""What a command runs differently, or with other values; commands that change alike together."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from cmdserver.config.configuration import Configuration
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.core.model import Command
from cmdserver.diff.change import Change, Detail, Effect, as_toml, grouped, listed, shown
from cmdserver.diff.parameters import compare_parameters, described
from cmdserver.diff.powers import Powers
from cmdserver.lint.secret_words import masked

#: What people read, and what lint says: no matter of power.
TEXTS: Final = frozenset({"help", "title", "section", "allow"})
#: What is told in words of its own.
_TOLD: Final = TEXTS | {"parameters", "run", "user", "group", "environment", "stdin", "read_only", "schedule"}
_ROOT: Final = "root"


def compare_commands(before: Configuration, after: Configuration, powers: Powers) -> list[Change]:
    """Compare all commands.

    Args:
        before: What they were.
        after: What they are.
        powers: Who may run them now.
    """
    old, new = ({each.name: each for each in configuration.commands} for configuration in (before, after))
    found: dict[str, list[Detail]] = {}
    for name, command in new.items():
        settings = after.settings.commands[name]
        was = before.settings.commands.get(name)
        if settings is not None and (was is None or name not in old):
            found[name] = [Detail(Effect.WIDENS, _is_new(command, settings), (name,))]
        elif settings is not None and was is not None:
            found[name] = [*_of_one(was, settings), *compare_parameters(old[name], command)]
    found |= {name: [Detail(Effect.NARROWS, "is gone", (name,))] for name in old if name not in new}
    remarks = {name: _holders(powers, name) for name, details in found.items() if details and name in new}
    return grouped("command", found, remarks)


def _holders(powers: Powers, name: str) -> str:
    holders = powers.holders(name)
    return f"run by {listed(holders, 5)}" if holders else "run by nobody"


def _is_new(command: Command, settings: CommandSettings) -> str:
    """Say what a command is that was not there."""
    values = [described(each) for each in command.parameters]
    takes = f", takes {'; '.join(values[:10])}" if values else ""
    more = f"; and {len(values) - 10} more values" if len(values) > 10 else ""  # noqa: PLR2004 - enough to be looked at
    reads = ", read_only" if settings.read_only else ""
    when = f", by itself at {as_toml(settings.schedule)}" if settings.schedule else ""
    return f"is new: runs {argv(settings)}{_as_whom(settings)}{reads}{when}{takes}{more}"


def argv(settings: CommandSettings) -> str:
    """Write an argument list on one line, a list within it in brackets; what looks like a secret is masked."""
    flat = [word for each in settings.run for word in ([each] if isinstance(each, str) else each)]
    shown_words = iter(masked(flat))
    parts = [
        shlex.quote(next(shown_words)) if isinstance(each, str) else f"[{shlex.join(next(shown_words) for _ in each)}]"
        for each in settings.run
    ]
    return shown(" ".join(parts))


def _as_whom(settings: CommandSettings) -> str:
    user, group = settings.user, settings.group
    if not user and not group:
        return ""
    return shown(f" as {user or 'whoever starts the daemon'}{f':{group}' if group else ''}")


def _of_one(old: CommandSettings, new: CommandSettings) -> Iterator[Detail]:
    """Compare what a command is."""
    if old.run != new.run:
        words, before = argv(new), argv(old)
        text = f"runs {words}, before {before}" if words != before else f"runs {words}; what is masked is different"
        yield Detail(Effect.DIFFERS, text)
    if (old.user, old.group) != (new.user, new.group):
        effect = Effect.WIDENS if _is_root(new) and not _is_root(old) else Effect.DIFFERS
        effect = Effect.NARROWS if _is_root(old) and not _is_root(new) else effect
        nobody = " as whoever starts the daemon"
        yield Detail(effect, f"runs{_as_whom(new) or nobody}, before{_as_whom(old) or nobody}")
    if old.read_only != new.read_only:
        if new.read_only:
            yield Detail(Effect.WIDENS, "is read_only: it is run by GET and by check_nrpe as well, and shared")
        else:
            yield Detail(Effect.NARROWS, "is not read_only any more: no GET and no check_nrpe runs it, but for checks")
    yield from _schedule(old, new)
    yield from _environment(old.environment, new.environment)
    if old.stdin != new.stdin:
        yield Detail(Effect.DIFFERS, "reads something else (stdin)")
    for key in _differing(old, new):
        was, becomes = getattr(old, key), getattr(new, key)
        yield Detail(Effect.DIFFERS, shown(f"{key}: {as_toml(becomes)}, before {as_toml(was)}"))


def _is_root(settings: CommandSettings) -> bool:
    return _ROOT in {settings.user, settings.group}


def _schedule(old: CommandSettings, new: CommandSettings) -> Iterator[Detail]:
    if old.schedule == new.schedule:
        return
    if not new.schedule:
        yield Detail(Effect.NARROWS, "runs by itself no more")
    else:
        before = f", before {as_toml(old.schedule)}" if old.schedule else ""
        effect = Effect.DIFFERS if old.schedule else Effect.WIDENS
        yield Detail(effect, shown(f"runs by itself at {as_toml(new.schedule)}{before}"))


def _environment(old: dict[str, str], new: dict[str, str]) -> Iterator[Detail]:
    """Name variables that differ; values may be secrets."""
    parts = [
        f"{verb} {listed(names)}"
        for verb, names in (
            ("adds", [each for each in new if each not in old]),
            ("changes", [each for each in new if each in old and old[each] != new[each]]),
            ("takes away", [each for each in old if each not in new]),
        )
        if names
    ]
    if parts:
        yield Detail(Effect.DIFFERS, f"environment: {', '.join(parts)} (values are not shown)")


def _differing(old: CommandSettings, new: CommandSettings) -> Iterable[str]:
    return [key for key in new.__struct_fields__ if key not in _TOLD and getattr(old, key) != getattr(new, key)]
