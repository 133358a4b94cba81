"""The parameters of a command: whether each is one, and what its keys mean."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.commands import ChoiceSettings, ParameterSettings
from cmdserver.config.source_map import Path
from cmdserver.core.addresses import parse_network
from cmdserver.parameters.declaration import Parameter, is_parameter_name
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.number_types import Duration, Integer, Limit, Number, Port, seconds_of
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text, is_one_line
from cmdserver.parameters.time_types import Date, DateTime

_STRING_KEYS: Final = frozenset({"pattern", "min_length", "max_length", "may_begin_with_dash"})
#: The keys of each type beside those of every parameter.
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "choice": frozenset({"choices", "choices_from", "pattern"}),
    "string": _STRING_KEYS,
    "secret": _STRING_KEYS,
    "integer": frozenset({"minimum", "maximum"}),
    "number": frozenset({"minimum", "maximum"}),
    "duration": frozenset({"minimum", "maximum"}),
    "flag": frozenset({"gives"}),
    "host": frozenset({"networks", "names"}),
    "port": frozenset(),
    "date": frozenset({"format"}),
    "datetime": frozenset({"format"}),
    "text": frozenset({"max_bytes"}),
}
#: Beyond what a value may be.
_LARGEST: Final = 10**40
_OWN_KEYS: Final = frozenset().union(*_KEYS.values())


class ParameterChecks:
    """Looks at ``[[commands.NAME.parameters]]``.

    Args:
        reader: Takes the notes.
    """

    def __init__(self, reader: TomlReader) -> None:
        self._reader = reader

    def parameters(self, path: Path, settings: Sequence[ParameterSettings | None]) -> ParameterList:
        """Read all parameters of a command; one that is wrong in itself is left out.

        Args:
            path: Of the command's table.
            settings: As the file has them.
        """
        found: dict[str, Parameter] = {}
        for index, each in enumerate(settings):
            place = (*path, "parameters", index)
            if each is None:
                continue
            if each.name in found:
                self._reader.note((*place, "name"), f"there is another parameter {each.name} before it")
            parameter = self._parameter(place, each)
            if parameter is not None:
                found[each.name] = parameter
        return ParameterList(found.values())

    def _parameter(self, place: Path, settings: ParameterSettings) -> Parameter | None:
        before = len(self._reader.mistakes)
        name = settings.name
        if not is_parameter_name(name):
            text = "a parameter's name is a lower-case letter, then up to 31 of a-z, 0-9 and _, and not follow"
            self._reader.note((*place, "name"), text)
        for key in _OWN_KEYS - _KEYS[settings.type]:
            if getattr(settings, key) is not None:
                self._reader.note((*place, key), f"is no key of a parameter of type {settings.type}")
        for key in ("label", "help"):
            if not is_one_line(getattr(settings, key) or ""):
                self._reader.note((*place, key), "must be one line without control characters")
        type_ = self._type(place, settings)
        if type_ is None or len(self._reader.mistakes) > before:
            return None
        is_flag = isinstance(type_, Flag)
        if is_flag and settings.repeat > 1:
            self._reader.note((*place, "repeat"), "is not for a flag, which is true or false")
        if settings.required and (is_flag or settings.default is not None):
            why = "a flag that is not given is false" if is_flag else "there is a default"
            self._reader.note((*place, "required"), f"is without effect: {why}")
        default = None if settings.default is None else self._canonical((*place, "default"), type_, settings)
        if default is None and settings.default is not None:
            return None
        return Parameter(
            name=name,
            type=type_,
            label=settings.label or name.replace("_", " ").capitalize(),
            help=settings.help,
            is_required=not is_flag and settings.default is None and settings.required is not False,
            default=default,
            example=self._example((*place, "example"), type_, settings.example),
            repeat=settings.repeat,
        )

    def _canonical(self, place: Path, type_: ParameterType, settings: ParameterSettings) -> tuple[str, ...] | None:
        values = settings.default if isinstance(settings.default, list) else [settings.default]
        if not 1 <= len(values) <= settings.repeat:
            self._reader.note(place, f"must have 1 to {settings.repeat} values, as repeat says")
            return None
        canonical = [self._reader.attempt(place, _accepted_by(type_), each) for each in values]
        return None if None in canonical else tuple(each for each in canonical if each is not None)

    def _example(self, place: Path, type_: ParameterType, example: Any) -> str:
        if example is None:
            return ""
        self._reader.attempt(place, _accepted_by(type_), example)
        return _text(example) if isinstance(example, str | int | float | date) else ""

    def _type(self, place: Path, settings: ParameterSettings) -> ParameterType | None:
        make: Callable[[Path, ParameterSettings], ParameterType | None] = getattr(self, f"_{settings.type}")
        return make(place, settings)

    # By the names of the types

    def _choice(self, place: Path, settings: ParameterSettings) -> Choice | None:
        if (settings.choices is None) == (settings.choices_from is None):
            keys = [(*place, key) for key in ("choices", "choices_from")]
            if not any(each.path[: len(place) + 1] in keys for each in self._reader.mistakes):
                self._reader.note(place, "a choice has either choices or choices_from")
            return None
        if settings.pattern is not None and settings.choices is not None:
            self._reader.note((*place, "pattern"), "is for choices_from; what choices has is accepted as it is")
        choices: dict[str, str] = {}
        for each in settings.choices or ():
            if each is None:
                continue
            value, label = (each.value, each.label) if isinstance(each, ChoiceSettings) else (each, None)
            if value in choices:
                self._reader.note((*place, "choices"), f"has {value} twice")
            for text in (value, label or ""):
                if not is_one_line(text):
                    self._reader.note((*place, "choices"), f"{text!a} is not one line without control characters")
            choices[value] = label or value
        return Choice(choices=choices, source=settings.choices_from, pattern=self._pattern(place, settings))

    def _secret(self, place: Path, settings: ParameterSettings) -> String | None:
        return self._string(place, settings)

    def _string(self, place: Path, settings: ParameterSettings) -> String | None:
        least = 1 if settings.min_length is None else settings.min_length
        most = settings.max_length or max(String().max_length, least)
        if not self._in_order(place, least, most, "min_length"):
            return None
        return (Secret if settings.type == "secret" else String)(
            pattern=self._pattern(place, settings),
            min_length=least,
            max_length=most,
            may_begin_with_dash=bool(settings.may_begin_with_dash),
        )

    def _flag(self, place: Path, settings: ParameterSettings) -> Flag:
        for word in settings.gives or ():
            if "\0" in word:
                self._reader.note((*place, "gives"), "has a NUL character in it")
        return Flag(gives=tuple(settings.gives or ()))

    def _integer(self, place: Path, settings: ParameterSettings) -> Integer | None:
        limits = self._limits(place, settings, _integer)
        return None if limits is None else Integer(minimum=limits[0], maximum=limits[1])

    def _number(self, place: Path, settings: ParameterSettings) -> Number | None:
        limits = self._limits(place, settings, _number)
        return None if limits is None else Number(minimum=limits[0], maximum=limits[1])

    def _duration(self, place: Path, settings: ParameterSettings) -> Duration | None:
        limits = self._limits(place, settings, _seconds)
        return None if limits is None else Duration(minimum=limits[0], maximum=limits[1])

    def _port(self, place: Path, settings: ParameterSettings) -> Port:  # noqa: ARG002 - it has no keys of its own
        return Port()

    def _host(self, place: Path, settings: ParameterSettings) -> Host:
        networks = [self._reader.attempt((*place, "networks"), parse_network, each) for each in settings.networks or ()]
        names = tuple(each.lower() for each in settings.names or ())
        return Host(networks=tuple(each for each in networks if each is not None), names=names)

    def _date(self, place: Path, settings: ParameterSettings) -> Date:
        return Date(format=self._format(place, settings))

    def _datetime(self, place: Path, settings: ParameterSettings) -> DateTime:
        return DateTime(format=self._format(place, settings))

    def _text(self, place: Path, settings: ParameterSettings) -> Text:  # noqa: ARG002 - its shape is all
        return Text() if settings.max_bytes is None else Text(max_bytes=settings.max_bytes)

    # Keys of several types

    def _pattern(self, place: Path, settings: ParameterSettings) -> Pattern | None:
        if settings.pattern is None:
            return None
        return self._reader.attempt((*place, "pattern"), Pattern, settings.pattern)

    def _format(self, place: Path, settings: ParameterSettings) -> str | None:
        if settings.format is not None:
            self._reader.attempt((*place, "format"), _require_format, settings.format)
        return settings.format

    def _limits(
        self, place: Path, settings: ParameterSettings, read: Callable[[Any], Limit | None]
    ) -> tuple[Limit | None, Limit | None] | None:
        least = self._reader.attempt((*place, "minimum"), read, settings.minimum)
        most = self._reader.attempt((*place, "maximum"), read, settings.maximum)
        return (least, most) if self._in_order(place, least, most) else None

    def _in_order(self, place: Path, least: Any, most: Any, key: str = "minimum") -> bool:
        if least is None or most is None or least <= most:
            return True
        self._reader.note((*place, key), f"{least} is more than {key.replace('min', 'max', 1)} = {most}")
        return False


def _accepted_by(type_: ParameterType) -> Callable[[Any], str]:
    """Make canonical what the file has for a value; a ValueError says what is wrong, without the value of a secret."""

    def canonical(value: Any) -> str:
        try:
            return type_.canonical(_text(value))
        except NotAccepted as error:
            what = "" if isinstance(type_, Secret) else f"{_text(value)[:60]!a} is not accepted: "
            raise ValueError(f"{what}{error}") from None

    return canonical


def _text(value: Any) -> str:
    """Spell a TOML value as a caller would."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f")
        case datetime() | date():
            return value.isoformat()
        case _:
            raise ValueError("must be a single value")


def _integer(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    raise ValueError("must be a whole number")


def _number(value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, str) or not Decimal(repr(value)).is_finite() or abs(value) >= _LARGEST:
        raise ValueError("must be a number")
    return Decimal(repr(value))


def _seconds(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a time span such as "1h30m"')  # noqa: TRY004 - as for all mistakes in the file
    return seconds_of(value)


def _require_format(text: str) -> None:
    """Raise a ValueError for a format that makes what can be no word."""
    made = datetime(2026, 11, 28, 9, 30).astimezone().strftime(text) if is_one_line(text) else ""
    if not made or not is_one_line(made):
        raise ValueError("must make one line without control characters")
