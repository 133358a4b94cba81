"""What a caller can do with the words of ``run``, program by program; and what looks alike and is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.lint.arguments import ArgumentRules
from cmdserver.lint.programs.file_tools import FILE_TOOLS
from cmdserver.lint.programs.interpreters import INTERPRETERS, PAGERS_AND_EDITORS
from cmdserver.lint.programs.tools import TOOLS
from cmdserver.lint.programs.wrappers import WRAPPERS
from cmdserver.lint.words import words_of
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import Element, Template, parse_pieces
from cmdserver.parameters.text_types import String
from tests.doubles import LAW, a_command
from tests.lint.doubles import COMMANDS, LISTEN, lines, lines_of_command, rules_of

STRING = 'type = "string"'
DASH = 'type = "string"\nmay_begin_with_dash = true'
#: Neither a slash nor a dot, nor anything that means something to a shell.
WORD = 'type = "string"\npattern = "[a-z0-9_-]+"'
CHOICE = 'type = "choice"\nchoices = ["a", "b"]'
NUMBER = 'type = "integer"'
HOST = 'type = "host"'
DATE = 'type = "date"'
TEXT = 'type = "text"'
#: Of which nothing is to be said here.
OTHERS = {"free-string"}


def found_in(run: str, type_: str, stdin: str = "") -> list[str]:
    """List the rules that find something in a command with the parameter x of a type.

    Args:
        run: The words, between blanks; an underscore within one is a blank.
        type_: Keys of the parameter.
        stdin: What the command reads.
    """
    words = ", ".join(f"'{word.replace('_', ' ')}'" for word in run.split())
    more = f'stdin = "{stdin}"\n' if stdin else ""
    found = lines_of_command(f'run = [{words}]\n{more}[[commands.NAME.parameters]]\nname = "x"\n{type_}')
    return [each for each in rules_of(found) if each not in OTHERS]


@pytest.mark.parametrize(
    ("run", "type_", "rule"),
    [
        # Code on the command line
        ("sh -c {x}", STRING, "code-from-caller"),
        ("sh -c {x}", WORD, "code-from-caller"),
        ("bash -lc echo_{x}", STRING, "code-from-caller"),
        ("/bin/dash -e -c echo_{x}", STRING, "code-from-caller"),
        ("python3 -c {x}", STRING, "code-from-caller"),
        ("/usr/bin/python3.11 -c print({x})", STRING, "code-from-caller"),
        ("python3 -m {x}", WORD, "code-from-caller"),
        ("perl -ne {x}", STRING, "code-from-caller"),
        ("perl -eprint_{x}", STRING, "code-from-caller"),
        ("perl5.36 -e print_{x}", STRING, "code-from-caller"),
        ("ruby -e {x}", STRING, "code-from-caller"),
        ("node --eval={x}", STRING, "code-from-caller"),
        ("php -r {x}", STRING, "code-from-caller"),
        ("awk {x} /etc/hosts", STRING, "code-from-caller"),
        ("gawk -F : /{x}/{{print}} /etc/hosts", STRING, "code-from-caller"),
        ("sed -n {x} /etc/hosts", STRING, "code-from-caller"),
        ("sed -e s/a/{x}/ /etc/hosts", STRING, "code-from-caller"),
        ("mysql -e select_{x}", STRING, "code-from-caller"),
        ("psql -d shop -c select_{x}", STRING, "code-from-caller"),
        ("sqlite3 -cmd {x} /srv/a.db", STRING, "code-from-caller"),
        # Scripts
        ("bash {x}", STRING, "code-from-caller"),
        ("bash /opt/scripts/{x}", STRING, "code-from-caller"),
        ("python3 -W ignore {x}", STRING, "code-from-caller"),
        ("awk -f {x} /etc/hosts", STRING, "code-from-caller"),
        ("psql --file={x}", STRING, "code-from-caller"),
        ("python3 {x}", DASH, "code-from-caller"),
        # Through wrappers
        ("env sh -c {x}", STRING, "code-from-caller"),
        ("env -i A=b -u C sh -c {x}", STRING, "code-from-caller"),
        ("nice -n 10 ionice -c 3 timeout -k 5 10 sh -c {x}", STRING, "code-from-caller"),
        ("busybox sh -c {x}", STRING, "code-from-caller"),
        ("chroot /srv/root sh -c {x}", STRING, "code-from-caller"),
        ("xargs -n 1 bash -c {x}", STRING, "code-from-caller"),
        ("docker exec -u www web sh -c {x}", STRING, "code-from-caller"),
        ("kubectl -n shop exec web -- sh -c {x}", STRING, "code-from-caller"),
        ("ip netns exec blue sh -c {x}", STRING, "code-from-caller"),
        ("find /srv -name a -exec sh -c {x} ;", STRING, "code-from-caller"),
        ("ssh -p 22 host.example ls_{x}", STRING, "code-from-caller"),
        ("ssh host.example systemctl restart {x}", STRING, "code-from-caller"),
        ("flock /run/lock -c {x}", STRING, "code-from-caller"),
        ("env -S {x}", STRING, "code-from-caller"),
        ("watch -n 1 {x}", STRING, "code-from-caller"),
        # The program itself
        ("env {x}", STRING, "program-from-caller"),
        ("timeout 10 {x}", WORD, "program-from-caller"),
        ("docker exec web {x}", STRING, "program-from-caller"),
        ("find /srv -exec {x} ;", STRING, "program-from-caller"),
        ("ip netns exec blue {x}", STRING, "program-from-caller"),
        ("strace -o /dev/null {x}", STRING, "program-from-caller"),
        # Options that run programs
        ("find /srv {x}", DASH, "runs-others"),
        ("find -- {x}", DASH, "runs-others"),
        ("tar -cf /srv/a.tar {x}", DASH, "runs-others"),
        ("tar -xf /srv/a.tar --to-command={x}", STRING, "runs-others"),
        ("rsync -e {x} a b", STRING, "runs-others"),
        ("ssh -o {x} host.example uptime", STRING, "runs-others"),
        ("ssh -oProxyCommand={x} host.example uptime", STRING, "runs-others"),
        ("ssh {x} uptime", DASH, "runs-others"),
        ("git -c {x} status", STRING, "runs-others"),
        ("git {x}", WORD, "runs-others"),
        ("git fetch {x}", STRING, "runs-others"),
        ("git clone --upload-pack={x} a", STRING, "runs-others"),
        ("zip -TT {x} /srv/a.zip", STRING, "runs-others"),
        ("tcpdump -c 10 -z {x}", STRING, "runs-others"),
        ("nmap --script {x} localhost", STRING, "runs-others"),
        ("openssl {x}", WORD, "runs-others"),
        ("systemctl {x} nginx", WORD, "runs-others"),
        ("docker run -v {x} alpine", STRING, "runs-others"),
        ("make -C /srv {x}", WORD, "runs-others"),
        ("pip install {x}", WORD, "runs-others"),
        ("apt-get install {x}", WORD, "runs-others"),
        ("crontab {x}", STRING, "runs-others"),
        ("service {x} restart", STRING, "runs-others"),
        ("sort --compress-program={x} /srv/a", STRING, "runs-others"),
        ("ansible-playbook -e {x} /srv/a.yml", STRING, "runs-others"),
        # Options of anything
        ("report {x}", DASH, "option-from-caller"),
        ("report --no-pager {x}", DASH, "option-from-caller"),
        ("ls {x}", DASH, "option-from-caller"),
        # Files
        ("cat {x}", STRING, "reads-any-file"),
        ("cat -n {x}", STRING, "reads-any-file"),
        ("tail -n 5 -- /var/log/{x}", STRING, "reads-any-file"),
        ("tail -n 5 -- /var/log/{x}.log", 'type = "string"\npattern = "[a-z./]+"', "reads-any-file"),
        ("grep -c ERROR {x}", STRING, "reads-any-file"),
        ("grep --file={x} /srv/a", STRING, "reads-any-file"),
        ("find {x} -name a", STRING, "reads-any-file"),
        ("curl {x}", STRING, "reads-any-file"),
        ("curl -K {x}", STRING, "reads-any-file"),
        ("wget --post-file={x} https://example.org/", STRING, "reads-any-file"),
        ("dd if={x}", STRING, "reads-any-file"),
        ("journalctl --file {x}", STRING, "reads-any-file"),
        ("openssl x509 -in {x} -noout", STRING, "reads-any-file"),
        ("awk {{print}} {x}", STRING, "reads-any-file"),
        ("nice cat {x}", STRING, "reads-any-file"),
        ("curl -o {x} https://example.org/", STRING, "writes-any-file"),
        ("dd of=/srv/{x}", STRING, "writes-any-file"),
        ("cp -r /srv/a {x}", STRING, "writes-any-file"),
        ("tee -a /srv/{x}", STRING, "writes-any-file"),
        ("rm -rf -- /srv/{x}", STRING, "writes-any-file"),
        ("chmod 644 {x}", STRING, "writes-any-file"),
        ("chown www:www -- {x}", STRING, "writes-any-file"),
        ("tcpdump -w {x}", STRING, "writes-any-file"),
        ("sort -o {x} /srv/a", STRING, "writes-any-file"),
    ],
)
def test_dangers(run: str, type_: str, rule: str) -> None:
    """Each is found by its rule, and by no other."""
    assert found_in(run, type_) == [rule]


@pytest.mark.parametrize(
    ("run", "type_"),
    [
        # Values beside code, and code that they cannot be
        ("bash /opt/report {x}", STRING),
        ("bash /opt/report {x}", DASH),
        ("python3 -c print() {x}", DASH),
        ("python3 -m http.server {x}", NUMBER),
        ("python3 -c print({x})", NUMBER),
        ("awk {{print}} /srv/a/{x}", WORD),
        ("sed -n 1,{x}p /etc/hosts", NUMBER),
        ("perl -e print_{x}", DATE),
        ("jq .a /srv/{x}.json", WORD),
        # Choices and numbers are the administrator's
        ("timeout 5 {x}", CHOICE),
        ("timeout {x} uptime", 'type = "duration"'),
        ("systemctl {x} nginx", CHOICE),
        ("git checkout {x}", CHOICE),
        ("tail -n {x} /var/log/syslog", NUMBER),
        ("docker logs --tail {x} web", NUMBER),
        ("docker logs web {x}", WORD),
        # What an option is given
        ("journalctl --no-pager --unit={x} --lines=5", WORD),
        ("journalctl -u {x}", STRING),
        ("find /srv -name {x}", STRING),
        ("find /srv -newermt {x}", DATE),
        ("grep -e {x} /var/log/app.log", STRING),
        ("grep {x} /var/log/app.log", STRING),
        ("curl -m {x} https://example.org/", NUMBER),
        ("curl https://{x}/", HOST),
        ("curl https://example.org/{x}", STRING),
        ("report -n {x}", DASH),
        ("ssh -l {x} host.example uptime", WORD),
        ("ssh -- {x} uptime", HOST),
        ("ping -c 1 -- {x}", HOST),
        ("nmap -p {x} localhost", NUMBER),
        # Names without a way out
        ("cat /srv/notes/{x}.txt", WORD),
        ("cat /srv/notes{x}", 'type = "string"\npattern = "/[a-z]+"'),
        ("tail -n 5 -- /var/log/{x}", CHOICE),
        ("rm -- /srv/uploads/{x}", WORD),
        ("tar --create --file=/srv/backup/{x}.tar.gz -- a", WORD),
        ("chmod 644 /srv/{x}", WORD),
        ("dd if=/dev/zero of=/srv/{x}", WORD),
        # Behind --
        ("report -- {x}", DASH),
        ("git log -- a", STRING + "\nrequired = false"),
    ],
)
def test_what_looks_alike(run: str, type_: str) -> None:
    """Nothing is said: whoever is told too much listens to nothing."""
    if "{x}" not in run:
        run, type_ = f"{run} {{x}}", CHOICE
    assert found_in(run, type_) == []


@pytest.mark.parametrize(
    "run",
    [
        "find /var -name a", "find /srv -mtime +7 -delete", "find /srv -exec gzip {} ;", "tar czf /srv/a.tgz /srv/a",
        "rsync -e ssh a b", "git -c a.b=c pull", "python3 -c print()", "perl -e print", "awk {print} /etc/hosts",
        "sed -n 1p /etc/hosts", "env A=b report", "docker exec web uptime", "ssh host.example uptime", "cat /etc/hosts",
        "rm -rf /srv/cache", "bash /opt/report", "sh /opt/report -c", "crontab -l", "tcpdump -z gzip", "timeout 5 df",
    ],
)  # fmt: skip
def test_fixed_words(run: str) -> None:
    """They are what the administrator meant."""
    words = ", ".join(f"'{word}'" for word in run.split())
    assert lines_of_command(f"run = [{words}]") == []


@pytest.mark.parametrize(
    ("run", "rule"),
    [
        ("sh -c df_|_grep_a", "shell"),
        ("bash -lc df", "shell"),
        ("nice sh -c df", "shell"),
        ("su - www -c df", "shell"),
        ("less /var/log/syslog", "pager-or-editor"),
        ("nice /usr/bin/vim.basic /etc/hosts", "pager-or-editor"),
        ("/usr/local/bin/viper", ""),
        ("man df", "pager-or-editor"),
        ("timeout 5 vi /etc/hosts", "pager-or-editor"),
    ],
)
def test_shells_and_what_is_for_a_terminal(run: str, rule: str) -> None:
    """They are seldom meant, whatever their words."""
    words = ", ".join(f"'{word.replace('_', ' ')}'" for word in run.split())
    found = [each for each in rules_of(lines_of_command(f"run = [{words}]")) if each != "privileges"]
    assert found == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("run", "is_code"),
    [
        ("sh", True),
        ("bash -s a", True),
        ("python3 -", True),
        ("perl", True),
        ("psql shop", True),
        ("mysql shop", True),
        ("nice sqlite3 /srv/a.db", True),
        ("xargs rm", True),
        ("ssh host.example", True),
        ("at now", True),
        ("sh /opt/report", False),
        ("python3 /opt/report", False),
        ("psql -c select shop", False),
        ("ssh host.example report", False),
        ("mail -s a ann", False),
        ("sed -n 1p", False),
    ],
)
def test_what_is_read(run: str, *, is_code: bool) -> None:
    """A text of a caller's is data, unless what reads it takes it for code."""
    expected = ["code-on-stdin"] if is_code else []
    assert found_in(run, TEXT, stdin="{x}") == expected


def test_what_roles_leave() -> None:
    """A parameter that every role narrows to some values is as good as a choice; if one does not, it is not."""
    keys = 'run = ["sh", "-c", "{x}"]\n[[commands.x.parameters]]\nname = "x"\ntype = "string"\n'
    narrowed = '[roles.a]\nusers = ["bob"]\ncommands = ["x"]\nonly.x.x = ["df"]\n'
    text = f"{LISTEN}{COMMANDS}[commands.x]\n{keys}{narrowed}"
    assert rules_of(lines(text)) == ["shell"]
    assert rules_of(lines(text.replace('["df"]', '["d*"]'))) == ["code-from-caller"]
    assert rules_of(lines(f'{text}[roles.b]\nusers = ["ann"]\ncommands = ["x"]\n')) == ["code-from-caller"]


def test_wrappers_in_wrappers_end() -> None:
    """However many there are."""
    words = ", ".join(["'env'"] * 500)
    assert lines_of_command(f"run = [{words}]") == []


_WORDS = st.one_of(
    st.sampled_from(sorted({*TOOLS, *FILE_TOOLS, *INTERPRETERS, *WRAPPERS, *PAGERS_AND_EDITORS})),
    st.sampled_from(["--", "-", "-c", "-e", "-exec", ";", "exec", "netns", "{x}", "--a={x}", "A={x}", "/a/{x}"]),
    st.text("-=/{}a", max_size=4).map(lambda text: text.replace("{", "{{").replace("}", "}}")),
)


@LAW
@given(st.lists(_WORDS, min_size=1, max_size=12))
def test_whatever_the_words(words: list[str]) -> None:
    """Lint comes to an end, and says what it says by rules that there are."""
    parameter = Parameter(name="x", type=String(may_begin_with_dash=True), label="x")
    elements = tuple(Element((parse_pieces(each),)) for each in words)
    command = a_command(parameters=ParameterList([parameter]), template=Template(elements=elements), run=("env",))
    rules = ArgumentRules(("commands", "x", "run"))
    rules.look(words_of(command, {}))
    assert len(rules.findings) <= len(words) + 1
