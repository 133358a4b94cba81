"""What runs differently."""

import pytest

from tests.diff.doubles import FILE, differences, edited

RUN = 'run = ["df"]'


@pytest.mark.parametrize(
    ("keys", "said", "back"),
    [
        ('run = ["df", "-h"]', "~ runs df -h, before df", "~"),
        ('run = ["df"]\nuser = "root"', "+ runs as root, before as whoever starts the daemon", "-"),
        ('run = ["df"]\nuser = "www"\ngroup = "adm"', "~ runs as www:adm, before as whoever starts the daemon", "~"),
        ('run = ["df"]\nread_only = true', "+ is read_only: it is run by GET", "-"),
        ('run = ["df"]\nschedule = "5 4 * * *"', '+ runs by itself at "5 4 * * *"', "-"),
        ('run = ["df"]\ntimeout_seconds = 5', "~ timeout_seconds: 5, before 30", "~"),
        ('run = ["df"]\nworking_directory = "/srv"', '~ working_directory: "/srv", before "/"', "~"),
        ('run = ["df"]\nlimits = { open_files = 5 }', '~ limits: {"open_files": 5}, before {}', "~"),
        ('run = ["df"]\nhistory = "none"', '~ history: "none", before unset', "~"),
        ('run = ["df"]\nrate_limit = "3/1m"', '~ rate_limit: "3/1m", before unset', "~"),
        ('run = ["df"]\nconfirm = "Really?"', '~ confirm: "Really?", before unset', "~"),
        ('run = ["df"]\nstdin = "hunter2"', "~ reads something else (stdin)", "~"),
        ('run = ["df"]\nenvironment = { A = "hunter2" }', "~ environment: adds A (values are not shown)", "~"),
    ],
)
def test_keys(keys: str, said: str, back: str) -> None:
    """Each is told, with what it was; no value of an environment or a standard input is."""
    found = [each for each in edited((RUN, keys)) if not each[2:].startswith("schedule:")]
    assert len(found) == 1
    assert found[0].startswith(
        f"{said[0]} command df (run by ann{', schedule' if 'schedule' in keys else ''}): {said[2:]}"
    )
    assert "hunter2" not in found[0]
    other = [each for each in differences(FILE.replace(RUN, keys), FILE) if " command df " in each]
    assert [each[0] for each in other] == [back]


@pytest.mark.parametrize("keys", ['help = "x"', 'title = "x"', 'section = "x"', 'allow = ["shell"]'])
def test_what_people_read(keys: str) -> None:
    """It is no power."""
    assert edited((RUN, f"{RUN}\n{keys}")) == []


def test_an_environment() -> None:
    """Names alone."""
    old, new = ('environment = { A = "1", B = "2" }', 'environment = { B = "3", C = "4" }')
    found = differences(FILE.replace(RUN, f"{RUN}\n{old}"), FILE.replace(RUN, f"{RUN}\n{new}"))
    assert found == ["~ command df (run by ann): environment: adds C, changes B, takes away A (values are not shown)"]


def test_secrets_in_words() -> None:
    """They are masked, and that they differ is said."""
    old, new = (FILE.replace(RUN, f'run = ["df", "--token={each}"]') for each in ("hunter2", "hunter3"))
    assert differences(old, new) == ["~ command df (run by ann): runs df '--token=***'; what is masked is different"]


def test_a_default_is_a_line() -> None:
    """Commands that change alike stand together."""
    found = differences(FILE, "[defaults]\ntimeout_seconds = 5\n" + FILE)
    assert found == ["~ commands df, up (run by ann): timeout_seconds: 5, before 30"]


def test_new_and_gone() -> None:
    """What is new says what it is; nobody may run it yet."""
    more = '[commands.log]\nrun = ["journalctl", ["-n", "{lines}"]]\nread_only = true\n[[commands.log.parameters]]\n'
    more += 'name = "lines"\ntype = "integer"\nmaximum = 5\nrequired = false\n'
    found = differences(FILE, FILE + more)
    assert found == [
        (
            "+ command log (run by nobody): is new: runs journalctl [-n '{lines}'], read_only, takes lines (a"
            " whole number, 5 at most)"
        )
    ]
    assert differences(FILE + more, FILE) == ["- command log: is gone"]


def test_long_and_odd_words() -> None:
    """They are one line, cut visibly, and write nothing to a terminal."""
    (line,) = edited((RUN, f'run = ["df", "\\u001b[2J", "{"x" * 9000}"]'))
    assert "\x1b" not in line
    assert "characters more)" in line
    assert len(line) < 9000
