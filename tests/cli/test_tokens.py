"""``cmdserver token``."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cmdserver.auth.credential_formats import token_digest
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.files.last_uses import NAME, token_id
from tests.cli.doubles import Run, done


def test_a_token(run: Run, files: CredentialStore, state: Path) -> None:
    """It alone is on standard output, it is long, and it is not in the file."""
    options = ["--expires", "2999-01-31T01:00:00+01:00", "--from", "10.0.0.0/8,::1", "--commands", "df,dff"]
    result = run("token", "add", "ann", *options)
    secret = done(result).removesuffix("\n")
    (token,) = files.tokens()

    assert len(secret) == 43
    assert token.sha256 == token_digest(secret)
    assert secret not in (state / "tokens").read_text()
    assert (
        (state / "tokens").read_text().endswith(" expires=2999-01-31T00:00:00Z from=10.0.0.0/8,::1 commands=df,dff\n")
    )
    assert result.stderr == "cmdserver: note: there is no command dff in the configuration\n"
    assert done(run("token", "add", "ann")) != done(run("token", "add", "ann"))


@pytest.mark.parametrize(("text", "days"), [("90d", 90.0), ("2w", 14.0), ("36h", 1.5), ("1440m", 1.0), ("43200s", 0.5)])
def test_how_long(run: Run, files: CredentialStore, text: str, days: float) -> None:
    """An end may be so long from now."""
    before = datetime.now(UTC)
    done(run("token", "add", "ann", "--expires", text))
    (token,) = files.tokens()

    assert token.expires is not None
    assert timedelta(seconds=-2) < token.expires - before - timedelta(days=days) < timedelta(minutes=10)


@pytest.mark.parametrize("text", ["90", "0d", "-1d", "1y", "9999999999d", "999999999999w", "1d1h", "\u0661d"])
def test_no_length(run: Run, state: Path, text: str) -> None:
    """What could be meant otherwise is no time, nor what no calendar reaches."""
    assert run("token", "add", "ann", f"--expires={text}").exit_code == 2
    assert not state.exists()


def test_globs(run: Run, files: CredentialStore) -> None:
    """As roles have them; one that matches nothing is told."""
    assert run("token", "add", "ann", "--commands", "d*,up?ime").stderr == ""
    assert "note: x* matches no command" in run("token", "add", "ann", "--commands", "x*").stderr
    assert [token.commands for token in files.tokens()] == [frozenset({"d*", "up?ime"}), frozenset({"x*"})]


def test_labels(run: Run, files: CredentialStore) -> None:
    """One of a user's tokens has a label; another user's may have the same."""
    done(run("token", "add", "ann", "--name", "ci"))
    done(run("token", "add", "bob", "--name", "ci"))
    result = run("token", "add", "ann", "--name", "ci")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "cmdserver: ann has a token ci already\n"
    assert run("token", "add", "ann", "--name", "a b").exit_code == 2
    assert [(token.name, token.label) for token in files.tokens()] == [("ann", "ci"), ("bob", "ci")]


def test_the_list(run: Run, files: CredentialStore, state: Path) -> None:
    """What each is good for, and when and from where it was last used; no secret, and nothing where there is none."""
    assert done(run("token", "list")) == ""
    secret = done(run("token", "add", "bob", "--name", "ci", "--from", "10.0.0.0/8", "--commands", "up*,df")).strip()
    done(run("token", "add", "ann"))
    with (state / "tokens").open("a") as file:
        file.write(f"ann {'ab' * 32} name=old expires=2001-01-31T00:00:00Z\n")
    used = token_id(token_digest(secret))
    (state / NAME).write_text(f'[{{"user":"bob","credential":"{used}","time":978307200.5,"source":"::1"}}]')

    result = run("token", "list")
    head, *lines = done(result).splitlines()
    assert head.split() == ["NAME", "LABEL", "EXPIRES", "FROM", "COMMANDS", "LAST-USED", "LAST-FROM"]
    assert [line.split() for line in lines] == [
        ["ann", files.tokens()[1].handle, "never", "anywhere", "all", "never", "-"],
        ["ann", "old", "2001-01-31T00:00:00Z", "anywhere", "all", "never", "-"],
        ["bob", "ci", "never", "10.0.0.0/8", "df,up*", "2001-01-01T00:00:00Z", "::1"],
    ]
    assert {line.index(cell) for line, cell in ((head, "EXPIRES"), (lines[2], "never"))} == {head.index("EXPIRES")}
    assert result.stderr == "cmdserver: note: the token old of ann has expired\n"
    assert secret not in result.output
    assert done(run("token", "list", "bob")).splitlines()[1].split() == lines[2].split()
    assert run("token", "list", "eve").stderr == "cmdserver: there is no user eve\n"


@pytest.mark.parametrize("content", [b"\xff", b"{}", b"[[", b'[{"user":"a"}]', b"[" * 100_000])
def test_last_uses_that_make_no_sense(run: Run, state: Path, content: bytes) -> None:
    """The list is there all the same."""
    done(run("token", "add", "ann"))
    (state / NAME).write_bytes(content)
    result = run("token", "list")

    assert done(result).splitlines()[1].split()[-2:] == ["never", "-"]
    assert "note: the last uses are not known: " in result.stderr


def test_odd_last_uses(run: Run, files: CredentialStore, state: Path) -> None:
    """Whatever has been written down: a cell is a word, and nothing acts on a terminal."""
    done(run("token", "add", "ann"))
    used = token_id(files.tokens()[0].sha256)
    for time, source, shown in (
        ("1e300", "x", ["unknown", "-"]),
        ("-1e15", "x", ["unknown", "-"]),
        ("0", "\\u001b[2J \\n", ["1970-01-01T00:00:00Z", "^[[2J^J"]),
        ("0", "", ["1970-01-01T00:00:00Z", "-"]),
    ):
        (state / NAME).write_text(f'[{{"user":"ann","credential":"{used}","time":{time},"source":"{source}"}}]')
        assert done(run("token", "list")).splitlines()[1].split()[-2:] == shown


def test_removal(run: Run, files: CredentialStore, state: Path) -> None:
    """One token, by its label or, without one, as the list calls it; comments and others stay."""
    for words in (("ann", "--name", "ci"), ("ann",), ("bob", "--name", "ci")):
        done(run("token", "add", *words))
    text = (state / "tokens").read_text().splitlines()
    (state / "tokens").write_text("# ours\n" + "\n".join(text) + "\n\nann nonsense name=ci\n")
    handle = files.tokens()[1].handle

    assert done(run("token", "remove", "ann", "ci")) == ""
    assert (state / "tokens").read_text() == f"# ours\n{text[1]}\n{text[2]}\n\nann nonsense name=ci\n"
    result = run("token", "remove", "ann", "ci\n")
    assert result.exit_code == 1
    assert result.stderr == f"cmdserver: ann has no token ci^J; there are: {handle}\n"
    done(run("token", "remove", "ann", handle))
    assert run("token", "remove", "ann", handle).stderr == f"cmdserver: ann has no token {handle}; there is no token\n"
    assert [token.name for token in files.tokens()] == ["bob"]
