"""Who may newly do what, and who may no longer: callers before and after, those who change alike together."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from cmdserver.config.configuration import Configuration
from cmdserver.core.names import AUTHENTICATED, is_glob, is_trigger_name
from cmdserver.diff.change import Change, Detail, Effect, grouped, listed, shown
from cmdserver.diff.powers import ANY_VALUE, Narrowing, Narrowings, Power, Powers


def compare_callers(old: Powers, new: Powers, before: Configuration, after: Configuration) -> list[Change]:
    """Compare what every caller may do.

    Args:
        old: What they might.
        new: What they may.
        before: Where commands and users are from.
        after: The same.
    """
    users = [_as_whom(each) for each in (before, after)]
    known: dict[tuple[int, ...], list[Detail]] = {}

    def details(caller: str) -> list[Detail]:
        full = old.of(caller), new.of(caller)
        lesser = old.of(caller, has_second_factor=False), new.of(caller, has_second_factor=False)
        key = tuple(map(id, (*full, *lesser))) if not is_trigger_name(caller) else (hash(caller),)
        if key not in known:
            known[key] = told = [*_of_runs(*full, *users), *_of_others(*full)]
            without = [*_of_runs(*lesser, *users), *_of_others(*lesser)] if lesser != full else []
            told += [replace(each, text=f"{each.text} without a second factor") for each in without if each not in told]
        return known[key]

    everybodys = details(AUTHENTICATED)
    callers = dict.fromkeys([*new.callers(), *old.callers()])
    found = {
        each: details(each)
        if each == AUTHENTICATED or is_trigger_name(each)
        else [one for one in details(each) if one not in everybodys]
        for each in callers
    }
    return grouped("caller", found, {each: _remark(each, new) for each in callers}, divides=False)


def _remark(caller: str, powers: Powers) -> str:
    """Say which roles a caller has, but for those whose name is theirs."""
    roles = [each for each in powers.roles_of(caller) if each != caller]
    if caller == AUTHENTICATED:
        return "every user"
    return f"role{'s' if len(roles) > 1 else ''} {listed(roles, 5)}" if roles else ""


def _as_whom(configuration: Configuration) -> Mapping[str, str]:
    """Say as whom each command runs that names somebody."""
    return {
        name: f" as {each.user or 'whoever starts the daemon'}{f':{each.group}' if each.group else ''}"
        for name, each in configuration.settings.commands.items()
        if each is not None and (each.user or each.group)
    }


def _of_runs(old: Power, new: Power, old_users: Mapping[str, str], users: Mapping[str, str]) -> Iterable[Detail]:
    """Compare what may be run."""
    if old is new:
        return
    gained = [name for name in new.runs if name not in old.runs]
    lost = [name for name in old.runs if name not in new.runs]
    yield from _several(Effect.WIDENS, "may run", gained, new.runs, users)
    yield from _several(Effect.NARROWS, "may no longer run", lost, old.runs, old_users)
    for name, after in new.runs.items():
        before = old.runs.get(name, after)
        if before != after and (effect := _effect(before, after)) is not None:
            text = f"may run {name}{_with(after) or ' with any values'}, before{_with(before) or ' with any'}"
            yield Detail(effect, shown(text), (name,))


def _several(
    effect: Effect, verb: str, names: Sequence[str], runs: Mapping[str, Narrowings], users: Mapping[str, str]
) -> Iterable[Detail]:
    """Put together what is run by the same user with values that are narrowed alike."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        # To be rid of a command is to be rid of its values.
        values = _with(runs[name]) if effect is Effect.WIDENS else ""
        groups.setdefault((users.get(name, ""), values), []).append(name)
    for (user, values), found in groups.items():
        yield Detail(effect, f"{verb} {listed(found)}{shown(user)}{shown(values)}", tuple(found))


def _of_others(old: Power, new: Power) -> Iterable[Detail]:
    """Compare whose runs may be seen and stopped."""
    for verb, before, after in (("see", old.sees, new.sees), ("stop", old.stops, new.stops)):
        if gained := sorted(after - before):
            yield Detail(Effect.WIDENS, f"may {verb} others' runs of {listed(gained)}", tuple(gained))
        if lost := sorted(before - after):
            yield Detail(Effect.NARROWS, f"may no longer {verb} others' runs of {listed(lost)}", tuple(lost))


def _with(narrowings: Narrowings) -> str:
    """Say which values may be given; nothing, if any may."""
    if narrowings == ANY_VALUE:
        return ""
    each = sorted(" and ".join(f"{name} {' or '.join(globs)}" for name, globs in narrowing) for narrowing in narrowings)
    return f" with {', or with '.join(each)}"


def _effect(old: Narrowings, new: Narrowings) -> Effect | None:
    """Say whether more values may be given, or fewer; None if as many."""
    match _covers(new, old), _covers(old, new):
        case True, True:
            return None
        case True, False:
            return Effect.WIDENS
        case False, True:
            return Effect.NARROWS
        case _:
            return Effect.DIFFERS


def _covers(wide: Narrowings, narrow: Narrowings) -> bool:
    """Whether all values that some roles may give can be given by others, as far as globs tell."""
    return all(any(_covers_one(each, other) for each in wide) for other in narrow)


def _covers_one(wide: Narrowing, narrow: Narrowing) -> bool:
    other = dict(narrow)
    return all(
        name in other and all(glob in globs or _matches(glob, globs) for glob in other[name]) for name, globs in wide
    )


def _matches(glob: str, globs: Iterable[str]) -> bool:
    """Whether a glob means nothing that others do not; of two real globs that is not known, but of ``*``."""
    return any(each.strip("*") == "" or (not is_glob(glob) and fnmatchcase(glob, each)) for each in globs)
