"""The rules of lint, a row each: why there is one, what it finds, and what to write instead.

docs/reviewing.md has this table, and tests compare them: each example is found by its rule, and what is written instead
by none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from cmdserver.config.lint_rule import LintRule


class Rule(Struct, frozen=True):
    """What is to be known of a rule."""

    #: What it finds, and why that is to be known: sentences.
    reason: str
    #: Keys of a table of the file that it finds, a line each.
    example: str
    #: What is written instead.
    instead: str
    #: The table that they are of, and whose ``allow`` silences the rule.
    table: str = "[commands.NAME]"


_VALUE: Final = '[[commands.NAME.parameters]]\nname = "x"\ntype = "string"'
_DASH: Final = f"{_VALUE}\nmay_begin_with_dash = true"
_NARROW: Final = '[[commands.NAME.parameters]]\nname = "x"\ntype = "choice"\nchoices = ["a", "b"]'
_SLASHLESS: Final = f'{_VALUE}\npattern = "[a-z]+"'
_ANONYMOUS: Final = "[roles.anonymous]"

RULES: Final[Mapping[LintRule, Rule]] = MappingProxyType(
    {
        LintRule.CODE_FROM_CALLER: Rule(
            "A value of a caller's is code of an interpreter, or says which script it runs. That is a shell for"
            " everybody who may run the command. Behind the code, values are words and no code.",
            f'run = ["sh", "-c", "grep {{x}} /var/log/app.log"]\n{_VALUE}',
            f'run = ["grep", "-e", "{{x}}", "/var/log/app.log"]\n{_SLASHLESS}',
        ),
        LintRule.CODE_ON_STDIN: Rule(
            "What a caller gives is the standard input of a program that runs what it reads, or makes commands of it.",
            'run = ["psql", "shop"]\nstdin = "{x}"\n[[commands.NAME.parameters]]\nname = "x"\ntype = "text"',
            'run = ["/usr/local/bin/note"]\nstdin = "{x}"\n[[commands.NAME.parameters]]\nname = "x"\ntype = "text"',
        ),
        LintRule.PROGRAM_FROM_CALLER: Rule(
            "A wrapper (`env`, `timeout`, `xargs`, `docker exec`, `find -exec`) runs the program that a caller names.",
            f'run = ["timeout", "5", "{{x}}"]\n{_VALUE}',
            f'run = ["timeout", "5", "/usr/local/bin/{{x}}"]\n{_NARROW}',
        ),
        LintRule.RUNS_OTHERS: Rule(
            "A value of a caller's goes where the program takes options or words that run other programs"
            " (`tar --checkpoint-action`, `ssh -o ProxyCommand`, `git -c`, `find -exec`).",
            f'run = ["tar", "-cf", "/srv/a.tar", "{{x}}"]\n{_DASH}\npattern = "[-a-z]+"',
            f'run = ["tar", "-cf", "/srv/a.tar", "--", "{{x}}"]\n{_NARROW}',
        ),
        LintRule.OPTION_FROM_CALLER: Rule(
            "A value may begin with a dash, and no `--` stands before it: the program takes it for an option.",
            f'run = ["/usr/local/bin/report", "{{x}}"]\n{_DASH}\npattern = "-?[a-z]+"',
            f'run = ["/usr/local/bin/report", "--", "{{x}}"]\n{_DASH}\npattern = "-?[a-z]+"',
        ),
        LintRule.READS_ANY_FILE: Rule(
            "A caller names the file that is read, and nothing keeps the name in a directory: slashes and `..` lead to"
            " every file that the command's user may read.",
            f'run = ["tail", "-n", "50", "--", "/var/log/{{x}}"]\n{_VALUE}',
            f'run = ["tail", "-n", "50", "--", "/var/log/{{x}}.log"]\n{_SLASHLESS}',
        ),
        LintRule.WRITES_ANY_FILE: Rule(
            "The same of a file that is written, replaced, removed, or whose mode is changed.",
            f'run = ["rm", "--", "/srv/uploads/{{x}}"]\n{_VALUE}',
            f'run = ["rm", "--", "/srv/uploads/{{x}}"]\n{_SLASHLESS}',
        ),
        LintRule.SHELL: Rule(
            "`sh -c` with a fixed line: no caller changes it, but it is read again by a shell, with its quotes,"
            " wildcards and variables, and what fails in the middle goes unnoticed.",
            'run = ["sh", "-c", "df | grep /srv"]',
            'run = ["df", "/srv"]',
        ),
        LintRule.PAGER_OR_EDITOR: Rule(
            "A pager or an editor is made for a person at a terminal, runs programs and writes files. Nobody is at it"
            " here; what it would show, `cat`, `head` or `tail` show.",
            'run = ["less", "/var/log/syslog"]',
            'run = ["tail", "-n", "200", "/var/log/syslog"]',
        ),
        LintRule.ENVIRONMENT_LOADS_CODE: Rule(
            "A caller's value is a variable that says which code a program loads or runs"
            " (`LD_PRELOAD`, `PYTHONPATH`, `BASH_ENV`, `PAGER`, `GIT_…`).",
            f'run = ["/usr/local/bin/report"]\nenvironment = {{ PYTHONPATH = "{{x}}" }}\n{_VALUE}',
            f'run = ["/usr/local/bin/report"]\nenvironment = {{ REPORT_OF = "{{x}}" }}\n{_VALUE}',
        ),
        LintRule.PRIVILEGES: Rule(
            "`sudo` and its like, and files with set-user-ID, set-group-ID or capabilities: no command gains rights"
            " here, so it will fail; and where root runs it, this file does not say whose rights it has.",
            'run = ["sudo", "systemctl", "restart", "nginx"]',
            'run = ["systemctl", "restart", "nginx"]\nuser = "root"',
        ),
        LintRule.WRITABLE_PATH: Rule(
            "Somebody else than root and the command's user may write to the program, to its interpreter or script, to"
            " its working directory, or to a directory on the way there: who does decides what is run.",
            'run = ["/srv/open/report"]',
            'run = ["/usr/local/bin/report"]',
        ),
        LintRule.FREE_STRING: Rule(
            "A `string` in `run` without a `pattern`, which no role narrows: most values that people need are few, and"
            " then a `choice` shows them, completes them, and refuses the rest.",
            f'run = ["/usr/local/bin/report", "--", "{{x}}"]\n{_VALUE}',
            f'run = ["/usr/local/bin/report", "--", "{{x}}"]\n{_SLASHLESS}',
        ),
        LintRule.ROOT_WITH_PARAMETERS: Rule(
            "A command with values of a caller's runs as root: because it says so, or because it names no user and root"
            " checks the file, as if root started the daemon.",
            f'run = ["/usr/local/bin/report", "{{x}}"]\nuser = "root"\n{_NARROW}',
            f'run = ["/usr/local/bin/report", "{{x}}"]\nuser = "reporter"\n{_NARROW}',
        ),
        LintRule.SECRET_IN_ARGUMENTS: Rule(
            "A password or token in `run`, or a parameter in it whose name says that it is one: all users of the host"
            " see it in the list of processes.",
            'run = ["/usr/local/bin/report", "--password=correct-horse"]',
            'run = ["/usr/local/bin/report", "--password-file=/etc/report/password"]',
        ),
        LintRule.WILDCARD_ROLE: Rule(
            '`"*"` for `anonymous` or `authenticated`: whoever adds a command gives it to everybody.',
            'commands = ["*"]',
            'commands = ["uptime"]',
            _ANONYMOUS,
        ),
        LintRule.ANONYMOUS_CHANGES: Rule(
            "A command that is neither `read_only` nor a check is offered without a login.",
            'commands = ["restart"]',
            'commands = ["uptime"]',
            _ANONYMOUS,
        ),
        LintRule.ANONYMOUS_WATCHES: Rule(
            "Everybody without a login may see all runs and their output (`sees`), or stop some (`stops`).",
            'commands = ["uptime"]\nsees = ["*"]',
            'commands = ["uptime"]\nsees = ["uptime"]',
            _ANONYMOUS,
        ),
        LintRule.PLAINTEXT_LISTENER: Rule(
            "A listener that other hosts can reach speaks no TLS. Not of SSH, nor where `from` lists loopback alone.",
            'protocol = "line"\nendpoint = "tcp:2024"\nlogin = "never"',
            'protocol = "line"\nendpoint = "tcp:2024"\nlogin = "never"\ntls = true',
            "[[listen]]",
        ),
        LintRule.UNUSED_ALLOW: Rule(
            "An `allow` without effect: it would hide what somebody writes later.",
            'run = ["uptime"]\nallow = ["shell"]',
            'run = ["sh", "-c", "df | grep /srv"]\nallow = ["shell"]',
        ),
    }
)
