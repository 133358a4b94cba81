"""Which command lines mean the same without a shell, and into which words they fall; a real shell is asked, too."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdserver.nrpe_import.macros import expand
from cmdserver.nrpe_import.shell_words import ShellNeeded, Word, split
from tests.waiting import LIMIT_SECONDS


def words(line: str) -> list[Word]:
    """Take a line apart whose first column is 1."""
    return list(split(expand(line, 1)[0])[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/bin/check_disk -w 20% -c 10%", ["/bin/check_disk", "-w", "20%", "-c", "10%"]),
        ("  a \t b  ", ["a", "b"]),
        ("a '' \"\"", ["a", "", ""]),
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("a 'x'\"y\"z", ["a", "xyz"]),
        ("a '|;&<>()`*?[~#{a,b}'", ["a", "|;&<>()`*?[~#{a,b}"]),
        ('a "|;&<>()*?[~#{a,b}"', ["a", "|;&<>()*?[~#{a,b}"]),
        ("a \\| \\; \\* \\\\ \\' \\\" \\` \\ ", ["a", "|", ";", "*", "\\", "'", '"', "`", " "]),
        ('a "\\" \\\\ \\` \\n \\x"', ["a", '" \\ ` \\n \\x']),
        ("a 'it'\\''s'", ["a", "it's"]),
        ("a b~c x=~y b#c {} { } a{b}", ["a", "b~c", "x=~y", "b#c", "{}", "{", "}", "a{b}"]),
        ("a x=1 --o=a=b %A% @ ^ ! , . : + -", ["a", "x=1", "--o=a=b", "%A%", "@", "^", "!", ",", ".", ":", "+", "-"]),
        ("a ] } if cd", ["a", "]", "}", "if", "cd"]),
        ("'if' \\cd \"for\"", ["if", "cd", "for"]),
        ("a é ☃", ["a", "é", "☃"]),
        # nrpe makes one dollar sign of two, and two of one, before a shell sees them.
        ("a '^x$$' \"y$$\"", ["a", "^x$", "y$"]),
        ("a 'p$b$q'", ["a", "p$b$q"]),
    ],
)
def test_what_a_shell_adds_nothing_to(line: str, expected: list[str]) -> None:
    """It is taken, as the shell's words."""
    assert words(line) == [(each,) for each in expected]


def test_a_lonely_dollar_sign() -> None:
    """Nrpe puts another behind what follows it, and what follows goes on to the end of the line."""
    assert words("a 'x$'") == [("a",), ("x$$",)]
    assert words("a 'x$ y'") == [("a",), ("x$ y$",)]


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        ("a | b", 3, "| is the shell's: a pipe"),
        ("a || b", 3, "| is the shell's"),
        ("a; b", 2, "; is the shell's"),
        ("a && b", 3, "& is the shell's"),
        ("a &", 3, "& is the shell's"),
        ("a < f", 3, "< is the shell's: a redirection"),
        ("a 2>/dev/null", 4, "> is the shell's: a redirection"),
        ("a >> f", 3, "> is the shell's"),
        ("(a)", 1, "( is the shell's"),
        ("a)", 2, ") is the shell's"),
        ("a `b`", 3, "` is the shell's: a command substitution"),
        ('a "`b`"', 4, "` is the shell's: a command substitution"),
        ("a $(b)", 3, "$( is the shell's: a command substitution"),
        ('a "$(b)"', 4, "$( is the shell's"),
        ("a $((1+1))", 3, "$( is the shell's"),
        ("a $HOME", 3, "$HOME is the shell's: a variable"),
        ('a "x $HOME"', 6, "$HOME is the shell's: a variable"),
        ("a ${HOME}", 3, "${HOME} is the shell's"),
        ("a ${HOME", 3, "${HOME$ is the shell's"),
        ("a $? b", 3, "$? is the shell's"),
        ("a $1", 3, "$1 is the shell's"),
        ("a $HOST$", 3, "$HOST is the shell's"),
        ("a *.log", 3, "* is the shell's: for names of files"),
        ("a b?", 4, "? is the shell's"),
        ("a [ab]", 3, "[ is the shell's"),
        ("[ -f x ]", 1, "[ is the shell's"),
        ("a ~", 3, "~ is the shell's: for a home directory"),
        ("~/bin/a", 1, "~ is the shell's"),
        ("a # b", 3, "# is the shell's: before a comment"),
        ("a {b,c}", 3, "{b,c} is the shell's"),
        ("a x{1..3}", 3, "{1..3} is the shell's"),
        ("a {'b',c}", 3, "{…,c} is the shell's"),
        ("a b\\", 4, "\\ at the end goes on in the next line"),
        ("a 'b", 3, "the quote ' has no end"),
        ('a "b', 3, 'the quote " has no end'),
        ('a "b\\"', 3, 'the quote " has no end'),
        ("LANG=C a", 1, "LANG= before a command sets a variable"),
        ("X+=1 a", 1, "X= before a command sets a variable"),
        ("X='a b' c", 1, "X= before a command sets a variable"),
        ("if a", 1, "if is the shell's: a word of its own"),
        ("! a", 1, "! is the shell's: a word of its own"),
        ("{ a", 1, "{ is the shell's: a word of its own"),
        ("cd /x", 1, "cd is the shell's: a word of its own"),
        ("exec a", 1, "exec is the shell's"),
        (". /x", 1, ". is the shell's"),
        ("a $$'b$$'", 3, "$ is the shell's: something else in each"),
    ],
)
def test_what_takes_a_shell(line: str, column: int, what: str) -> None:
    """It is refused, with what and where."""
    with pytest.raises(ShellNeeded) as raised:
        words(line)
    assert str(raised.value).startswith(f"column {column}: {what}")


@pytest.mark.parametrize("line", ["", "  ", "\t"])
def test_no_command(line: str) -> None:
    """There must be one."""
    with pytest.raises(ShellNeeded, match="there is no command in it"):
        words(line)


def test_arguments() -> None:
    """They are places in words, whatever quotes are around them; outside of quotes it is told."""
    units, nothing = expand("a $ARG1$ -w $ARG2$% '$ARG3$ x' \"y$ARG1$\" $ARG16$$ARG4$", 1)
    found, unquoted = split(units)
    assert found == [("a",), (1,), ("-w",), (2, "%"), (3, " x"), ("y", 1), (16, 4)]
    assert set(unquoted) == {1, 2, 4, 16}
    assert list(nothing) == []


@pytest.mark.parametrize("macro", ["$ARG0$", "$ARG17$", "$ARG$", "$ARGx$", "$ARG-1$", f"$ARG{'9' * 5000}$"])
def test_arguments_that_are_nothing(macro: str) -> None:
    """Nrpe has sixteen, and puts nothing in the place of others."""
    assert expand(f"a {macro}", 1)[1] == [macro]


def test_a_value_behind_a_backslash_or_a_dollar_sign() -> None:
    """Its first character would mean something else."""
    for line in ("a \\$ARG1$", "a $$$ARG1$", 'a "$$$ARG1$"'):
        with pytest.raises(ShellNeeded):
            words(line)


def test_columns() -> None:
    """They are those of the line in the file."""
    with pytest.raises(ShellNeeded, match=r"^column 25: "):
        split(expand("a $ARG1$ | b", 16)[0])


@given(st.text(max_size=50))
def test_any_text(line: str) -> None:
    """It gives words, or a reason."""
    try:
        found = words(line)
    except ShellNeeded as error:
        assert str(error)  # noqa: PT017 - either may come
    else:
        assert found
        assert all(each for each in found)


def test_long_lines() -> None:
    """They take a time that grows as they do."""
    for text in ("{" + "," * 60_000, "$" * 60_000, "'" * 60_000, '"\\' * 30_000, "a=" * 30_000, "{,}" * 20_000):
        try:
            words(f"a {text}")
        except ShellNeeded:
            continue


_LINES = st.text(st.sampled_from("ab1 \t'\"\\$`|;&<>()*?[]{}~#=!.,/:%@^+-\u00e9"), max_size=25)


@pytest.mark.slow
@pytest.mark.parametrize("shell", [("dash",), ("bash", "--posix")], ids=lambda words: words[0])
def test_a_real_shell_agrees(shell: tuple[str, ...]) -> None:
    """Whatever is taken falls into the same words there; nrpe's macros are replaced before."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"there is no {shell[0]}")
    taken = 0

    @settings(max_examples=3000, deadline=None)
    @given(_LINES)
    def ask(line: str) -> None:
        nonlocal taken
        units = expand(f"a {line}", 1)[0]
        try:
            found = split(units)[0]
        except ShellNeeded:
            return
        taken += 1
        given_to_shell = "".join(each.character for each in units)[2:]
        script = f"printf '%s\\0' {given_to_shell}"
        done = subprocess.run(
            [*shell, "-c", script], capture_output=True, timeout=LIMIT_SECONDS, check=False, cwd="/", env={}
        )
        expected = "".join(f"{''.join(map(str, each))}\0" for each in found[1:]) or "\0"
        assert done.stdout.decode() == expected, (line, done.stderr)

    ask()
    assert taken > 300
