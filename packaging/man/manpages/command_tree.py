"""A command line made with click, as it is described by its own help: all commands, however deep, and their options.

Pure: a tree of commands in, lines of a page out.
"""

import inspect
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import click

from manpages import roff

#: What help that is laid out by hand begins with, as click has it.
_AS_IT_IS = "\b"
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*(?![\w-])")


@dataclass(frozen=True, slots=True)
class Described:
    """A command with its place in the tree."""

    ctx: click.Context

    @property
    def path(self) -> str:
        """The words by which it is called."""
        return self.ctx.command_path

    @property
    def options(self) -> list[click.Option]:
        """The options that help lists."""
        return [each for each in self.ctx.command.params if isinstance(each, click.Option) and not each.hidden]

    @property
    def arguments(self) -> list[click.Argument]:
        """The arguments."""
        return [each for each in self.ctx.command.params if isinstance(each, click.Argument)]


def describe(command: click.Command, name: str) -> Described:
    """Describe the whole command line."""
    return Described(click.Context(command, info_name=name))


def children(group: Described) -> tuple[list[Described], list[Described]]:
    """Return the commands of a group, and the groups of it; a command that is hidden is none."""
    command = group.ctx.command
    if not isinstance(command, click.Group):
        return [], []
    found = [
        Described(_context(group, child, name))
        for name in command.list_commands(group.ctx)
        if (child := command.get_command(group.ctx, name)) is not None and not child.hidden
    ]
    return (
        [each for each in found if not isinstance(each.ctx.command, click.Group)],
        [each for each in found if isinstance(each.ctx.command, click.Group)],
    )


def _context(group: Described, command: click.Command, name: str) -> click.Context:
    # As click makes it when the command runs, without reading any words.
    return command.context_class(command, info_name=name, parent=group.ctx)


def common_options(root: Described) -> list[click.Option]:
    """Return the options that may stand behind any word of the command, which are described once."""
    everywhere = [{_key(option) for option in each.options} for each in _all(root)]
    return [option for option in root.options if all(_key(option) in keys for keys in everywhere)]


def commands(root: Described) -> list[str]:
    """Describe all commands: those of no group first, then a section for each group."""
    common = {_key(option) for option in common_options(root)}
    return [line for group in _groups(root) for line in _group(group, root, common)]


def options(these: Sequence[click.Option], ctx: click.Context) -> list[str]:
    """Describe options as a tagged list."""
    return [line for option in these for line in _option(option, ctx)]


def synopsis(command: Described, but: Collection[tuple[str, ...]] = ()) -> str:
    """Write how a command is called as marked text, without some of its options."""
    words = [roff.bold(command.path)]
    words += [f"[{_spelled(each, command.ctx)}]" for each in command.options if _key(each) not in but]
    words += [_argument(each, command.ctx) for each in command.arguments]
    return " ".join(words)


def help_text(command: Described) -> list[str]:
    """Write the help of a command as paragraphs."""
    text = inspect.cleandoc(command.ctx.command.help or "").partition("\f")[0].strip()
    metavars = {(each.name or "").upper() for each in command.arguments}
    metavars |= {word for each in command.arguments for word in re.findall("[A-Z]+", each.make_metavar(command.ctx))}
    return [line for part in re.split(r"\n[ ]*\n", text) for line in _paragraph(part, sorted(metavars))]


def _paragraph(text: str, metavars: Collection[str]) -> list[str]:
    if text.startswith(_AS_IT_IS):
        return roff.example(inspect.cleandoc(text.removeprefix(_AS_IT_IS)))
    return roff.paragraph(prose(" ".join(text.split()), metavars))


def prose(text: str, metavars: Collection[str] = ()) -> str:
    """Write a text of help as marked text: what is typed in bold, what is replaced in italics."""
    words = "|".join(map(re.escape, metavars))
    pattern = rf"(?P<option>{_OPTION.pattern})" + (rf"|(?P<metavar>\b(?:{words})\b)" if words else "")
    parts, end = [], 0
    for match in re.finditer(pattern, text):
        parts.append(roff.escape(text[end : match.start()]))
        parts.append(roff.bold(match[0]) if match["option"] else roff.italic(match[0]))
        end = match.end()
    return "".join([*parts, roff.escape(text[end:])])


def _groups(root: Described) -> Iterator[Described]:
    yield root
    for group in children(root)[1]:
        yield from _groups(group)


def _all(root: Described) -> Iterator[Described]:
    for group in _groups(root):
        yield from (group, *children(group)[0])


def _group(group: Described, root: Described, common: Collection[tuple[str, ...]]) -> Iterator[str]:
    if group is not root:
        yield roff.subsection(group.path)
        yield from help_text(group)
        yield from options([each for each in group.options if _key(each) not in common], group.ctx)
    for command in children(group)[0]:
        yield ".TP"
        yield synopsis(command, common)
        # The first of the lines begins a paragraph, which begins in the entry as it is.
        _, *lines = help_text(command)
        end = next((number for number, line in enumerate(lines) if line.startswith(".")), len(lines))
        own = [each for each in command.options if _key(each) not in common]
        more = [*lines[end:], *options(own, command.ctx)]
        yield from [*lines[:end], *(roff.indented(more) if more else [])]


def _key(option: click.Option) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts)


def _option(option: click.Option, ctx: click.Context) -> list[str]:
    spelled = ", ".join(_spelled(option, ctx, name) for name in _key(option))
    record = option.get_help_record(ctx)
    return roff.tagged(spelled, prose(record[1]) if record else "")


def _spelled(option: click.Option, ctx: click.Context, name: str = "") -> str:
    name = name or max(option.opts, key=len)
    takes_value = not option.is_flag and not option.count
    return " ".join([roff.bold(name), *([roff.italic(option.make_metavar(ctx))] if takes_value else [])])


def _argument(argument: click.Argument, ctx: click.Context) -> str:
    return re.sub(r"[A-Z][A-Z_]*|[a-z][\w-]*", _typed_or_replaced, argument.make_metavar(ctx)).replace("...", r"\&...")


def _typed_or_replaced(match: re.Match[str]) -> str:
    return roff.italic(match[0]) if match[0].isupper() else roff.bold(match[0])
