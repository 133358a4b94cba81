"""What a reload changes, a line a thing, for whoever reads the log.

Rule: values are left out, as an environment may hold secrets. A listener is called by its endpoint, which is no secret.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from cmdserver.config.schema.settings import Settings

#: What has a name, or is a listener; all else is a key of a table that there is once.
_SEVERAL = frozenset({"listen", "commands", "roles", "hooks"})


def changes(old: Settings, new: Settings) -> list[str]:
    """Say what differs; nothing if the two mean the same, however they are written."""
    return [
        *_of_each("listener", _listeners(old), _listeners(new), _differing),
        *_of_each("command", old.commands, new.commands, _but_for_defaults(old, new)),
        *_of_each("role", old.roles, new.roles, _differing),
        *_of_each("hook", old.hooks, new.hooks, _differing),
        *_of_the_rest(old, new),
    ]


_Compare = Callable[[Struct, Struct], Sequence[str]]


def _of_each(
    noun: str, old: Mapping[str, Struct | None], new: Mapping[str, Struct | None], compare: _Compare
) -> Iterator[str]:
    """Compare what has names, in the order of the file; what is gone comes last."""
    for name, after in new.items():
        before = old.get(name)
        if before is None or after is None:
            yield f"{noun} {name} added"
        elif keys := compare(before, after):
            yield f"{noun} {name}: {', '.join(keys)} changed"
    yield from (f"{noun} {name} removed" for name in old if name not in new)


def _listeners(settings: Settings) -> dict[str, Struct | None]:
    """Return all listeners, by their endpoints."""
    listeners: dict[str, Struct | None] = {}
    for each in filter(None, settings.listen):
        endpoints = [each.endpoint] if isinstance(each.endpoint, str) else each.endpoint
        listeners.update(dict.fromkeys(endpoints, each))
    return listeners


def _differing(before: Struct, after: Struct) -> Sequence[str]:
    """Name the keys that differ; not an endpoint, by which a listener is called."""
    names = zip(before.__struct_fields__, before.__struct_encode_fields__, strict=True)
    keys = [(name, key) for name, key in names if key != "endpoint"]
    return [key for name, key in keys if getattr(before, name) != getattr(after, name)]


def _but_for_defaults(old: Settings, new: Settings) -> _Compare:
    """Return what compares commands, but for what a default has changed, which is said once."""
    keys = _differing(old.defaults, new.defaults)

    def compare(before: Struct, after: Struct) -> Sequence[str]:
        def is_by_default(key: str) -> bool:
            was, becomes = getattr(old.defaults, key), getattr(new.defaults, key)
            return (getattr(before, key), getattr(after, key)) == (was, becomes)

        return [each for each in _differing(before, after) if each not in keys or not is_by_default(each)]

    return compare


def _of_the_rest(old: Settings, new: Settings) -> Iterator[str]:
    for name in new.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if name in _SEVERAL or before == after:
            continue
        if isinstance(before, Struct):
            yield from (f"{name}.{key} changed" for key in _differing(before, after))
        else:
            yield f"{name} changed"
