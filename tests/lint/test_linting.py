"""All rules on whole files: those that people copy from are clean."""

from pathlib import Path

import pytest

from cmdserver.config.loading import Source, configure
from cmdserver.config.merging import SourceFile
from cmdserver.lint.linting import Linter, placed, without_told
from cmdserver.nrpe_import.conversion import convert
from cmdserver.nrpe_import.files import Files
from tests.doubles import FakeHost
from tests.lint.doubles import COMMANDS, LISTEN, ROLES, SomeHost, lines, rules_of
from tests.nrpe_import.samples import NRPE_CFG
from tests.test_docs import DOCS, README, examples

#: Two commands, of which one means what it does.
_TWO = {"x": "", "y": 'allow = ["shell"]\n'}


def linted(text: str) -> list[str]:
    """List the rules that find something in an example, which may lack a listener, a command or a role."""
    if "[[listen]]" not in text:
        text = f"{LISTEN}\n{text}" if text.startswith("[") else f"{text}\n{LISTEN}"
    if "[commands" not in text:
        text += COMMANDS
    if "[roles" not in text:
        text += ROLES
    return rules_of(lines(text))


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_documents(path: Path) -> None:
    """What they show is what people write."""
    for text in examples(path):
        assert linted(text) == [], text


def test_the_readme() -> None:
    """Two of its examples are whole files, and the others go on after the second."""
    command, whole, *others = examples(README)
    for text in (command, whole, *(f"{whole}\n{each}" for each in others)):
        assert linted(text) == [], text


def test_the_default() -> None:
    """The configuration that is built in is clean."""
    assert lines(Source.built_in().text) == []


def test_what_comes_from_nrpe() -> None:
    """Plugins with fixed words are clean, and of a value that may be anything it is said."""
    text = convert(Files().read(NRPE_CFG.encode(), "nrpe.cfg", Path("/none")), "nrpe.cfg").text
    found = lines(text)
    assert {each.split(": ")[1].split(".")[1] for each in found if "free-string" not in each} == {"check_raid"}
    assert {*rules_of(found)} == {"free-string", "privileges"}


def test_each_in_its_file_and_in_order() -> None:
    """Files as they are read, then lines; what is inherited is told where it stands."""
    parameter = '[[commands.x.parameters]]\nname = "x"\ntype = "integer"\n'
    source = Source(
        path="/main.toml",
        text=f'[defaults]\nuser = "root"\n{LISTEN}{ROLES}',
        included=(
            SourceFile(name="/a.toml", text=f'[commands.x]\nrun = ["report", "{{x}}"]\n{parameter}'),
            SourceFile(
                name="/b.toml", text='\n[commands.y]\nrun = ["sh", "-c", "df"]\n[commands.z]\nrun = ["less", "a"]'
            ),
        ),
    )
    configuration = configure(source, SomeHost(), lambda _: None)
    found = [str(each).split(": ")[:2] for each in placed(Linter(configuration).findings(), source)]
    assert found == [
        ["/main.toml:2", "defaults.user"],
        ["/b.toml:3", "commands.y.run"],
        ["/b.toml:5", "commands.z.run"],
    ]


def test_what_check_says_already_is_not_said_twice() -> None:
    """A right that a command will not get is a warning of check, and a finding of lint."""
    source = Source(
        path=None, text=f'{LISTEN}[commands.x]\nrun = ["env", "sudo", "df"]\n[commands.y]\nrun = ["df"]\n{ROLES}'
    )
    configuration = configure(source, FakeHost(), lambda _: None)
    text = next(str(each) for each in configuration.warnings if "sudo" in each.text)
    (found,) = [str(each) for each in placed(Linter(configuration).findings(), source)]
    assert found == f"{text} [privileges]"
    assert without_told(configuration.warnings, configuration) == [
        each for each in configuration.warnings if "sudo" not in each.text
    ]


def test_each_speaks_for_itself() -> None:
    """What one command means no other does."""
    commands = "".join(f'[commands.{name}]\nrun = ["sh", "-c", "df"]\n{more}' for name, more in _TWO.items())
    (found,) = lines(f"{LISTEN}{ROLES}{commands}")
    assert ": commands.x.run: " in found


def test_what_is_hostile_is_made_visible() -> None:
    """A name in the file that would write to a terminal does not."""
    (found,) = lines(f'{LISTEN}{COMMANDS}{ROLES}[commands.x]\nrun = ["/\\u001b[2Jx/less", "a"]\n')
    assert "\x1b" not in found
    assert "/\\x1b[2Jx/less is a pager" in found
