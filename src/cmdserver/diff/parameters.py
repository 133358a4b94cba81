"""Which values a command newly takes of those who may run it, and which no longer."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from cmdserver.core.addresses import Network
from cmdserver.core.model import Command
from cmdserver.diff.change import Detail, Effect, listed, shown
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.number_types import Duration, Integer, Number
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime

#: Types whose values are texts: more than any other's.
_TEXTS = (String, Text)


def compare_parameters(old: Command, new: Command) -> Iterator[Detail]:
    """Compare the parameters of a command."""
    before, after = ({each.name: each for each in command.parameters} for command in (old, new))
    for name, parameter in after.items():
        if name not in before:
            yield Detail(Effect.WIDENS, f"takes {described(parameter)}")
        else:
            yield from _of_one(before[name], parameter)
    for name in before:
        if name not in after:
            yield Detail(Effect.NARROWS, f"takes no {name} any more")
    kept = [name for name in after if name in before]
    if kept != [name for name in before if name in after]:
        yield Detail(Effect.DIFFERS, "takes its values in another order")


def described(parameter: Parameter) -> str:
    """Say what a parameter takes: ``unit (one of nginx, postgresql)``."""
    most = f", up to {parameter.repeat} times" if parameter.repeat > 1 else ""
    return shown(f"{parameter.name} ({parameter.type.accepts}{most})")


def _of_one(old: Parameter, new: Parameter) -> Iterator[Detail]:
    name = new.name
    effects = [*_type_effects(old, new)]
    if isinstance(old.type, Choice) and isinstance(new.type, Choice):
        yield from _of_choices(name, old.type, new.type)
    if effects:
        effect = effects[0] if len(set(effects)) == 1 else Effect.DIFFERS
        dash = " that may begin with a dash" if getattr(new.type, "may_begin_with_dash", False) else ""
        yield Detail(effect, shown(f"{name}: takes {_accepted(new)}{dash}, before {_accepted(old)}"))
    if new.repeat != old.repeat:
        effect = Effect.WIDENS if new.repeat > old.repeat else Effect.NARROWS
        yield Detail(effect, f"{name}: takes up to {new.repeat} values, before {old.repeat}")
    if (new.is_required, new.default) != (old.is_required, old.default):
        yield Detail(Effect.DIFFERS, f"{name}: its default, or whether it is required, is different")


def _accepted(parameter: Parameter) -> str:
    """Say what a type takes; of a choice the values are told by themselves."""
    type_ = parameter.type
    if isinstance(type_, Choice):
        return "what a command lists" if type_.source else "a choice"
    return "a secret line" if isinstance(type_, Secret) and type_.pattern is None else type_.accepts


def _of_choices(name: str, old: Choice, new: Choice) -> Iterator[Detail]:
    if added := sorted(set(new.choices) - set(old.choices)):
        yield Detail(Effect.WIDENS, shown(f"{name}: takes {listed(added)} as well"))
    if removed := sorted(set(old.choices) - set(new.choices)):
        yield Detail(Effect.NARROWS, shown(f"{name}: takes no {listed(removed)} any more"))


def _type_effects(old: Parameter, new: Parameter) -> Iterable[Effect]:
    """Say of each thing that a type has whether it takes more, or less."""
    before, after = old.type, new.type
    if type(before) is not type(after):
        was_text, is_text = isinstance(before, _TEXTS), isinstance(after, _TEXTS)
        return [Effect.DIFFERS if was_text == is_text else Effect.WIDENS if is_text else Effect.NARROWS]
    effects: list[Effect | None] = []
    match before, after:
        case Choice(), Choice():
            is_same = (before.source, before.pattern) == (after.source, after.pattern)
            effects.append(None if is_same else Effect.DIFFERS)
        case String(), String():
            effects += [_pattern(before.pattern, after.pattern), _upper(before.max_length, after.max_length)]
            effects.append(_lower(before.min_length, after.min_length))
            effects.append(_upper(int(before.may_begin_with_dash), int(after.may_begin_with_dash)))
        case (Integer() | Number() | Duration(), Integer() | Number() | Duration()):
            effects += [_lower(before.minimum, after.minimum), _upper(before.maximum, after.maximum)]
        case Text(), Text():
            effects.append(_upper(before.max_bytes, after.max_bytes))
        case Host(), Host():
            effects.append(_set(frozenset(before.names), frozenset(after.names)))
            effects.append(compare_networks(before.networks, after.networks))
        case (Flag() | Date() | DateTime(), Flag() | Date() | DateTime()):
            effects.append(None if before == after else Effect.DIFFERS)
        case _:
            effects.append(None if before == after else Effect.DIFFERS)
    return [each for each in effects if each is not None]


def _pattern(old: object, new: object) -> Effect | None:
    """Compare what values must match: of two patterns nobody knows which has more."""
    if old == new:
        return None
    return Effect.WIDENS if new is None else Effect.NARROWS if old is None else Effect.DIFFERS


def _upper(old: object, new: object) -> Effect | None:
    """Compare upper bounds; None is no bound."""
    if old == new:
        return None
    is_wider = new is None or (old is not None and new > old)  # type: ignore[operator] # numbers of one type
    return Effect.WIDENS if is_wider else Effect.NARROWS


def _lower(old: object, new: object) -> Effect | None:
    """Compare lower bounds; None is no bound."""
    if old == new:
        return None
    is_wider = new is None or (old is not None and new < old)  # type: ignore[operator] # numbers of one type
    return Effect.WIDENS if is_wider else Effect.NARROWS


def _set(old: frozenset[str], new: frozenset[str]) -> Effect | None:
    """Compare lists of what is allowed; an empty one is everything."""
    if old == new:
        return None
    if not new or (old and old < new):
        return Effect.WIDENS
    return Effect.NARROWS if not old or new < old else Effect.DIFFERS


def compare_networks(old: Iterable[Network], new: Iterable[Network]) -> Effect | None:
    """Compare lists of networks; an empty one is everywhere."""
    before, after = tuple(old), tuple(new)
    is_wider, is_narrower = _reaches(after, before), _reaches(before, after)
    if is_wider and is_narrower:
        return None
    return Effect.WIDENS if is_wider else Effect.NARROWS if is_narrower else Effect.DIFFERS


def _reaches(wide: tuple[Network, ...], narrow: tuple[Network, ...]) -> bool:
    if not wide:
        return True
    return bool(narrow) and all(any(_is_within(each, other) for other in wide) for each in narrow)


def _is_within(inner: Network, outer: Network) -> bool:
    match inner, outer:
        case IPv4Network(), IPv4Network():
            return inner.subnet_of(outer)
        case IPv6Network(), IPv6Network():
            return inner.subnet_of(outer)
        case _:
            return False
