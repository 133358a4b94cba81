"""By which ways requests come in: listeners and hooks, and who may use them."""

from collections.abc import Iterator
from typing import Final

import msgspec

from cmdserver.config.configuration import Configuration
from cmdserver.config.schema.callers import HookSettings
from cmdserver.config.schema.host import Listen
from cmdserver.core.listening import Listening, Login
from cmdserver.diff.change import Change, Detail, Effect, as_toml, grouped, listed, shown
from cmdserver.diff.parameters import compare_networks
from cmdserver.lint.secret_words import MASK, is_secret_name

#: What is told in words of its own, or is for people alone.
_TOLD: Final = frozenset(
    {"protocol", "endpoint", "tls", "login", "allow_plaintext_passwords", "greeting", "sources", "allow"}
)
#: How many may do something at a listener without proving who they are.
_OPENNESS: Final = {Login.REQUIRED: 0, Login.OPTIONAL: 1, Login.NEVER: 1}


def compare_listeners(before: Configuration, after: Configuration) -> list[Change]:
    """Compare listeners, which go by their endpoints."""
    old, new = ({each.endpoint.text: each for each in configuration.listening} for configuration in (before, after))
    found: dict[str, list[Detail]] = {}
    for endpoint, listening in new.items():
        settings = after.settings.listen[listening.table]
        was = old.get(endpoint)
        if was is None:
            found[endpoint] = [Detail(Effect.WIDENS, f"is new: {_described(listening)}")]
        else:
            found[endpoint] = [
                *_of_one(was, listening),
                *_of_keys(before.settings.listen[was.table], settings),
            ]
    found |= {each: [Detail(Effect.NARROWS, "is gone")] for each in old if each not in new}
    return grouped("listener", found)


def _described(listening: Listening) -> str:
    tls = "TLS" if listening.tls else "its own encryption" if listening.protocol.secures_itself else "no TLS"
    where = "this host alone" if listening.endpoint.is_local else "other hosts, too"
    sources = f", from {listed(map(str, listening.networks))}" if listening.networks else ""
    return f"{listening.protocol}, login {listening.login}, {tls}, for {where}{sources}"


def _of_one(old: Listening, new: Listening) -> Iterator[Detail]:
    if old.protocol is not new.protocol:
        yield Detail(Effect.DIFFERS, f"speaks {new.protocol}, before {old.protocol}")
    if old.login is not new.login:
        difference = _OPENNESS[new.login] - _OPENNESS[old.login]
        effect = Effect.WIDENS if difference > 0 else Effect.NARROWS if difference < 0 else Effect.DIFFERS
        yield Detail(effect, f"login is {new.login}, before {old.login}")
    if old.tls != new.tls:
        yield Detail(*(Effect.NARROWS, "speaks TLS") if new.tls else (Effect.WIDENS, "speaks TLS no more"))
    effect_of_networks = compare_networks(old.networks, new.networks)
    if effect_of_networks is not None:
        before, after = (listed(map(str, each.networks)) or "everywhere" for each in (old, new))
        yield Detail(effect_of_networks, f"is there for callers from {after}, before {before}")


def _of_keys(old: Listen | None, new: Listen | None) -> Iterator[Detail]:
    if old is None or new is None:
        return
    if old.allow_plaintext_passwords != new.allow_plaintext_passwords:
        takes = new.allow_plaintext_passwords
        text = "takes passwords without TLS" if takes else "takes passwords without TLS no more"
        yield Detail(Effect.WIDENS if takes else Effect.NARROWS, text)
    yield from differing(old, new, _TOLD)


def compare_hooks(before: Configuration, after: Configuration) -> list[Change]:
    """Compare hooks; what a hook may run is told of its caller."""
    old, new = before.settings.hooks, after.settings.hooks
    found: dict[str, list[Detail]] = {}
    for name, hook in new.items():
        was = old.get(name)
        if hook is not None:
            found[name] = [Detail(Effect.WIDENS, _new_hook(hook))] if was is None else [*_of_hook(was, hook)]
    found |= {name: [Detail(Effect.NARROWS, "is gone")] for name in old if name not in new}
    return grouped("hook", found)


def _new_hook(hook: HookSettings) -> str:
    conditions = f", only if {_conditions(hook)}" if hook.only_if else ", whatever is in the request"
    return shown(f"is new: starts {hook.command}, signature {hook.signature}{conditions}")


def _conditions(hook: HookSettings) -> str:
    """Write conditions, but for what is asked of something whose name says that it is secret: ``header.X-Token``."""
    return as_toml({path: MASK if is_secret_name(path) else value for path, value in hook.only_if.items()})


def _of_hook(old: HookSettings, new: HookSettings) -> Iterator[Detail]:
    if old.only_if != new.only_if:
        kept = {each: old.only_if[each] for each in new.only_if if each in old.only_if}
        added, removed = len(new.only_if) > len(kept), len(old.only_if) > len(kept)
        changes = any(new.only_if[each] != kept[each] for each in kept)
        effect = Effect.DIFFERS if changes or added == removed else Effect.NARROWS if added else Effect.WIDENS
        yield Detail(effect, shown(f"only_if is {_conditions(new)}, before {_conditions(old)}"))
    yield from differing(old, new, frozenset({"only_if"}))


def differing(old: msgspec.Struct, new: msgspec.Struct, told: frozenset[str]) -> Iterator[Detail]:
    """Tell of all keys of a table that differ, but for some."""
    for name, key in zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True):
        was, becomes = getattr(old, name), getattr(new, name)
        if name not in told and was != becomes:
            yield Detail(Effect.DIFFERS, shown(f"{key}: {as_toml(becomes)}, before {as_toml(was)}"))
