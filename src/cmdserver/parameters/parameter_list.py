"""From what a caller gave to canonical values, or to all that is wrong with it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from cmdserver.parameters.declaration import NO_VALUES, Parameter, Values
from cmdserver.parameters.mistakes import BadValues, NotAccepted, ValueMistake
from cmdserver.parameters.text_types import FALSE

#: What stands for a secret wherever people or programs read it.
MASK: Final = "***"
#: The most mistakes that are told, and the rest of them as a number.
MOST_MISTAKES: Final = 20

#: ``name=value``; what stands before another word's equals sign is no name.
_NAMED: Final = re.compile(r"([a-z][a-z0-9_]{0,31})=(.*)", re.DOTALL)
#: Of a name that is no parameter's.
_LONGEST_NAME: Final = 64
_FALSE: Final = (FALSE,)

Field: TypeAlias = tuple[str, str]


def split_words(words: Sequence[str]) -> tuple[list[str], list[Field]]:
    """Take words of a caller apart: positional values, and ``name=value``; behind ``--`` all are positional."""
    positional: list[str] = []
    named: list[Field] = []
    for index, word in enumerate(words):
        if word == "--":
            positional += words[index + 1 :]
            break
        found = _NAMED.fullmatch(word)
        if found is None:
            positional.append(word)
        else:
            named.append((found[1], found[2]))
    return positional, named


class ParameterList(Sequence[Parameter]):
    """The parameters of a command, in their order.

    Args:
        parameters: With different names.
    """

    __slots__ = ("_by_name", "_flags", "_parameters", "has_sources", "secrets")

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        self._parameters = tuple(parameters)
        self._by_name: Mapping[str, Parameter] = {each.name: each for each in self._parameters}
        self._flags = frozenset(each.name for each in self._parameters if each.is_flag)
        #: The names of those whose values are nobody's business but the command's.
        self.secrets = frozenset(each.name for each in self._parameters if each.is_secret)
        #: Whether some choices are printed by other commands.
        self.has_sources = any(each.source is not None for each in self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters)

    def __getitem__(self, index: int) -> Parameter:  # type: ignore[override] # slices are nobody's need
        return self._parameters[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParameterList) and self._parameters == other._parameters

    def __hash__(self) -> int:
        return hash(tuple(self._by_name))

    def __repr__(self) -> str:
        return f"ParameterList({self._parameters!r})"

    def named(self, name: str) -> Parameter | None:
        """Return the parameter of a name; None if there is none."""
        return self._by_name.get(name)

    def bind(self, words: Sequence[str], fields: Iterable[Field] = ()) -> Values:
        """Make canonical values of what a caller gave.

        Args:
            words: Positional values in the order of the parameters, and ``name=value``; behind ``--`` all are
                positional.
            fields: Names and values, as forms have them: an empty one of a parameter that may be left out, or takes
                several values, is none.

        Raises:
            BadValues: All that is wrong.
        """
        mistakes: list[ValueMistake] = []
        given = self._given(words, fields, mistakes)
        values: list[tuple[str, tuple[str, ...]]] = []
        for parameter in self._parameters:
            name = parameter.name
            texts = given.get(name)
            if texts is None:
                canonical = parameter.default
                if canonical is None:
                    if parameter.is_required:
                        mistakes.append(ValueMistake(name, f"is missing: it must be {parameter.accepts}"))
                    continue
            else:
                try:
                    canonical = _canonical(parameter, texts)
                except NotAccepted as error:
                    mistakes.append(ValueMistake(name, str(error), error.suggestions))
                    continue
            if canonical != _FALSE or name not in self._flags:
                values.append((name, canonical))
        if mistakes:
            raise BadValues(_bounded(mistakes))
        return tuple(values)

    def given(self, words: Sequence[str], fields: Iterable[Field] = ()) -> Mapping[str, Sequence[str]]:
        """Return which texts a caller gave to which parameter, be they accepted or not; see `bind`."""
        return self._given(words, fields, [])

    def secrets_given(self, words: Sequence[str], fields: Iterable[Field] = ()) -> tuple[str, ...]:
        """Name the secrets to which a caller gave texts; see `given`."""
        return tuple(name for name in self.given(words, fields) if name in self.secrets) if self.secrets else ()

    def bind_canonical(self, words: Iterable[str]) -> Values:
        """Read the words of `words_of` from somebody who is not trusted to have made them of `bind`'s values.

        Raises:
            BadValues: They can be no such words; the first reason.
        """
        given: dict[str, list[str]] = {}
        for word in words:
            name, sign, text = word.partition("=")
            if not sign:
                raise BadValues([ValueMistake(None, "a word has no name")])
            given.setdefault(name, []).append(text)
        values = []
        for parameter in self._parameters:
            texts = given.pop(parameter.name, [])
            if not texts and parameter.has_always_value:
                raise BadValues([ValueMistake(parameter.name, "is missing")])
            try:
                canonical = _canonical(parameter, texts)
            except NotAccepted as error:
                raise BadValues([ValueMistake(parameter.name, str(error))]) from None
            if list(canonical) != texts or (canonical == _FALSE and parameter.is_flag):
                raise BadValues([ValueMistake(parameter.name, "is not in its canonical form")])
            if texts:
                values.append((parameter.name, canonical))
        if given:
            raise BadValues([self._unknown(next(iter(given)), ())])
        return tuple(values)

    def shown(self, values: Values) -> tuple[str, ...]:
        """Return values as words that give them again, ``name=value``; secrets are masked."""
        if values is NO_VALUES:
            return ()
        secrets = self.secrets
        return tuple([f"{name}={MASK if name in secrets else value}" for name, each in values for value in each])

    def masked(self, words: Sequence[str], fields: Iterable[Field] = ()) -> tuple[str, ...]:
        """Return what a caller gave, to be written down; what may be a secret, in whatever place, is masked."""
        if not self.secrets:
            return (*words, *(f"{name}={value}" for name, value in fields))
        public = self._by_name.keys() - self.secrets
        shown = []
        for index, word in enumerate(words):
            if word == "--":  # what is behind it is positional, though it may look like a name and a value
                shown += [word, *[MASK] * (len(words) - index - 1)]
                break
            found = _NAMED.fullmatch(word)
            shown.append(word if found is not None and found[1] in public else MASK)
        return (*shown, *(f"{name}={value if name in public else MASK}" for name, value in fields))

    # Which texts are whose

    def _given(
        self, words: Sequence[str], fields: Iterable[Field], mistakes: list[ValueMistake]
    ) -> Mapping[str, list[str]]:
        known = self._by_name
        given: dict[str, list[str]] = {}
        positional, named = split_words(words)
        for name, value in named:
            if name in known:
                given.setdefault(name, []).append(value)
            else:
                mistakes.append(self._unknown(name, mistakes))
        for name, value in fields:
            parameter = known.get(name)
            if parameter is None:
                mistakes.append(self._unknown(name, mistakes))
            elif value or (parameter.is_required and parameter.repeat == 1):
                given.setdefault(name, []).append(value)
        if positional:
            self._fill(positional, given, mistakes)
        return given

    def _fill(self, positional: list[str], given: dict[str, list[str]], mistakes: list[ValueMistake]) -> None:
        """Give positional words to the parameters in their order; a repeated one leaves the others what they need."""
        start = 0
        for index, parameter in enumerate(self._parameters):
            end = start + 1
            if parameter.repeat > 1:
                following = self._parameters[index + 1 :]
                needed = sum(each.is_required and each.name not in given for each in following)
                end = start + max(int(parameter.is_required), min(parameter.repeat, len(positional) - start - needed))
            if taken := positional[start:end]:
                given.setdefault(parameter.name, []).extend(taken)
            start = end
        if start < len(positional):
            most = sum(parameter.repeat for parameter in self._parameters)
            takes = f"{most} value{'' if most == 1 else 's'} at most" if most else "no values"
            mistakes.append(ValueMistake(None, f"too many values: the command takes {takes}"))

    def _unknown(self, name: str, before: Sequence[ValueMistake]) -> ValueMistake:
        """Say that a name is no parameter's; near ones are looked for only if that is told: it takes its time."""
        name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

        near = get_close_matches(name, list(self._by_name), n=1) if len(before) < MOST_MISTAKES else ()
        return ValueMistake(name, "is no parameter of this command", tuple(near))


#: Of a command that takes no values.
NO_PARAMETERS: Final = ParameterList()


def words_of(values: Values) -> Sequence[str]:
    """Return the words that `ParameterList.bind_canonical` reads."""
    return [f"{name}={value}" for name, each in values for value in each]


def _canonical(parameter: Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    if len(texts) > parameter.repeat:
        times = "was given twice" if parameter.repeat == 1 else f"takes {parameter.repeat} values at most"
        raise NotAccepted(times)
    if len(texts) == 1:
        return (parameter.type.canonical(texts[0]),)
    return tuple([parameter.type.canonical(text) for text in texts])


def _bounded(mistakes: Sequence[ValueMistake]) -> Sequence[ValueMistake]:
    different = list(dict.fromkeys(mistakes))
    left_out = len(different) - MOST_MISTAKES
    if left_out <= 0:
        return different
    return [*different[:MOST_MISTAKES], ValueMistake(None, f"and there are {left_out} more mistakes")]
