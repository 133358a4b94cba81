"""What daemon and runner have of root's privileges once the listeners are open; only root can find out."""

import os
import pwd
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from tests.integration.daemon import Daemon, Listener, is_alive, is_listening, prepared, running, shell
from tests.integration.users import NOBODY
from tests.privsep.playing import children, rss_bytes
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")]

_ID = {"run": ["id"]}
AS_NOBODY: Mapping[str, object] = {"user": "nobody"}
COMMANDS: Mapping[str, Mapping[str, object]] = {
    "word": shell("echo word"),
    "theirs": {**_ID, **AS_NOBODY},
    "ours": _ID,
    "status": {"run": ["cat", "/proc/self/status"], **AS_NOBODY},
    "long": {**shell("echo begun; exec sleep 60"), **AS_NOBODY},
}
#: Of capabilities(7): DAC_READ_SEARCH, KILL, SETGID, SETUID.
_LITTLE = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7


def _status(pid: int) -> Mapping[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _runner_of(daemon: Daemon) -> int:
    return wait_until(lambda: [each for each in children(daemon.pid) if is_alive(each)], "there is a runner")[0]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that root has started."""
    with running(tmp_path, COMMANDS) as daemon:
        yield daemon


@pytest.fixture
def open_daemon() -> Iterator[Daemon]:
    """Give a daemon that is not started, in a directory that everybody may enter."""
    with tempfile.TemporaryDirectory() as directory, prepared(Path(directory)) as daemon:
        daemon.directory.chmod(0o755)
        yield daemon


def _user_of(daemon: Daemon) -> int:
    """Say whom a daemon has become: whose its state directory is."""
    return daemon.state_directory.stat().st_uid


def test_daemon_has_nothing_of_root(daemon: Daemon) -> None:
    """All its numbers are its own, it has no group, no capability, and gains none; programs are barred."""
    status = _status(daemon.pid)
    user = _user_of(daemon)

    assert 61184 <= user <= 65519 or pwd.getpwuid(user).pw_name == "cmdserver"
    assert set(status["Uid"].split()) == {str(user)}
    assert set(status["Gid"].split()) == {str(daemon.state_directory.stat().st_gid)}
    assert status["Groups"] == ""
    assert {status[each] for each in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for thread in Path(f"/proc/{daemon.pid}/task").iterdir():
        status = _status_of_thread(thread)
        assert (status["Uid"].split()[0], status["Seccomp"], status["CapEff"]) == (str(user), "2", "0" * 16)


def _status_of_thread(thread: Path) -> Mapping[str, str]:
    lines = (thread / "status").read_text("ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_daemon_holds_nothing_of_roots(daemon: Daemon) -> None:
    """Of what it has open nothing is a directory, or a file of root's that it may write, but its log."""
    for entry in Path(f"/proc/{daemon.pid}/fd").iterdir():
        try:
            target = entry.readlink()
            about = Path(f"/proc/{daemon.pid}/fdinfo/{entry.name}").read_text("ascii")
        except FileNotFoundError:
            continue  # it was closed meanwhile
        flags = int(about.split("flags:")[1].split()[0], 8)
        if not str(target).startswith("/") or str(target) == os.devnull or entry.name in {"1", "2"}:
            continue
        assert not target.is_dir(), target
        if flags & os.O_ACCMODE != os.O_RDONLY:
            assert target.stat().st_uid == _user_of(daemon), target


def test_runner_keeps_what_it_needs(tmp_path: Path) -> None:
    """Where no command is root's the runner cannot do what root can, but become others, signal them, and read files."""
    commands = {name: {**table, **AS_NOBODY} for name, table in COMMANDS.items()}
    with running(tmp_path, commands) as daemon:
        for pid in (_runner_of(daemon), children(_runner_of(daemon))[0]):
            status = _status(pid)
            assert {int(status[each], 16) for each in ("CapEff", "CapPrm", "CapBnd")} == {_LITTLE}
            assert status["CapInh"] == status["CapAmb"] == "0" * 16
            assert status["NoNewPrivs"] == "1"
        assert daemon.ask("theirs\n").startswith(b"uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)")


def test_first_command_of_roots_takes_a_restart(tmp_path: Path) -> None:
    """A runner that cannot do what root can is not asked to at SIGHUP: that is a mistake, and nothing is changed."""
    commands = {name: {**table, **AS_NOBODY} for name, table in COMMANDS.items()}
    with running(tmp_path, commands) as daemon:
        daemon.configure(COMMANDS)
        daemon.reload()

        assert "nothing was changed" in daemon.log()
        assert "restart" in daemon.log()
        assert daemon.ask("ours\n").startswith(b"uid=65534(nobody)")


def test_commands_run_as_who_they_are(daemon: Daemon) -> None:
    """A command of nobody's has nobody's numbers, no groups, no capabilities; another one is root's."""
    assert daemon.ask("theirs\n") == b"uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"
    assert daemon.ask("ours\n").startswith(b"uid=0(root) gid=0(root)")
    status = dict(line.split(":", 1) for line in daemon.ask("status\n").decode().splitlines())
    assert status["Groups"].strip() == ""
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


def test_commands_of_others_can_be_ended(daemon: Daemon) -> None:
    """The runner may signal whom it has started, whoever that is."""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"long\n")
        assert client.read_line() == b"begun\n"
        client.reset()
    wait_until(lambda: not daemon.processes(), "it is ended")


def test_state_below_a_directory_of_roots(tmp_path: Path) -> None:
    """The state directory is found again though its owner may not go where it is; its files are the owner's then."""
    tmp_path.chmod(0o700)
    with running(tmp_path, COMMANDS, listeners=[Listener(login="required", tls=True)]) as daemon:
        assert daemon.ask("word\n") == b"word\n"
        wait_until(daemon.audit, "it is audited")
        daemon.reload()
        assert "configuration read again" in daemon.log()
        assert daemon.ask("word\n") == b"word\n"
        assert [each["outcome"] for each in daemon.audit()] == ["ok", "ok"]
        assert len({path.stat().st_uid for path in (daemon.state_directory, *daemon.state_directory.iterdir())}) == 1


def test_state_directory_may_be_a_link(tmp_path: Path) -> None:
    """The administrator may keep it elsewhere: /var/lib/cmdserver may be a link, as systemd's are."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    with prepared(tmp_path) as daemon:
        daemon.state_directory.symlink_to(tmp_path / "elsewhere")
        daemon.configure(COMMANDS)
        daemon.start()
        assert daemon.ask("word\n") == b"word\n"
        daemon.stop()
    assert (tmp_path / "elsewhere" / "audit.jsonl").exists()


@pytest.mark.parametrize("kind", ["link", "link to a directory", "link below", "hard link", "pipe", "dangling link"])
def test_planted_files(daemon_to_be: Daemon, kind: str) -> None:
    """Who was the daemon's user yesterday leads root nowhere today, whether or not the daemon starts with it."""
    daemon = daemon_to_be
    victim = daemon.directory / "victim"
    victim.write_text("untouched", "ascii")
    victim.chmod(0o600)
    state = daemon.state_directory
    state.mkdir(mode=0o700)
    below = state / "authorized_keys"
    planted = state / "audit.jsonl"
    match kind:
        case "link":
            planted.symlink_to(victim)
        case "link to a directory":
            planted = below
            below.symlink_to(daemon.directory)
        case "link below":
            below.mkdir()
            planted = below / "ada"
            planted.symlink_to(victim)
        case "hard link":
            planted.hardlink_to(victim)
        case "pipe":
            os.mkfifo(planted)
        case "dangling link":
            planted = state / "passwd"
            planted.symlink_to(daemon.directory / "not there")
    for path in (state, *state.rglob("*")):
        if kind != "hard link" or path != planted:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    daemon.configure(COMMANDS, runner={"daemon_user": "nobody"}, listeners=[Listener(login="required", tls=True)])

    if planted.name == "audit.jsonl":
        done = daemon.run_to_end()
        assert done.returncode == 1
        assert f"cannot open the audit file {planted}" in done.stdout + done.stderr
    else:
        daemon.start()
        assert daemon.ask("word\n") == b"word\n"
        daemon.stop()

    assert (victim.read_text("ascii"), victim.stat().st_uid) == ("untouched", 0)
    assert not (daemon.directory / "not there").exists()


def test_a_backup_of_hard_links(daemon_to_be: Daemon) -> None:
    """``cp -al`` of the state directory keeps nothing from starting, and the audit file goes on."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS, listeners=[Listener(login="required", tls=True)])
    for count in (1, 2):
        daemon.start()
        assert daemon.ask("word\n") == b"word\n"
        daemon.stop()
        assert len(daemon.audit()) == count
        if count == 1:
            subprocess.run(["cp", "-al", daemon.state_directory, daemon.directory / "backup"], check=True)


def test_group_and_mode_of_the_audit_file_are_left(daemon_to_be: Daemon) -> None:
    """Who collects logs may have been given the group; a restart takes nothing back."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    daemon.start()
    assert daemon.ask("word\n") == b"word\n"
    daemon.stop()
    os.chown(daemon.audit_file, -1, 4)
    daemon.audit_file.chmod(0o640)
    daemon.start()
    assert daemon.ask("word\n") == b"word\n"

    status = daemon.audit_file.stat()
    assert (status.st_gid, status.st_mode & 0o777) == (4, 0o640)
    assert len(daemon.audit()) == 2
    daemon.stop()


@pytest.mark.parametrize("what", ["audit", "log", "pid", "socket"])
def test_a_directory_that_others_may_write(open_daemon: Daemon, what: str) -> None:
    """Links that the daemon's user has put where root's files are to be lead root nowhere; a sentence says why not."""
    daemon = open_daemon
    secrets, theirs = daemon.directory / "secrets", daemon.directory / "theirs"
    secrets.mkdir(mode=0o700)
    theirs.mkdir()
    victim = secrets / "victim"
    victim.write_text("untouched", "ascii")
    victim.chmod(0o600)
    for name in ("link", "link.lock"):
        (theirs / name).symlink_to(victim)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    link = theirs / "link"
    daemon.configure(
        COMMANDS,
        runner={"daemon_user": "nobody"},
        audit_file=str(link) if what == "audit" else None,
        listen=[daemon.endpoint(), *([f"unix:{link}"] if what == "socket" else [])],
    )
    line = daemon.command_line("-n", *([f"--logfile={link}"] if what == "log" else []))
    if what == "pid":
        line[line.index(f"--pidfile={daemon.pid_file}")] = f"--pidfile={link}"
    done = subprocess.run(
        line, cwd=daemon.directory, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )

    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert str(link) in said
    assert "Traceback" not in said
    status = victim.stat()
    assert (victim.read_text("ascii"), status.st_uid, status.st_mode & 0o777) == ("untouched", 0, 0o600)


def test_files_in_a_directory_of_the_daemons(open_daemon: Daemon) -> None:
    """Where the daemon's user owns the directory all of them are its own, and it removes and reopens them itself."""
    daemon = open_daemon
    theirs = daemon.directory / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    daemon.configure(
        COMMANDS,
        runner={"daemon_user": "nobody"},
        audit_file=str(theirs / "audit.jsonl"),
        listen=[daemon.endpoint(), f"unix:{theirs}/socket"],
    )
    line = daemon.command_line("-n", f"--logfile={theirs}/log")
    line[line.index(f"--pidfile={daemon.pid_file}")] = f"--pidfile={theirs}/pid"
    daemon.start(command_line=line)
    try:
        assert daemon.ask("word\n") == b"word\n"
        names = {"audit.jsonl", "log", "pid", "socket", "socket.lock"}
        assert {path.name: path.lstat().st_uid for path in theirs.iterdir()} == dict.fromkeys(names, NOBODY)

        (theirs / "log").rename(theirs / "renamed")
        (theirs / "audit.jsonl").rename(theirs / "audit.1")
        daemon.signal(signal.SIGUSR1)
        wait_until((theirs / "log").exists, "the log is opened anew")
        daemon.signal(signal.SIGHUP)
        wait_until((theirs / "audit.jsonl").exists, "the audit file is opened anew")
        wait_until(lambda: "configuration read again" in (theirs / "log").read_text("utf-8"), "it is logged there")
    finally:
        daemon.stop()
    assert {path.name for path in theirs.iterdir()} == {"audit.jsonl", "audit.1", "log", "renamed"}


def test_audit_file_of_roots(open_daemon: Daemon) -> None:
    """One that only root may open is opened by root; a reload goes on in it, and its rotation is refused in words."""
    daemon = open_daemon
    logs = daemon.directory / "logs"
    logs.mkdir()
    daemon.audit_file = logs / "audit.jsonl"
    daemon.audit_file.touch(0o640)
    daemon.configure(COMMANDS, audit_file=str(daemon.audit_file))
    daemon.start()
    assert daemon.ask("word\n") == b"word\n"
    daemon.configure({**COMMANDS, "more": shell("echo more")}, audit_file=str(daemon.audit_file))
    daemon.reload()
    assert daemon.ask("more\n") == b"more\n"
    assert ([each["command"] for each in daemon.audit()], daemon.audit_file.stat().st_uid) == (["word", "more"], 0)

    daemon.audit_file.rename(logs / "audit.1")
    daemon.reload()

    assert "let who rotates it make it anew" in daemon.log()
    assert daemon.ask("more\n") == b"more\n"
    daemon.stop()


def test_key_that_the_daemon_could_have_put_there(open_daemon: Daemon) -> None:
    """The runner reads no file of root's for the daemon by a link of the daemon's, nor waits for its pipe."""
    daemon, authority, listener = open_daemon, trustme.CA(), Listener(tls=True)
    theirs = daemon.directory / "theirs"
    tls = _write_pair(theirs, authority)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    daemon.configure(COMMANDS, listeners=[listener], tls=tls, runner={"daemon_user": "nobody"})
    daemon.start()
    before = _certificate(listener)
    _write_pair(theirs, authority)
    for path in theirs.iterdir():
        os.chown(path, NOBODY, NOBODY)
    daemon.reload()
    after = _certificate(listener)
    assert after != before, "its own files are read by itself"

    secret = daemon.directory / "secret.pem"
    (theirs / "key.pem").rename(secret)
    os.chown(secret, 0, 0)
    for plant in (lambda: (theirs / "key.pem").symlink_to(secret), lambda: os.mkfifo(theirs / "key.pem", 0o666)):
        plant()
        before_log = len(daemon.log())
        daemon.reload()
        assert "nothing was changed" in daemon.log()[before_log:]
        assert daemon.ask("word\n") == b"word\n"
        (theirs / "key.pem").unlink()
    assert _certificate(listener) == after
    daemon.stop()


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_configuration_that_others_may_write(daemon_to_be: Daemon, kind: str) -> None:
    """Who can change it decides what root does, so root goes by none that others can change."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    (daemon.directory if kind == "directory" else daemon.config_file).chmod(0o777)

    done = daemon.run_to_end()

    assert done.returncode == 1
    assert "may be written by others" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_have_ended_whatever_the_pid_file_is(daemon_to_be: Daemon) -> None:
    """A pid file that has become a pipe keeps the runner from nothing when the daemon is killed."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    daemon.start()
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"long\n")
        assert client.read_line() == b"begun\n"
        runner = _runner_of(daemon)
        daemon.pid_file.unlink()
        os.mkfifo(daemon.pid_file)
        daemon.signal(signal.SIGKILL)
        wait_until(lambda: not daemon.processes(), "commands end with their daemon")
        wait_until(lambda: not is_alive(runner), "the runner ends")
    daemon.pid_file.unlink()


def test_who_runs_as_whom_is_said(daemon_to_be: Daemon) -> None:
    """At the start: commands that are root's because they name nobody, and a user that others are, too."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS, runner={"daemon_user": "nobody"})
    checked = daemon.run_to_end("--check")
    assert checked.returncode == 0
    assert "nobody is whom other services run as" in checked.stderr
    daemon.start()
    assert "commands that name no user run as root: ours, word" in daemon.log()
    assert "nobody is whom other services run as" in daemon.log()
    daemon.stop()


def _write_pair(directory: Path, authority: trustme.CA) -> Mapping[str, object]:
    """Put a certificate, and its key for root alone, where only root may go."""
    directory.mkdir(mode=0o700, exist_ok=True)
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(str(directory / "key.pem"))
    (directory / "key.pem").chmod(0o600)
    pair.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    return {"certificate": str(directory / "cert.pem"), "key": str(directory / "key.pem")}


def _certificate(listener: Listener) -> bytes:
    """See which certificate a listener shows."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", listener.port), timeout=LIMIT_SECONDS))


def test_changed_configuration_and_key_of_roots(tmp_path: Path) -> None:
    """After root was given up SIGHUP takes up both, though only root may read them; a mistake changes nothing."""
    authority = trustme.CA()
    listener = Listener(tls=True)
    with prepared(tmp_path) as daemon:
        tls = _write_pair(tmp_path / "private", authority)
        daemon.configure(COMMANDS, listeners=[listener], tls=tls)
        daemon.config_file.chmod(0o600)
        tmp_path.chmod(0o700)
        daemon.start()
        before = _certificate(listener)

        _write_pair(tmp_path / "private", authority)
        daemon.configure({**COMMANDS, "more": shell("echo more")}, listeners=[listener], tls=tls)
        daemon.reload()
        after = _certificate(listener)
        assert after != before
        assert daemon.ask("more\n") == b"more\n"

        (tmp_path / "private" / "key.pem").write_text("no key", "ascii")
        daemon.configure({"word": shell("echo changed")}, listeners=[listener], tls=tls)
        daemon.reload()
        assert "nothing was changed" in daemon.log()
        assert _certificate(listener) == after
        assert daemon.ask("more\n") == b"more\n"
        daemon.stop()


def test_doors_added_after_root_was_given_up(tmp_path: Path) -> None:
    """What TLS and logins need can be had at SIGHUP, wherever Python is; another protocol may take a restart."""
    line, tls, web = Listener(), Listener(tls=True, login="required"), Listener(protocol="web", login="optional")
    with running(tmp_path, COMMANDS, listeners=[line]) as daemon:
        daemon.configure(COMMANDS, listeners=[line, tls])
        daemon.reload()
        assert "configuration read again" in daemon.log()
        assert _certificate(tls)

        daemon.configure(COMMANDS, listeners=[line, tls, web])
        daemon.reload()
        assert is_listening(("127.0.0.1", web.port)) or "this takes a restart" in daemon.log()
        assert daemon.ask("word\n") == b"word\n"


def test_runner_is_small(daemon: Daemon) -> None:
    """It uses less than 20 MB, also after it has been at work, and its standby hardly any of its own."""
    for _ in range(30):
        assert daemon.ask("word\n") == b"word\n"
    runner = _runner_of(daemon)

    assert rss_bytes(runner) < 20_000_000
    assert rss_bytes(children(runner)[0]) < 20_000_000


def test_runner_imports_no_twisted() -> None:
    """It would cost the runner its memory twice."""
    show = "import sys, cmdserver.privsep.__main__; print([each for each in sys.modules if each.startswith('twisted')])"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_hidden_memory(daemon: Daemon) -> None:
    """Who has become the daemon's user can look neither into the runner nor into the daemon."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    user = _user_of(daemon)
    for pid in (daemon.pid, _runner_of(daemon)):
        done = subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "cat", f"/proc/{pid}/environ"],
            capture_output=True,
            check=False,
        )
        assert b"Permission denied" in done.stderr
