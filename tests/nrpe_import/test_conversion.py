"""A whole nrpe.cfg: what is printed, what is said, and that it is TOML whatever is in it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.config.loading import configure
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.core.protocols import Protocol
from cmdserver.nrpe_import.conversion import Conversion, convert
from cmdserver.nrpe_import.files import Files
from tests.doubles import FakeHost
from tests.nrpe_import.samples import NRPE_CFG


class AnyHost(FakeHost):
    """A host that has whatever nrpe.cfg names."""

    def executable(self, name: str) -> str:
        """Find it."""
        return name if name.startswith("/") else f"/usr/bin/{name}"


def converted(text: str, name: str = "nrpe.cfg") -> Conversion:
    """Convert a text that includes nothing."""
    return convert(Files().read(text.encode(errors="surrogateescape"), name, Path("/none")), name)


def printed(text: str) -> dict[str, Any]:
    """Read what is printed."""
    return tomllib.loads(converted(text).text)


def test_the_listener_and_the_defaults() -> None:
    """They are nrpe's."""
    found = printed(NRPE_CFG)
    assert found["listen"] == [
        {
            "protocol": "nrpe",
            "endpoint": "tcp:5666",
            "tls": True,
            "login": "never",
            "from": ["127.0.0.1", "::1", "10.20.0.0/16"],
        }
    ]
    assert found["tls"] == {"certificate": "/etc/ssl/nagios-cert.pem", "key": "/etc/ssl/nagios-key.pem"}
    assert found["defaults"] == {"timeout_seconds": 45}


def test_the_commands() -> None:
    """Those that are no shell's, as the shell would run them; braces are doubled where they would mean something."""
    plugins = "/usr/lib/nagios/plugins"
    found = printed(NRPE_CFG)
    assert {name: each["run"] for name, each in found["commands"].items()} == {
        "check_users": [f"{plugins}/check_users", "-w", "8", "-c", "16"],
        "check_load": [f"{plugins}/check_load", "-r", "-w", ".15,.10,.05", "-c", ".30,.25,.20"],
        "check_hda1": [f"{plugins}/check_disk", "-w", "20%", "-c", "10%", "-p", "/dev/hda1"],
        "check_disk": [f"{plugins}/check_disk", "-w", "{arg1}", "-c", "{arg2}", "-p", "{arg3}"],
        "check_http": [f"{plugins}/check_http", "-H", "localhost", "-u", "/health?full={yes}", "-s", 'it\'s "up"'],
        "check_procs": [f"{plugins}/check_procs", "-a", "{{worker}}", "--metric={arg1}"],
        "check_raid": ["sudo", "/usr/local/lib/nagios/check_raid", "--all"],
    }
    assert all(each["check"] and each["read_only"] for each in found["commands"].values())
    assert found["commands"]["check_disk"]["parameters"] == [
        {"name": name, "type": "string"} for name in ("arg1", "arg2", "arg3")
    ]
    assert sorted(found["roles"]["anonymous"]["commands"]) == sorted(found["commands"])


def test_what_is_said() -> None:
    """Each refusal and each warning has its line, in their order."""
    conversion = converted(NRPE_CFG)
    refused = [(each.place.line, each.text) for each in conversion.remarks if each.is_refusal]
    lines = NRPE_CFG.splitlines()
    named = [(lines[line - 1].partition("=")[0], text.partition("; no shell")[0]) for line, text in refused]
    hosts = "has monitor.example, which is no address: names are not looked up here, so write its addresses"
    assert named[0] == ("allowed_hosts", f"allowed_hosts {hosts}")
    for (key, text), (name, what, reason) in zip(
        named[1:-1],
        (
            ("check_backup", "&", "for the background, or for a second command"),
            ("check_mailq", "|", "a pipe"),
            ("check_logs", "*", "for names of files; in quotes it is a character"),
            ("check_home", "$HOME", "a variable"),
        ),
        strict=True,
    ):
        (line,) = (each for each in lines if each.startswith(f"command[{name}]"))
        assert key == f"command[{name}]"
        assert text == f"{key}: column {line.index(what) + 1}: {what} is the shell's: {reason}"
    assert named[-1][1] == "command[help] cannot be called help, which means something here; rename it"
    assert (conversion.taken, conversion.refused) == (7, 6)
    assert [each.place.line for each in conversion.remarks] == sorted(each.place.line for each in conversion.remarks)


def test_comments() -> None:
    """They say where everything comes from, and what is for the administrator to decide."""
    text = converted(NRPE_CFG).text
    for line in (
        "# nrpe.cfg:33",
        "# was: command[Check_Disk]",
        "# $ARG1$. Better a choice, an integer, or a pattern of what is really asked:",
        '# user = "nagios"',
        '# user = "root"',
        "# allowed_hosts has monitor.example: its addresses belong here.",
        "# Without a meaning here: connection_timeout, debug, disable_syslog, log_facility, pid_file.",
    ):
        assert line in text.splitlines()


def test_arguments_that_nrpe_does_not_take() -> None:
    """Nobody may do more than before: a command with values is in no role without dont_blame_nrpe."""
    text = "command[a]=/x\ncommand[b]=/x $ARG1$\n"
    for blame, commands in (("", ["a"]), ("dont_blame_nrpe=0\n", ["a"]), ("dont_blame_nrpe=1\n", ["a", "b"])):
        assert printed(text + blame)["roles"]["anonymous"]["commands"] == commands
    assert '    # "b",' in converted(text).text.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"endpoint": "tcp:5666"}),
        ("allowed_hosts=10.0.0.1", {"endpoint": "tcp:5666", "from": ["10.0.0.1"]}),
        ("allowed_hosts=10.0.0.1,2001:db8::1", {"endpoint": "tcp6:5666", "from": ["10.0.0.1", "2001:db8::1"]}),
        ("server_address=192.0.2.1\nserver_port=5667", {"endpoint": "tcp:5667:interface=192.0.2.1"}),
        ("server_address=2001:db8::1", {"endpoint": "tcp6:5666:interface=2001\\:db8\\:\\:1"}),
        # Who only names hosts lets in nobody but this host, and not everybody.
        ("allowed_hosts=monitor", {"endpoint": "tcp:5666", "from": ["127.0.0.1", "::1"]}),
        ("allowed_hosts=,", {"endpoint": "tcp:5666", "from": ["127.0.0.1", "::1"]}),
    ],
)
def test_listeners(text: str, expected: dict[str, Any]) -> None:
    """Where it listens, and for whom."""
    common = {"protocol": "nrpe", "tls": True, "login": "never"}
    assert printed(text)["listen"] == [{**common, **expected}]


def test_certificates() -> None:
    """Who must show one logs in by it, and is not anonymous."""
    text = "command[a]=/x\nssl_client_certs=2\n"
    found = printed(text)
    assert (found["listen"][0]["login"], found["tls"]) == ("required", {})
    assert found["roles"] == {"monitoring": {"commands": ["a"]}}
    assert printed(text + "ssl_cacert_file=/ca.pem\nssl_version=TLSv1.3")["tls"] == {
        "client_ca": "/ca.pem",
        "minimum_version": "1.3",
    }


def test_no_commands() -> None:
    """Something that is no nrpe.cfg gives no role."""
    conversion = converted("hello\nworld\n")
    assert (conversion.taken, conversion.refused) == (0, 2)
    assert "roles" not in tomllib.loads(conversion.text)


def test_other_encodings() -> None:
    """They are refused: by the line, or as a whole."""
    conversion = converted("command[a]=/x \udce9\ncommand[b]=/x é\n")
    assert tomllib.loads(conversion.text)["commands"]["b"]["run"] == ["/x", "é"]
    assert (conversion.taken, conversion.refused) == (1, 1)
    conversion = convert(Files().read("debug=1".encode("utf-16"), "f", Path("/none")), "f")
    assert [(each.place.line, each.text[:18]) for each in conversion.remarks] == [(1, "the file is UTF-16")]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.builds("command[{}]={}".format, st.text(max_size=8), st.text(max_size=30)),
            st.builds(
                "{}={}".format,
                st.sampled_from(["server_port", "server_address", "allowed_hosts", "nrpe_user", "ssl_cert_file", "x"]),
                st.text(max_size=20),
            ),
        ),
        max_size=8,
    ),
    st.text(max_size=10),
)
def test_whatever_is_in_it(lines: list[str], name: str) -> None:
    """What is printed is TOML, of our tables and no others."""
    text = "\n".join(lines).encode("utf-8", "replace")
    conversion = convert(Files().read(text, name, Path("/none")), name)
    found = tomllib.loads(conversion.text)
    assert set(found) <= {"listen", "tls", "defaults", "commands", "roles"}
    assert len(found["listen"]) == 1
    assert len(found.get("commands", {})) == conversion.taken


@pytest.mark.skipif(
    "nrpe" not in set(Protocol) or "check" not in CommandSettings.__struct_fields__,
    reason="listeners cannot speak NRPE yet, or commands cannot be checks",
)
def test_the_daemon_takes_it() -> None:
    """It is a configuration without a mistake, once what was refused is mended."""
    for text in (NRPE_CFG.replace("]=sudo ", "]="), "command[a]=/x\n"):
        conversion = converted(text)
        configuration = configure(conversion.text, AnyHost(), lambda _: None)
        assert len(configuration.commands) == conversion.taken
        assert [str(each) for each in configuration.warnings] == []
