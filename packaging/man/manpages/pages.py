"""Which pages there are, and of what each is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from cmdserver.cli.main import main
from cmdserver.config.loading import Source as BuiltIn
from manpages import command_tree, daemon, probe_kinds, roff
from manpages.documents import Document, References, see_also
from manpages.markdown import Writer


@dataclass(frozen=True, slots=True)
class Source:
    """What all pages are made of.

    Attributes:
        documents: The folder of the documents.
        date: ISO 8601.
        version: That of the program.
    """

    documents: Path
    date: str
    version: str

    def read(self, name: str) -> Document:
        """Read a document."""
        return Document.read(self.documents / name)


@dataclass(frozen=True, slots=True)
class Page:
    """A man page.

    Attributes:
        name: What it describes.
        number: The section of the manual.
        summary: What follows the name in what whatis(1) finds.
        here: The documents that it is made of, and the section of the page where each is.
        body: Makes its sections, but for the first and the last.
    """

    name: str
    number: int
    summary: str
    here: Mapping[str, str]
    body: Callable[[Source, References], list[str]]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{self.number}"

    def text(self, source: Source) -> str:
        """Make the page.

        Raises:
            CannotWrite: A document lacks what it takes, or has what there is no form for.
        """
        known = {document: (each.name, each.number) for each in PAGES for document in each.here}
        headings = {name: source.read(name).headings() for name in self.here}
        references = References(pages=known, here=self.here, others=set(), headings=headings)
        body = self.body(source, references)
        ours = [(each.name, each.number) for each in PAGES if each is not self]
        return roff.page(
            [
                roff.comment("Made of docs/ and of the help of the programs by packaging/man/build: change those."),
                roff.title_line(self.name, self.number, source.date, f"cmdserver {source.version}"),
                roff.section("NAME"),
                rf"{roff.escape(self.name)} \- {roff.escape(self.summary)}",
                *body,
                *see_also(ours, references.others),
            ]
        )


@dataclass(slots=True)
class _Sections:
    """Puts sections of documents together."""

    source: Source
    references: References
    lines: list[str] = field(default_factory=list)

    def begin(self, title: str, *lines: str) -> None:
        self.lines += [roff.section(title), *lines]

    def take(self, document: str, *headings: str, level: int = 3, tag_columns: int = 1) -> None:
        """Add what stands below headings of a document; headings of a level begin parts of the section."""
        writer = Writer(self.references.refer, level, tag_columns)
        for heading in headings:
            self.lines += writer.blocks(self.source.read(document).section(heading))

    def take_part(self, document: str, heading: str, title: str = "") -> None:
        """Add a section of a document as a part of the section."""
        self.lines.append(roff.subsection(title or heading))
        self.take(document, heading)

    def take_all(self, document: str, *but: str) -> None:
        """Add all sections of a document below its introduction, but for some."""
        self.lines += Writer(self.references.refer).blocks(self.source.read(document).sections_but(*but))

    def take_introduction(self, document: str) -> None:
        self.lines += Writer(self.references.refer).blocks(self.source.read(document).introduction())


def _cmdserver(source: Source, references: References) -> list[str]:
    sections, root = _Sections(source, references), command_tree.describe(main, "cmdserver")
    common = command_tree.common_options(root)
    sections.begin("SYNOPSIS")
    called = f"{roff.bold('cmdserver')} {roff.italic('COMMAND')} [{roff.italic('ARGUMENT')}...]"
    sections.lines += [daemon.synopsis(), ".br", f"{called} [{roff.italic('OPTION')}...]"]
    sections.begin("DESCRIPTION")
    sections.take_introduction("commands.md")
    sections.begin("THE DAEMON")
    sections.take("commands.md", "The daemon")
    sections.lines += daemon.options()
    sections.begin("COMMANDS", *command_tree.help_text(root))
    sections.lines += command_tree.commands(root)
    sections.begin("OPTIONS OF ALL COMMANDS")
    sections.lines += command_tree.options([*common, *_only_of(root, common)], root.ctx)
    sections.begin("USERS, KEYS AND TOKENS")
    sections.take_introduction("credentials.md")
    sections.take_all("credentials.md")
    for title, document, heading in (
        ("SIGNALS", "operations.md", "Signals"),
        ("EXIT STATUS", "commands.md", "Exit status"),
        ("ENVIRONMENT", "commands.md", "Environment"),
        ("FILES", "commands.md", "Files"),
        ("EXAMPLES", "commands.md", "Examples"),
    ):
        sections.begin(title)
        sections.take(document, heading)
    return sections.lines


def _only_of(root: command_tree.Described, common: list[click.Option]) -> list[click.Option]:
    """Return the options that the command has and its commands do not, and how each tells its help."""
    help_option = root.ctx.command.get_help_option(root.ctx)
    return [*(each for each in root.options if each not in common), *([help_option] if help_option else [])]


def _configuration(source: Source, references: References) -> list[str]:
    sections = _Sections(source, references)
    sections.begin("SYNOPSIS", roff.italic("/etc/cmdserver/cmdserver.toml"))
    sections.begin("DESCRIPTION")
    sections.take_introduction("configuration.md")
    sections.begin("TABLES AND KEYS")
    sections.take_all("configuration.md")
    sections.begin("PARAMETERS")
    sections.take_introduction("parameters.md")
    sections.take_all("parameters.md", "Ten commands")
    sections.begin("SCHEDULES AND HOOKS")
    sections.take_introduction("triggers.md")
    sections.take_all("triggers.md")
    sections.begin("CHECKS AND METRICS")
    sections.take("monitoring.md", "Checks")
    sections.take_part("monitoring.md", "Prometheus")
    sections.begin("EXAMPLES")
    sections.lines += [roff.subsection("The built-in default"), *roff.example(BuiltIn.built_in().text)]
    sections.take_part("parameters.md", "Ten commands")
    return sections.lines


def _probe(source: Source, references: References) -> list[str]:
    sections = _Sections(source, references)
    sections.begin("SYNOPSIS", probe_kinds.synopsis())
    sections.begin("DESCRIPTION")
    sections.take_introduction("probe.md")
    sections.begin("KINDS")
    table, *rest = source.read("probe.md").section("Kinds")
    writer = Writer(references.refer)
    sections.lines += [*probe_kinds.kinds([table], writer), *writer.blocks(rest)]
    sections.begin("OPTIONS")
    sections.take("probe.md", "Options")
    sections.begin("EXIT STATUS")
    sections.take("probe.md", "Exit status", tag_columns=2)
    sections.begin("OUTPUT")
    sections.take("probe.md", "Output")
    sections.begin("SECURITY")
    sections.take_part("probe.md", "What a target cannot do")
    sections.begin("EXAMPLES")
    sections.take("probe.md", "Examples")
    sections.take_part("probe.md", "A command of cmdserver")
    sections.take_part("probe.md", "A Nagios plugin, without a daemon")
    return sections.lines


def _agent(source: Source, references: References) -> list[str]:
    sections = _Sections(source, references)
    options = [f"[{roff.bold('--config')} {roff.italic('FILE')}]", f"[{roff.bold('--state-dir')} {roff.italic('DIR')}]"]
    sections.begin("SYNOPSIS", " ".join([roff.bold("cmdserver-agent"), *options]), ".br")
    sections.lines += [" ".join([roff.bold("cmdserver-agent"), roff.bold("--version")])]
    sections.begin("DESCRIPTION")
    sections.take("fleet.md", "The agent")
    sections.begin("MANY HOSTS")
    sections.take_introduction("fleet.md")
    sections.take_all("fleet.md", "The agent")
    return sections.lines


#: All pages; a new program's is a row here.
PAGES: tuple[Page, ...] = (
    Page(
        name="cmdserver",
        number=1,
        summary="answer an allow-list of host commands over TCP, TLS, HTTP and SSH",
        here={"commands.md": "DESCRIPTION", "credentials.md": "USERS, KEYS AND TOKENS"},
        body=_cmdserver,
    ),
    Page(
        name="cmdserver.toml",
        number=5,
        summary="configuration of cmdserver",
        here={
            "configuration.md": "TABLES AND KEYS",
            "parameters.md": "PARAMETERS",
            "triggers.md": "SCHEDULES AND HOOKS",
            "monitoring.md": "CHECKS AND METRICS",
        },
        body=_configuration,
    ),
    Page(
        name="cmdserver-probe",
        number=1,
        summary=probe_kinds.summary(),
        here={"probe.md": "DESCRIPTION"},
        body=_probe,
    ),
    Page(
        name="cmdserver-agent",
        number=1,
        summary="hand requests of a fleet's bus to cmdserver",
        here={"fleet.md": "DESCRIPTION"},
        body=_agent,
    ),
)
