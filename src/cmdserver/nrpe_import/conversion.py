"""The whole way: what was read of an nrpe.cfg and its files, to a configuration of ours and all that is to be said."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from cmdserver.nrpe_import import commands, settings, toml_output
from cmdserver.nrpe_import.directives import Directive, Remark


class Conversion(Struct, frozen=True, kw_only=True):
    """What became of an NRPE configuration."""

    text: str
    #: How many commands were taken.
    taken: int
    remarks: Sequence[Remark]

    @property
    def refused(self) -> int:
        """Count what could not be taken."""
        return sum(each.is_refusal for each in self.remarks)


def convert(read: Iterable[Directive | Remark], source: str) -> Conversion:
    """Convert it.

    Args:
        read: What `cmdserver.nrpe_import.files` reads, in its order.
        source: What to call the main file.
    """
    found = list(read)
    directives = [each for each in found if isinstance(each, Directive)]
    remarks = [each for each in found if isinstance(each, Remark)]
    others, said = settings.convert([each for each in directives if not commands.is_command(each)])
    definitions = [each for each in directives if commands.is_command(each)]
    taken, said_of_commands = commands.convert(definitions, others.prefix)
    return Conversion(
        text=toml_output.render(others, taken, source),
        taken=len(taken),
        remarks=_in_order([*remarks, *said, *said_of_commands], directives),
    )


def _in_order(remarks: Sequence[Remark], directives: Sequence[Directive]) -> Sequence[Remark]:
    """Sort by places: files as they were read, then lines."""
    files = dict.fromkeys(each.file for each in (*(one.place for one in directives), *(one.place for one in remarks)))
    ranks = {file: rank for rank, file in enumerate(files)}
    return sorted(remarks, key=lambda each: (ranks[each.place.file], each.place.line))
