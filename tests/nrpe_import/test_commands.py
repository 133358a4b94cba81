"""Commands: which definition counts, what is refused, and what is said of those that are taken."""

import pytest

from cmdserver.nrpe_import.commands import ImportedCommand, convert, is_command
from cmdserver.nrpe_import.directives import Directive, parse


def converted(text: str, prefix: str = "") -> tuple[list[ImportedCommand], list[str]]:
    """Convert definitions; return the commands, and what is said by line."""
    directives = [each for each in parse(text, "f") if isinstance(each, Directive)]
    assert all(map(is_command, directives))
    commands, remarks = convert(directives, prefix)
    said = [f"{each.place.line}{'!' if each.is_refusal else ':'} {each.text}" for each in remarks]
    return list(commands), said


def test_the_last_definition_counts() -> None:
    """As with nrpe; where it stands is where it counts."""
    commands, said = converted("command[a]=/x\ncommand[b]=/y\ncommand[a]=/z | w\ncommand[b]=/w\n")
    assert [(each.name, each.words, each.place.line) for each in commands] == [("b", [("/w",)], 4)]
    assert said[:2] == [
        "1: command[a] is defined again in f:3, and that one counts",
        "2: command[b] is defined again in f:4, and that one counts",
    ]
    assert said[2].startswith("3! command[a]: column 15: | is the shell's: a pipe; no shell runs here: ")


@pytest.mark.parametrize("key", ["command[", "command[]", "command[a"])
def test_no_name(key: str) -> None:
    """It is refused."""
    assert converted(f"{key}=/x") == ([], [f"1! {key}: has no name"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("$ARG1$ -w 5", "the caller would say which program runs"),
        ("/bin/$ARG1$", "the caller would say which program runs"),
        ("./check", "./check is neither an absolute path nor a program's name"),
        ("plugins/check", "plugins/check is neither"),
        ("'' a", "an empty word is neither"),
        ("/x $ARG17$", "$ARG17$ is nothing: nrpe has $ARG1$ to $ARG16$"),
    ],
)
def test_what_cannot_be_run(line: str, reason: str) -> None:
    """It is refused with the reason."""
    commands, (said,) = converted(f"command[a]={line}")
    assert commands == []
    assert said.startswith(f"1! command[a]: {reason}")


def test_arguments() -> None:
    """They are told, each with what to do; so is what a shell did to their values, and a gap."""
    ((command,), said) = converted("command[a]=/x -w '$ARG3$' $ARG1$ --p=$ARG1$")
    assert command.arguments == [1, 3]
    assert command.words == [("/x",), ("-w",), (3,), (1,), ("--p=", 1)]
    assert [each.partition(": command[a]: ")[2].partition(" ")[0] for each in said] == [
        "$ARG1$", "$ARG3$", "$ARG1$", "has"
    ]  # fmt: skip
    assert "here it is one word" in said[2]
    assert said[3].endswith(
        "has no $ARG2$: the values of a caller go to arg1, arg3 in this order, and none is left out"
    )


def test_a_new_name_is_told() -> None:
    """It is what the monitoring server must ask for."""
    assert converted("command[Check_A]=/x")[1] == [
        "1: command[Check_A]: is called check_a here; the monitoring server must ask for that"
    ]


def test_sudo() -> None:
    """It is kept, and what to do instead is said; as a prefix, too."""
    for text, prefix, is_told in (
        ("command[a]=sudo /x", "", True),
        ("command[a]=/usr/bin/sudo -u root /x", "", True),
        ("command[a]=/x", "/usr/bin/sudo", True),
        ("command[a]=/x sudo", "", False),
        ("command[a]=/usr/bin/sudoers", "", False),
    ):
        ((command,), said) = converted(text, prefix)
        assert (command.uses_sudo, bool(said)) == (is_told, is_told)
        assert all('user = "root"' in each for each in said)


def test_prefix() -> None:
    """It stands in front of every line, and is the shell's like this."""
    ((command,), said) = converted("command[a]=/x 'b c'", "/usr/bin/nice -n '5'")
    assert command.words == [("/usr/bin/nice",), ("-n",), ("5",), ("/x",), ("b c",)]
    assert said == []
    for prefix in ("LANG=C", "nice >/dev/null", "$NICE", "nice '"):
        commands, (text,) = converted("command[a]=/x", prefix)
        assert commands == []
        assert text.startswith(f"1! command[a]: with command_prefix={prefix}: ")
    assert "column 16" in converted("command[a]=/xx | b", "nice")[1][0]
