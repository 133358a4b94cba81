"""The command ``cmdserver``."""

import io
import os
import pty
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import bcrypt
import click
import pytest

from cmdserver.auth.credential_store import INITIAL_PASSWORD_FILE, CredentialStore
from cmdserver.cli.main import main
from tests.auth.test_credential_store import public_key
from tests.cli.doubles import CONFIGURATION, PASSWORD, Run, done

# Users


def test_users_come_and_go(run: Run, files: CredentialStore, state: Path) -> None:
    """The state directory is made for the first; what is done is not talked about."""
    assert done(run("user", "add", "ann", "--password-stdin", stdin="the first\nsecond\n")) == ""
    assert bcrypt.checkpw(b"the first", files.passwords()["ann"])
    assert state.stat().st_mode & 0o777 == 0o700

    assert done(run("user", "passwd", "ann", "--password-stdin", stdin="grünes Gras\r\n")) == ""
    assert bcrypt.checkpw("grünes Gras".encode(), files.passwords()["ann"])

    assert done(run("user", "remove", "ann")) == ""
    assert files.users() == ()


def test_a_password_from_powershell(run: Run, files: CredentialStore) -> None:
    """The byte order mark before a pipe is no part of the password, nor is the line's end."""
    done(run("user", "add", "ann", "--password-stdin", stdin=b"\xef\xbb\xbfsecret12\r\n"))
    assert bcrypt.checkpw(b"secret12", files.passwords()["ann"])


def test_the_list(run: Run, state: Path) -> None:
    """Who there is, with what they log in, and what they are; complaints do not get into scripts."""
    assert done(run("user", "list")) == ""
    for word in ("user add ann", "user add roberta"):
        done(run(*word.split(), "--password-stdin", stdin=PASSWORD))
    done(run("key", "add", "ann", stdin=public_key() + public_key()))
    done(run("token", "add", "ann"))
    done(run("token", "add", "cid"))
    with (state / "passwd").open("a") as passwd:
        passwd.write("dora:x\n")

    result = run("user", "list")
    assert done(result).splitlines() == [
        "ann      password, 2 keys, 1 token; roles: watchers",
        "cid      1 token; roles: (none)",
        "roberta  password; roles: (none)",
    ]
    assert f"{state}/passwd:3: dora: no bcrypt hash" in result.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "complaint"),
    [
        ("user add ann --password-stdin", PASSWORD, "there is a user ann already; to change"),
        ("user add bob --password-stdin", "", "the password is empty"),
        ("user add bob --password-stdin", "\nx", "the password is empty"),
        ("user add bob --password-stdin", "1234567", "7 characters; it needs 8"),
        ("user passwd ann --password-stdin", "grünes!\n", "7 characters; it needs 8"),
        ("user add bob --password-stdin", "x" * 73, "73 bytes long"),
        ("user add bob --password-stdin", b"\xff" * 8, "not valid Unicode"),
        ("user add bob", "x\nx\n", "use --password-stdin"),
        ("user passwd bob --password-stdin", PASSWORD, "there is no user bob"),
        ("user remove bob", "", "there is no user bob"),
        ("key add bob", "x", "line 1: "),
        ("key add bob", "", "there is no key"),
        ("key add bob", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "private"),
        ("user list --config /nonexistent", "", "/nonexistent"),
        ("user list --state-dir /proc/x", "", "/proc/x"),
    ],
)
def test_what_cannot_bedone(run: Run, files: CredentialStore, words: str, stdin: str | bytes, complaint: str) -> None:
    """One line on standard error, exit status 1, and nothing is changed."""
    done(run("user", "add", "ann", "--password-stdin", stdin=PASSWORD))
    before = dict(files.passwords())

    result = run(*words.split(), stdin=stdin)

    assert result.exit_code == 1
    assert result.stdout == "" or isinstance(result.exception, SystemExit)
    assert result.output.startswith("cmdserver: ")
    assert complaint in result.output
    assert (dict(files.passwords()), files.users()) == (before, ("ann",))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "user",
        "nonsense",
        "user add",
        "user add ../x --password-stdin",
        "user add -- -x",
        "user add anonymous --password-stdin",
        "user add schedule --password-stdin",
        "user add hook:x --password-stdin",
        "key add schedule",
        "token add hook:x",
        "user list --nonsense",
        "key add ann /nonexistent",
        "token add ann --expires tomorrow",
        "token add ann --expires 2001-01-01T00:00:00Z",
        "token add ann --from 10.*",
        "token add ann --commands Df",
        "explain ann",
        "explain ../x df",
    ],
)
def test_what_was_typed_wrongly(run: Run, state: Path, words: str) -> None:
    """Exit status 2, with a hint at what would be right; nothing is made."""
    result = run(*words.split())

    assert result.exit_code == 2
    assert "Usage: cmdserver" in result.output
    assert not state.exists()


def test_the_initial_password(run: Run, state: Path) -> None:
    """It is gone when it is not admin's any more."""
    done(run("user", "add", "admin", "--password-stdin", stdin=PASSWORD))
    (state / INITIAL_PASSWORD_FILE).write_text("x")
    done(run("user", "passwd", "admin", "--password-stdin", stdin="another password"))

    assert not (state / INITIAL_PASSWORD_FILE).exists()


def test_names_without_roles(run: Run) -> None:
    """They are allowed, and maybe a mistake."""
    for words, stdin in ((["key", "add"], public_key()), (["token", "add"], ""), (["user", "add"], PASSWORD)):
        option = ["--password-stdin"] if words[0] == "user" else []
        assert "no role lists bob" in run(*words, "bob", *option, stdin=stdin).stderr
        assert "role" not in run(*words, "ann", *option, stdin=stdin or PASSWORD).stderr


# The configuration


def test_check(run: Run, tmp_path: Path) -> None:
    """As the daemon's own: all mistakes with their lines, and exit status 1."""
    assert "no mistakes" in done(run("check"))

    (tmp_path / "bad.toml").write_text('[commands.df]\nrun = ["no-such-program"]\nnonsense = 1\n')
    result = run("check", "--config", tmp_path / "bad.toml")
    assert result.exit_code == 1
    assert "bad.toml:2: commands.df.run" in result.output
    assert "bad.toml:3: commands.df.nonsense" in result.output


def test_check_with_warnings(run: Run, tmp_path: Path) -> None:
    """They are told with their places, and counted; the exit status says that there is no mistake."""
    config = tmp_path / "odd.toml"
    config.write_text(CONFIGURATION + "[web]\nhosts = ['x']\n[commands.other]\nrun = ['df']\n")
    result = run("check", "--config", config)

    assert done(result) == f"{config}: no mistakes, 4 warnings\n"
    assert result.stderr.splitlines() == [
        f"{config}:16: roles.watchers: is nobody's: no listener takes a login",
        f"{config}:17: roles.watchers.users: there is no user ann; cmdserver user add ann",
        f"{config}:19: web: is without effect: no listener speaks it",
        f"{config}:21: commands.other: is in no role, so nobody may run it",
    ]
    assert done(run("check", "--config", config, "--state-dir", "/proc/1/x")).endswith("4 warnings\n")


def test_included_files(run: Run, tmp_path: Path) -> None:
    """They are looked at by every command; one that cannot be read may say where the state is."""
    config, extra = tmp_path / "main.toml", tmp_path / "extra.toml"
    config.write_text(f'include = ["extra.toml"]\n{CONFIGURATION}')
    extra.write_text(f'state_dir = "{tmp_path}/elsewhere"\n')
    done(run("user", "add", "ann", "--password-stdin", "--config", config, stdin="q72t-kemy-z5u3\n"))
    assert (tmp_path / "elsewhere" / "passwd").exists()
    checked = done(run("check", "--config", config))
    assert checked == f"{config} with 1 included file: no mistakes, 1 warning\n"

    extra.write_text("[limits]\nrunning = 0\n")
    result = run("check", "--config", config)
    assert f"{extra}:2: limits.running: must be at least 1, not 0\n" in result.stderr
    assert result.exit_code == 1
    done(run("user", "list", "--config", config))
    extra.unlink()
    for words in (["check"], ["user", "list"]):
        result = run(*words, "--config", config)
        assert result.exit_code == 1
        assert f"{config}:1: include: {extra}: No such file or directory\n" in result.stderr


def test_check_of_sockets_that_systemd_opens(run: Run, tmp_path: Path) -> None:
    """They are there when systemd starts the daemon, and not when somebody checks."""
    config = tmp_path / "systemd.toml"
    config.write_text(CONFIGURATION.replace("tcp:2022:interface=127.0.0.1", "systemd:domain=INET:name=line"))

    assert "no mistakes" in done(run("check", "--config", config))


def test_a_configuration_in_another_encoding(run: Run, tmp_path: Path) -> None:
    """Its file and line are named, by whichever command reads it."""
    config = tmp_path / "latin-1.toml"
    config.write_bytes(b"# gr\xfcn\n")
    for words in (["check"], ["user", "list"]):
        result = run(*words, "--config", config)
        assert result.exit_code == 1
        assert f"{config}:1: not UTF-8: column 5 has the byte 0xfc" in result.stderr


@pytest.mark.slow
def test_what_a_terminal_cannot_show(tmp_path: Path) -> None:
    """It is shown as an escape, in what is found and in what is refused."""
    config = tmp_path / "gr\u00fcn.toml"
    config.write_text(
        CONFIGURATION.replace("'uptime'", "'\u00fc*'").replace('["uptime"]\n\n[roles.w', '["\u00fc*"]\n[roles.w')
    )
    for words, expected in (
        (["check", "--config", str(config)], rb"gr\xfcn.toml: no mistakes"),
        (["explain", "anonymous", "\u00fc", "--config", str(config)], rb'no command named "\xfc"'),
        (["\u00fc"], rb"No such command '\xfc'"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", "from cmdserver.cli.main import main; main()", *words],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "ascii", "STATE_DIRECTORY": str(tmp_path / "state")},
        )
        said = done.stdout + done.stderr
        assert expected in said
        assert said.isascii()
        assert b"Traceback" not in said


def test_explain(run: Run) -> None:
    """What would run, and by which rule."""
    said = dict(line.split(maxsplit=1) for line in done(run("explain", "ann", "df")).splitlines())

    assert said["run"] == "df -h"
    assert (said["role"], said["rule"]) == ("watchers", "d*")
    assert "anonymous" in done(run("explain", "anonymous", "uptime"))


def test_explain_what_is_no_person(run: Run, tmp_path: Path) -> None:
    """Schedules and hooks have their own rules, and not those of everybody who logs in."""
    config = tmp_path / "cmdserver.toml"
    config.write_text(config.read_text().replace("[commands.df]", '[commands.df]\nschedule = "@daily"'))

    said = dict(line.split(maxsplit=1) for line in done(run("explain", "schedule", "df")).splitlines())
    assert (said["role"], said["rule"]) == ("schedule", "df")
    assert run("explain", "hook:x", "df").exit_code == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("ann uptime", "denied: "),
        ("ann dff", "unknown_command: "),
        ("ann df -h", "bad_argument: "),
        ("bob df", "denied: "),
        ("anonymous df", "unknown_command: "),
    ],
)
def test_explaining_a_refusal(run: Run, words: str, complaint: str) -> None:
    """As the caller would be told, and what the administrator may know besides."""
    result = run("explain", *words.split())
    name = words.split(maxsplit=1)[0]

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"cmdserver: {complaint}")
    assert f"the roles of {name}: " in result.stderr
    assert f"{name} may run: " in result.stderr


def test_where_options_may_stand(run: Run, tmp_path: Path) -> None:
    """Behind any word; the last one counts, and they outweigh the environment and the file."""
    (tmp_path / "other.toml").write_text(f'state_dir = "{tmp_path}/configured"\n[roles.bosses]\nusers = ["bob"]\n')
    config = ("--config", str(tmp_path / "other.toml"))
    for words in (
        (*config, "token", "add", "bob"),
        ("token", *config, "add", "bob"),
        ("token", "add", *config, "bob"),
        ("token", "add", "bob", *config),
    ):
        assert run(*words).stderr == ""
    assert len(CredentialStore(tmp_path / "configured").tokens()) == 4

    done(run("--state-dir", "/nonexistent", "token", *config, "add", "bob", "--state-dir", tmp_path / "s"))
    assert len(CredentialStore(tmp_path / "s").tokens()) == 1


def test_a_configuration_with_mistakes(run: Run, tmp_path: Path) -> None:
    """Users can be looked after meanwhile, as long as it is clear where they are."""
    config = tmp_path / "cmdserver.toml"
    config.write_text("nonsense = 1\n")
    done(run("user", "list"))

    for text in ("state_dir = 1\n", "[[["):
        config.write_text(text)
        result = run("user", "list")
        assert result.exit_code == 1
        assert result.stderr.startswith(f"cmdserver: {config}:")


# The state directory


def test_a_directory_that_others_may_write_to(run: Run, state: Path) -> None:
    """Nothing is put there."""
    state.mkdir()
    state.chmod(0o777)
    result = run("user", "add", "ann", "--password-stdin", stdin=PASSWORD)

    assert result.exit_code == 1
    assert "others may write to the state directory" in result.output
    assert list(state.iterdir()) == []


def test_a_file_that_others_may_write_to(run: Run, state: Path) -> None:
    """It is not made ours by a change."""
    state.mkdir(mode=0o700)
    (state / "tokens").touch()
    (state / "tokens").chmod(0o666)
    result = run("token", "add", "ann")

    assert result.exit_code == 1
    assert result.output.startswith(f"cmdserver: {state}/tokens: others may write to it")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_root_works_for_the_daemons_user(run: Run, state: Path, tmp_path: Path) -> None:
    """What root adds belongs to the directory's owner, who could not read it otherwise."""
    (tmp_path / "id.pub").write_text(public_key())
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    done(run("user", "add", "ann", "--password-stdin", stdin=PASSWORD))
    done(run("key", "add", "ann", tmp_path / "id.pub"))

    made = [state / "passwd", state / ".lock", state / "authorized_keys", state / "authorized_keys" / "ann"]
    assert [path.stat().st_uid for path in made] == [65534] * 4


# The command line itself


def test_help_and_version(run: Run) -> None:
    """Every command has help, and takes the common options, but for the one that is given its files."""

    def look(group: click.Group, *words: str) -> None:
        for name, command in group.commands.items():
            said = done(run(*words, name, "--help"))
            assert ("--config" in said) == (name != "diff")
            assert ("--state-dir" in said) == (name != "diff")
            assert command.help
            if isinstance(command, click.Group):
                look(command, *words, name)

    assert done(run("--version")) == f"cmdserver {version('cmdserver')}\n"
    look(main)


@pytest.mark.slow
def test_a_terminal_is_asked(state: Path) -> None:
    """Twice, without an echo; two different answers are asked for again."""
    program = [sys.executable, "-c", "from cmdserver.cli.main import main; main()"]
    ours, theirs = pty.openpty()
    with (
        os.fdopen(ours, "rb+", buffering=0) as terminal,
        subprocess.Popen(
            [*program, "user", "add", "ann", "--state-dir", str(state)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as child,
    ):
        os.close(theirs)
        said = b""
        for prompt, answer in (
            (b"word: ", b"short"),
            (b"word: ", b"the 1st one"),
            (b"Again: ", b"other"),
            (b"word: ", b"the 2nd one"),
            (b"Again: ", b"the 2nd one"),
        ):
            while not said.endswith(prompt):
                said += terminal.read(1)
            terminal.write(answer + b"\n")
            said += b"|"
        said += b"".join(iter(partial(_read, terminal), b""))

    assert child.returncode == 0, said
    assert b"1st" not in said
    assert b"2nd" not in said
    assert b"do not match" in said
    assert bcrypt.checkpw(b"the 2nd one", CredentialStore(state).passwords()["ann"])


def _read(terminal: io.FileIO) -> bytes:
    """Read from a terminal, whose end is an error when nobody is left there."""
    try:
        return terminal.read(1000)
    except OSError:
        return b""
