"""The template of a command: the places for values in ``run``, ``environment``, ``stdin`` and ``confirm``."""

from collections.abc import Iterable

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.config.source_map import Path
from cmdserver.parameters.consistency import inconsistencies
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import Element, Pieces, Template, names_in, parse_pieces


class TemplateChecks:
    """Looks at what values go into; in a command without parameters braces are ordinary characters.

    Args:
        reader: Takes the notes.
    """

    def __init__(self, reader: TomlReader) -> None:
        self._reader = reader

    def template(
        self,
        path: Path,
        settings: CommandSettings,
        environment: Iterable[tuple[str, str]],
        parameters: ParameterList,
        confirm: Pieces,
    ) -> Template | None:
        """Read a command's template; None for a command without parameters.

        Args:
            path: Of the command's table.
            settings: As the file has them.
            environment: The whole environment.
            parameters: Those that are none are left out.
            confirm: As `confirm` has read it.
        """
        before = len(self._reader.mistakes)
        if isinstance(settings.run[0], list):
            self._reader.note((*path, "run"), "begins with the program, which is in no nested list")
        if not settings.parameters:
            if any(isinstance(each, list) for each in settings.run):
                self._reader.note((*path, "run"), "has a nested list, which is for parameters, and there are none")
            return None
        program = settings.run[0]
        if isinstance(program, str) and any(names_in(self._pieces((*path, "run"), program))):
            self._reader.note((*path, "run"), "begins with the program, which no value can be")
        own = settings.environment
        template = Template(
            elements=tuple(self._element((*path, "run"), each) for each in settings.run[1:]),
            environment=tuple(
                (name, self._pieces((*path, "environment", name), value) if name in own else (value,))
                for name, value in environment
            ),
            stdin=None if settings.stdin is None else self._pieces((*path, "stdin"), settings.stdin),
        )
        is_read = len(self._reader.mistakes) == before
        names = [each.name for each in settings.parameters if each is not None]
        if len(names) == len(settings.parameters):
            excused = frozenset(names) - {each.name for each in parameters}
            for place, text in inconsistencies(parameters, template, confirm, excused):
                if is_read or place[0] != "parameters":  # what is used nowhere may be where it could not be read
                    self._reader.note((*path, *place), text, besides=["parameters"])
        return template

    def confirm(self, path: Path, settings: CommandSettings) -> Pieces:
        """Read the question that people are asked."""
        if settings.confirm is None:
            return ()
        return self._pieces((*path, "confirm"), settings.confirm) if settings.parameters else (settings.confirm,)

    def _element(self, path: Path, each: str | list[str]) -> Element:
        if isinstance(each, str):
            return Element((self._pieces(path, each),))
        return Element(tuple(self._pieces(path, word) for word in each), is_nested=True)

    def _pieces(self, path: Path, text: str) -> Pieces:
        return self._reader.attempt(path, parse_pieces, text, besides=["parameters"]) or ()
