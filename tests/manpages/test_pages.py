"""Tests that the pages have every command, option and key that there is, and are made of nothing but the source."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from msgspec import inspect

from cmdserver.cli.main import main
from cmdserver.config.schema.settings import Settings
from cmdserver.fleet.agent.main import main as agent
from cmdserver_probe.kind_table import KINDS
from manpages import roff
from manpages.pages import PAGES, Source
from manpages.probe_kinds import options_of
from tests.manpages.reading import below, plain, tags

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documents are not here")

#: Tables whose keys stand somewhere else than below a heading of their own name.
ELSEWHERE = {
    "": "Top level",
    "[[commands.NAME.check]]": "Rules on data",
    # In the row of `choices`, of the table of types.
    "[[commands.NAME.parameters.choices]]": "[[commands.NAME.parameters]]",
}
#: What the text says to have the keys of [commands.NAME].
AS_OTHERS = "[defaults]"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """All pages, by the names of their files."""
    source = Source(documents=DOCS, date="2026-11-28", version="1.2.3")
    return {page.file: page.text(source) for page in PAGES}


def _tables(table: inspect.Type, path: str = "", form: str = "{}") -> Iterator[tuple[str, list[str]]]:
    """Name each table of the configuration, as its heading does, with its keys that are no tables of their own."""
    match table:
        case inspect.StructType():
            inner = {field.encode_name: [*_tables(field.type, f"{path}.{field.encode_name}")] for field in table.fields}
            yield form.format(path.removeprefix(".")), [key for key in inner if path or not inner[key]]
            for tables in inner.values():
                yield from tables
        case inspect.DictType():
            yield from _tables(table.value_type, f"{path}.NAME", "[{}]")
        case inspect.ListType():
            yield from _tables(table.item_type, path, "[[{}]]")
        case inspect.UnionType():
            for each in table.types:
                yield from _tables(each, path, "[{}]" if form == "{}" else form)
        case _:
            return


def _heading(name: str) -> str:
    return name if name.startswith("[") or not name else f"[{name}]"


def _missing(page: str) -> list[str]:
    """Name the keys of the schema that a page has no entry for, below the heading of their table."""
    missing = []
    for name, keys in _tables(inspect.type_info(Settings)):
        heading = _heading(name)
        if heading.startswith(AS_OTHERS) or heading in {"[defaults.limits]", "[[defaults.check]]"}:
            continue
        text = below(page, ELSEWHERE.get(heading, heading))
        there = {*tags(text), *(re.findall(r"\\fB(\w+)\\fR", text) if heading in ELSEWHERE else [])}
        missing += [f"{heading} {key}" for key in keys if key not in there]
    return missing


def test_every_key(pages: dict[str, str]) -> None:
    """cmdserver.toml(5) has an entry for each key that the schema has, below its table."""
    tables = [_heading(name) for name, _ in _tables(inspect.type_info(Settings))]

    assert {"", "[[listen]]", "[commands.NAME]", "[commands.NAME.limits]", "[[commands.NAME.parameters]]", "[web]"} <= {
        *tables
    }
    assert _missing(pages["cmdserver.toml.5"]) == []


def test_a_key_that_is_missing_is_found(pages: dict[str, str]) -> None:
    """Below its table, wherever else it stands."""
    page = pages["cmdserver.toml.5"]
    entry = f".TP\n{roff.bold('idle_seconds')}\n"
    assert entry in page

    assert _missing(page.replace(entry, ".TP\n")) == ["[limits] idle_seconds"]
    assert _missing(page.replace(f".TP\n{roff.bold('row')}\n", ".TP\n")) == ["[[commands.NAME.check]] row"]


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            if not each.hidden:
                yield from _commands(each, f"{path} {name}")


def test_every_command_and_option(pages: dict[str, str]) -> None:
    """cmdserver(1) has each command by its words, and each of its options, all of which have a text of help."""
    page = pages["cmdserver.1"]
    for path, command in _commands(main, "cmdserver"):
        assert roff.bold(path) in page or f'.SS "{roff.escape(path)}"' in page, path
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.opts)
                assert set(option.opts) <= set(tags(page)), (path, option.opts)


def test_every_option_of_the_probe(pages: dict[str, str]) -> None:
    """cmdserver-probe(1) has each kind, and an entry for each option of each."""
    page = pages["cmdserver-probe.1"]

    assert tags(below(page, "KINDS")) == list(KINDS)
    told = {name.split()[0] for name in tags(below(page, "OPTIONS"))}
    assert told == {each.option_strings[-1] for kind in KINDS for each in options_of(kind)}


def test_every_option_of_the_agent(
    pages: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """cmdserver-agent(1) has an entry for each option that its help lists, and for no other."""
    monkeypatch.setattr(sys, "argv", ["cmdserver-agent", "--help"])
    with pytest.raises(SystemExit):
        agent()

    options = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    description = pages["cmdserver-agent.1"].partition('.SH "DESCRIPTION"')[2].partition(".SS ")[0]
    assert {name.split()[0] for name in tags(description)} == options - {"--help"}


def test_what_pages_begin_with(pages: dict[str, str]) -> None:
    """The title, the date and the version that were given; and what apropos(1) and whatis(1) look for."""
    for page in PAGES:
        _, title, *lines = pages[page.file].split("\n")
        assert plain(title) == f'.TH "{page.name.upper()}" {page.number} 2026-11-28 "cmdserver 1.2.3"'
        assert lines[:2] == ['.SH "NAME"', rf"{roff.escape(page.name)} \- {roff.escape(page.summary)}"]


def test_sections(pages: dict[str, str]) -> None:
    """What an administrator looks for, each once."""
    for name, page in pages.items():
        titles = re.findall(r'^\.SH "(.*)"$', page, re.MULTILINE)
        assert len(titles) == len(set(titles)), name
        assert titles[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
        assert titles[-1] == "SEE ALSO"
    for title in ("SIGNALS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"):
        assert len(below(pages["cmdserver.1"], title).split()) > 20


def test_nothing_of_markdown_is_left(pages: dict[str, str]) -> None:
    """No mark-up, no address of a file, nothing that groff would read otherwise, and nothing but ASCII."""
    for name, page in pages.items():
        assert page.isascii(), name
        for line in page.splitlines():
            assert line == line.rstrip(), (name, line)
            if line.startswith("."):
                assert re.match(r'\.(\\" |TH |S[HS] "|PP$|TP$|IP (\\\(bu|\d+\.) \d$|br$|R[SE]( \d)?$|E[XE]$)', line), (
                    line
                )
            else:
                text = plain(line)
                assert not re.search(r"\]\(|```|^\||\*\*\w|\.md#", text), (name, line)


def test_the_same_source_gives_the_same_pages(pages: dict[str, str]) -> None:
    """Byte for byte, but for the date that was given."""
    for page in PAGES:
        again = page.text(Source(documents=DOCS, date="2027-01-01", version="1.2.3"))
        assert again.replace(" 2027-01-01 ", " 2026-11-28 ") == pages[page.file]
