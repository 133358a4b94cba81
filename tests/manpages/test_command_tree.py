"""Tests that a command line is described as a whole."""

import click

from manpages import command_tree
from manpages.command_tree import describe, prose


@click.group("tool")
@click.option("--config", metavar="FILE", help="Where.")
@click.version_option("1")
def _tool() -> None:
    """Do things."""


_config = click.option("--config", metavar="FILE", help="Where.")


@_tool.command(help="Show NAME.\n\n\b\ntool show .x  --follow\n\nMore of KIND.\n")
@click.argument("name")
@click.argument("words", nargs=-1)
@click.argument("kind", type=click.Choice(["a", "b"]))
@click.option("-f", "--follow", is_flag=True, help="Go on with --config, say.")
@click.option("--most/--least", default=True, help="How many.")
@_config
def show(**_: object) -> None:
    """Show."""


@_tool.command(hidden=True)
def secret() -> None:
    """Tell nobody."""


@_tool.group()
@_config
def log() -> None:
    """Look at the log."""


@log.group("old")
@_config
def log_old() -> None:
    """Look at old ones."""


@log_old.command("verify")
@_config
def log_old_verify() -> None:
    """Verify them."""


ROOT = describe(_tool, "tool")


def test_commands_of_any_depth() -> None:
    """Each has its words, and each group its section; what is hidden is not told."""
    lines = command_tree.commands(ROOT)

    assert lines[:2] == [
        ".TP",
        r"\fBtool show\fR [\fB\-\-follow\fR] [\fB\-\-most\fR] \fINAME\fR [\fIWORDS\fR]\&... {\fBa\fR|\fBb\fR}",
    ]
    assert '.SS "tool log"' in lines
    assert lines[lines.index('.SS "tool log old"') :] == [
        *['.SS "tool log old"', ".PP", "Look at old ones."],
        *[".TP", r"\fBtool log old verify\fR", "Verify them."],
    ]
    assert "secret" not in "\n".join(lines)


def test_help_and_options_of_a_command() -> None:
    """What is typed is bold, what is replaced is in italics, and what is laid out by hand stays so."""
    lines = command_tree.commands(ROOT)

    assert lines[2 : lines.index('.SS "tool log"')] == [
        r"Show \fINAME\fR.",
        *[".RS", ".PP", ".RS 4", ".EX", r"tool show .x  \-\-follow", ".EE", ".RE"],
        *[".PP", r"More of \fIKIND\fR."],
        *[".TP", r"\fB\-f\fR, \fB\-\-follow\fR", r"Go on with \fB\-\-config\fR, say."],
        *[".TP", r"\fB\-\-most\fR, \fB\-\-least\fR", "How many.", ".RE"],
    ]


def test_common_options() -> None:
    """What all commands take is told once; what one lacks is not common."""
    assert [option.name for option in command_tree.common_options(ROOT)] == ["config"]
    assert command_tree.options(command_tree.common_options(ROOT), ROOT.ctx) == [
        *[".TP", r"\fB\-\-config\fR \fIFILE\fR", "Where."]
    ]


def test_prose() -> None:
    """A dash within a word is no option."""
    assert prose("twistd -n as set-up --a-b. NAMES of NAME", ["NAME"]) == (
        r"twistd \fB\-n\fR as set\-up \fB\-\-a\-b\fR. NAMES of \fINAME\fR"
    )
