"""The schedules of commands: whether their lines mean times, and whether anything is missing that nobody will give."""

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.parameters.parameter_list import ParameterList


def schedule_of(reader: TomlReader, name: str, settings: CommandSettings, parameters: ParameterList) -> tuple[str, ...]:
    """Look at the lines of a command's ``schedule``; return those that mean something, each once.

    Args:
        reader: Takes the notes.
        name: The command's.
        settings: The command's.
        parameters: Those that are without mistakes.
    """
    path = ("commands", name, "schedule")
    if settings.schedule is None:
        return ()
    from cmdserver.triggers.crontab import Schedule  # noqa: PLC0415 - the runner process is small without it

    if missing := [each.name for each in parameters if each.is_required]:
        text = f"nobody is there to give a value for {', '.join(missing)}: it takes a default"
        reader.note(path, text, besides=["parameters"])
    lines = [settings.schedule] if isinstance(settings.schedule, str) else settings.schedule
    found = [reader.attempt(path, Schedule.parse, line) for line in lines]
    return tuple(dict.fromkeys(each.fields for each in found if each is not None))
