"""Whom a question is for: known hosts by their names, and by what they tell of themselves. Pure."""

from collections.abc import Mapping, Sequence

from cmdserver.auth.signatures.audience import MOST_NAMES, Audience, matches
from cmdserver.core.site import DEFAULT_FLEET
from cmdserver.fleet.client.outcomes import MISSING, Outcome
from cmdserver.fleet.client.roll_call import RollCall

_EVERYBODY = ("*",)


def split_globs(texts: Sequence[str]) -> tuple[str, ...]:
    """Read names and globs, each text with one or several with commas between; without any, everybody is meant.

    Raises:
        ValueError: One of them is none, or there are too many for one signature.
    """
    globs = tuple(each.strip() for text in texts for each in text.split(",")) or _EVERYBODY
    if len(globs) > MOST_NAMES:
        raise ValueError(f"{len(globs)} names and globs are too many; {MOST_NAMES} are the most")
    for each in globs:
        if not _is_glob(each):
            raise ValueError(f"{each!a} is neither a host's name nor a glob with * and ?")
    return globs


def split_wanted(texts: Sequence[str]) -> Mapping[str, str]:
    """Read facts that are wanted, each ``KEY=VALUE``; a value may be a glob.

    Raises:
        ValueError: One is none, or one key is there twice.
    """
    wanted: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise ValueError(f"{text!a} is not like KEY=VALUE")
        if key in wanted:
            raise ValueError(f"{key} is wanted twice")
        wanted[key] = value
    return wanted


def choose(names: Sequence[str], found: RollCall, wanted: Mapping[str, str]) -> tuple[Sequence[str], list[Outcome]]:
    """Choose those who have told the facts that are wanted.

    Args:
        names: Of known hosts that may be meant.
        found: Who has answered the roll call.
        wanted: See `split_wanted`.

    Returns:
        Whom to ask; and what is known already of those who may be meant and could not be asked what they are.
    """
    chosen, others = [], []
    for name in names:
        present = found.present.get(name.lower())
        if present is None:
            others.append(Outcome(host=name, state=MISSING, why="has not answered the roll call"))
        elif "error" in present.answer:
            others.append(Outcome.of_parsed(name, present.answer, present.seconds))
        elif all(_has(present.facts.get(key), value) for key, value in wanted.items()):
            chosen.append(name)
    return chosen, others


def _is_glob(text: str) -> bool:
    audience = Audience(DEFAULT_FLEET, (text,))
    try:
        return Audience.parse(str(audience)) == audience
    except ValueError:
        return False


def _has(fact: str | None, wanted: str) -> bool:
    return fact is not None and matches(fact, wanted)
