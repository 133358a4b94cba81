"""Tables of the file that there is one of, and what people read: which is no power, and told of a reload alone."""

from typing import Final

from msgspec import Struct

from cmdserver.config.configuration import Configuration
from cmdserver.diff.change import Change, Detail, Effect, as_toml, grouped, shown
from cmdserver.diff.commands import TEXTS
from cmdserver.diff.doors import differing

#: What is told elsewhere, is for people, or only says where the rest stands.
_OTHERS: Final = frozenset({"listen", "commands", "roles", "hooks", "defaults", "site", "include"})
#: Keys by which somebody is let in: with more of them, more are.
_LETTING_IN: Final = frozenset(
    {
        ("tls", "client_ca"),
        ("web", "hosts"),
        ("web", "trusted_proxies"),
        ("web", "user_header"),
        ("limits", "penalty_exempt"),
        ("fleet", "server"),
    }
)
_LISTENER_TEXTS: Final = ("greeting", "allow")


def compare_tables(before: Configuration, after: Configuration) -> list[Change]:
    """Compare everything that is no listener, command, role or hook."""
    old, new = before.settings, after.settings
    found: dict[str, list[Detail]] = {}
    for name in new.__struct_fields__:
        was, becomes = getattr(old, name), getattr(new, name)
        if name in _OTHERS or was == becomes:
            continue
        if isinstance(was, Struct) and isinstance(becomes, Struct):
            found[name] = [_judged(name, each, was, becomes) for each in differing(was, becomes, frozenset())]
        else:
            found[name] = [Detail(Effect.DIFFERS, shown(f"{as_toml(becomes)}, before {as_toml(was)}"))]
    return grouped("settings", found)


def _judged(table: str, detail: Detail, old: Struct, new: Struct) -> Detail:
    key = detail.text.partition(":")[0]
    if (table, key) not in _LETTING_IN:
        return detail
    was, becomes = (
        frozenset(value if isinstance(value, list) else [value]) - {None}
        for value in (getattr(old, key), getattr(new, key))
    )
    effect = Effect.WIDENS if was < becomes else Effect.NARROWS if becomes < was else Effect.DIFFERS
    return Detail(effect, detail.text)


def compare_texts(before: Configuration, after: Configuration) -> list[str]:
    """Say what differs of what people read: which keys, and no values."""
    old, new = before.settings, after.settings
    said = [f"site.{key} changed" for key in _keys(old.site, new.site)]
    earlier = {each.endpoint.text: old.listen[each.table] for each in before.listening}
    for each in after.listening:
        was, listen = earlier.get(each.endpoint.text), new.listen[each.table]
        if was is not None and listen is not None:
            keys = [key for key in _keys(was, listen) if key in _LISTENER_TEXTS]
            said += [f"listener {each.endpoint}: {', '.join(keys)} changed"] if keys else []
    for name, command in new.commands.items():
        known = old.commands.get(name)
        if command is not None and known is not None:
            keys = [key for key in _keys(known, command) if key in TEXTS]
            said += [f"command {name}: {', '.join(keys)} changed"] if keys else []
    return said


def compare_roles(before: Configuration, after: Configuration) -> list[str]:
    """Say which roles are written differently, for when that changes nobody's power."""
    old, new = before.settings.roles, after.settings.roles
    said = []
    for name in dict.fromkeys([*new, *old]):
        was, role = old.get(name), new.get(name)
        if was is None or role is None:
            said.append(f"role {name} {'added' if was is None else 'removed'}")
        elif keys := _keys(was, role):
            said.append(f"role {name}: {', '.join(keys)} changed")
    return said


def _keys(old: Struct, new: Struct) -> list[str]:
    names = zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True)
    return [key for name, key in names if getattr(old, name) != getattr(new, name)]
