"""Tests of the command line."""

import shlex

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import WrongUsage
from cmdserver_probe.kind_table import KINDS
from cmdserver_probe.options import parse, parser_of

LOGIN = "--user probe --password-file /etc/password"


class ParseTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Ten seconds, verified certificates, both families."""
        options = parse(["pop3", "mail.example.org"])

        self.assertEqual((options.kind, options.target, options.timeout), ("pop3", "mail.example.org", 10.0))
        self.assertEqual((options.insecure, options.family, options.tls, options.json), (False, 0, False, False))

    def test_all_options(self) -> None:
        """Each reaches its attribute."""
        options = parse(
            shlex.split(
                f"imap h:1 -6 --timeout 3 --warning 0.5 --critical 1 --json --starttls --ca-file ca --insecure {LOGIN}"
                " --server-name n --warning-days 20 --critical-days 10"
            )
        )

        self.assertEqual((options.family, options.timeout, options.warning, options.critical), (6, 3.0, 0.5, 1.0))
        self.assertEqual((options.json, options.starttls, options.insecure), (True, True, True))
        self.assertEqual((options.ca_file, options.server_name), ("ca", "n"))
        self.assertEqual((options.user, options.password_file), ("probe", "/etc/password"))
        self.assertEqual((options.warning_days, options.critical_days), (20.0, 10.0))

    def test_what_is_sent_and_expected(self) -> None:
        """Where octets are sent, octets are expected; elsewhere it is text."""
        tcp, ssh = parse(["tcp", "h:1", "--send", r"\x00", "--expect", r"\n"]), parse(["ssh", "h", "--expect", r"\n"])

        self.assertEqual((tcp.send, tcp.expect_bytes, ssh.expect), (b"\0", b"\n", "\\n"))

    def test_examples(self) -> None:
        """There are three for each kind, and all are right."""
        for name, kind in KINDS.items():
            self.assertEqual(len(kind.examples), 3, name)
            for line, _ in kind.examples:
                with self.subTest(line):
                    self.assertEqual(parse(shlex.split(line)).kind, name)

    def test_help_has_the_examples(self) -> None:
        """Each kind's help shows its own."""
        for name, kind in KINDS.items():
            text = parser_of(name).format_help()
            self.assertEqual([line for line, _ in kind.examples if f"cmdserver-probe {line}" not in text], [])

    def test_wrong_usage(self) -> None:
        """It is said what is wrong; nothing is guessed, nor shortened."""
        wrong = {
            "": "a kind is missing; there are tcp",
            "gopher h": "gopher is no kind; there are tcp",
            "--timeout 3 tcp h:1": "--timeout is no kind",
            "tcp": "HOST:PORT",
            "tcp h:1 --time 3": "unrecognized arguments: --time 3",
            "tcp h:1 --tls": "unrecognized arguments: --tls",
            "tcp h:1 i:1": "unrecognized arguments: i:1",
            "tcp h:1 --timeout 0": "0 is not more than 0 and up to 3600 seconds",
            "tcp h:1 --timeout nan": "nan is not more than 0",
            "tcp h:1 --timeout inf": "inf is not more than 0",
            "tcp h:1 --timeout 3601": "3601 is not more than 0",
            "tcp h:1 --timeout x": "--timeout: x is not",
            "tcp h:1 --warning 2 --critical 1": "--warning 2 is more than --critical 1",
            "tcp h:1 -4 -6": "not allowed with",
            r"tcp h:1 --send '\q'": r"--send: \\q is no escape",
            "tcp h:1 --send ''": "--send: it is empty",
            "tls h --warning-days 3 --critical-days 7": "--critical-days 7 is more than --warning-days 3",
            "imap h --tls --starttls": "not allowed with",
            "imap h --password x": "unrecognized arguments: --password x",
            "imap h --user x": "--user and --password-file belong together",
            "imap h --password-file x": "--user and --password-file belong together",
            "imap h --user '' --password-file x": "--user: it is empty",
            "imap h --user 'a\nb' --password-file x": "control characters",
            "imap h --ca-file x": "--ca-file is without effect: there is no TLS; write --tls or --starttls",
            "imap h --warning-days 9": "--warning-days is without effect",
            "http http://h --server-name x": "--server-name is without effect: there is no TLS; write https",
            "udp h:1": "--send is missing",
            "ntp h --warning-offset 2 --critical-offset 1": "--warning-offset 2 is more",
        }
        for line, said in wrong.items():
            with self.subTest(line), self.assertRaisesRegex(WrongUsage, said):
                parse(shlex.split(line))

    def test_no_password_on_a_command_line(self) -> None:
        """There is no option for one, of whatever kind."""
        for name in KINDS:
            options = {each for action in parser_of(name)._actions for each in action.option_strings}
            self.assertEqual({each for each in options if "pass" in each} - {"--password-file"}, set())


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["smtp", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed, and is no mistake."""
    with pytest.raises(SystemExit) as ended:
        parse(words)

    assert ended.value.code == 0
    assert "Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN" in capsys.readouterr().out
