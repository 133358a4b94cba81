"""What is said of a command's values, user and environment."""

import pytest

from tests.lint.doubles import lines_of_command, rules_of

_X = '[[commands.NAME.parameters]]\nname = "x"\n'


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ('run = ["report", "{x}"]\nuser = "root"', ["root-with-parameters"]),
        ('run = ["report", "{x}"]\nuser = "www"', []),
        ('run = ["env", "PAGER={x}", "report"]', ["environment-loads-code"]),
        ('run = ["env", "NAME={x}", "report"]', []),
        ('run = ["report"]\nenvironment = { GIT_SSH_COMMAND = "{x}" }', ["environment-loads-code"]),
    ],
)
def test_users_and_variables(keys: str, found: list[str]) -> None:
    """By whom it runs, and what loads code."""
    narrow = 'type = "string"\npattern = "[a-z]+"'
    assert rules_of(lines_of_command(f"{keys}\n{_X}{narrow}")) == found


def test_a_choice_loads_nothing_new() -> None:
    """The administrator has written it."""
    keys = 'run = ["report"]\nenvironment = { PAGER = "{x}" }'
    assert lines_of_command(f'{keys}\n{_X}type = "choice"\nchoices = ["cat", "less"]') == []


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ('type = "string"', ["free-string"]),
        ('type = "string"\nmax_length = 20', ["free-string"]),
        ('type = "string"\npattern = ".*"', []),
        ('type = "host"', []),
        ('type = "integer"', []),
    ],
)
def test_free_strings(keys: str, found: list[str]) -> None:
    """Only a string that may be anything."""
    assert rules_of(lines_of_command(f'run = ["report", "--", "{{x}}"]\n{_X}{keys}')) == found


def test_a_string_that_is_read_is_data() -> None:
    """Nothing takes it for a word."""
    assert lines_of_command(f'run = ["report"]\nstdin = "{{x}}"\n{_X}type = "string"') == []


def test_names_of_secrets() -> None:
    """Whoever calls a value so means it."""
    keys = 'run = ["report", "--", "{password}"]\n[[commands.NAME.parameters]]\nname = "password"\n'
    assert rules_of(lines_of_command(f'{keys}type = "string"')) == ["secret-in-arguments"]
    assert rules_of(lines_of_command(f'{keys}type = "choice"\nchoices = ["a"]')) == []
    for words in ('"--token={x}"', '"--db-password", "{x}"'):
        found = rules_of(lines_of_command(f'run = ["report", {words}]\n{_X}type = "string"'))
        assert found == ["secret-in-arguments"]
    assert rules_of(lines_of_command(f'run = ["report", "--token-file={{x}}"]\n{_X}type = "string"')) == ["free-string"]


@pytest.mark.parametrize("run", ['"doas", "df"', '"env", "sudo", "df"', '"nice", "/usr/bin/pkexec", "df"'])
def test_privileges(run: str) -> None:
    """Wherever in front of the program; what is only a word is none."""
    assert rules_of(lines_of_command(f"run = [{run}]")) == ["privileges"]
    assert lines_of_command('run = ["report", "sudo"]') == []
