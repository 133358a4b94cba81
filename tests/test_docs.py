"""Tests that the documents say what the code does: every key, code, word and audit field, and no other."""

import ast
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import fields
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.app import state_directory
from cmdserver.audit.chain import GENESIS, sealed
from cmdserver.audit.records import line_of
from cmdserver.config.executables import LentRights
from cmdserver.config.host import Host
from cmdserver.config.loading import Source, configure
from cmdserver.config.schema.callers import HookSettings, RoleSettings
from cmdserver.config.schema.commands import CommandSettings, ParameterSettings, ProcessLimits
from cmdserver.config.schema.host import (
    TLS,
    Audit,
    Fleet,
    Forward,
    HistorySettings,
    Limits,
    Listen,
    Runner,
    SiteSettings,
    Web,
)
from cmdserver.config.schema.settings import Settings
from cmdserver.core import names
from cmdserver.core.errors import UNASKED, Code
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.line import states
from cmdserver.frontends.ssh import connection as ssh_connection
from cmdserver.parameters.parameter_list import words_of
from cmdserver.sshtransport import algorithms
from tests import package_diagram, test_layering
from tests.running_doubles import STRANGER, requested

DOCS = Path(__file__).parent.parent / "docs"
README = DOCS.parent / "README.md"

#: What an example is that is no whole file; it goes on after this one.
BEGINNING = """
[[listen]]
protocol = "line"
endpoint = "tcp:2022:interface=127.0.0.1"
login = "optional"

[[listen]]
protocol = "web"
endpoint = "tcp:2080:interface=127.0.0.1"
login = "optional"

[roles.anonymous]
commands = ["*"]

"""

SECTIONS: dict[str, type[Struct]] = {
    "Top level": Settings,
    "`[site]`": SiteSettings,
    "`[[listen]]`": Listen,
    "`[commands.NAME]`": CommandSettings,
    "`[history]`": HistorySettings,
    "`[commands.NAME.limits]`": ProcessLimits,
    "`[roles.NAME]`": RoleSettings,
    "`[hooks.NAME]`": HookSettings,
    "`[limits]`": Limits,
    "`[tls]`": TLS,
    "`[web]`": Web,
    "`[audit]`": Audit,
    "`[[audit.forward]]`": Forward,
    "`[fleet]`": Fleet,
    "`[runner]`": Runner,
}
#: Tables of their own, each with a section.
TABLES = {
    "site",
    "defaults",
    "listen",
    "commands",
    "roles",
    "hooks",
    "limits",
    "tls",
    "web",
    "audit",
    "history",
    "fleet",
    "runner",
}


def section(name: str, document: str) -> str:
    """Cut one section out of a document."""
    text = (DOCS / document).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{document} has no section {name}"
    return found[1]


def first_column(text: str) -> list[str]:
    """Read what stands in backquotes in the first column of the tables."""
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


class AnyHost(Host):
    """A host that has whatever an example needs."""

    def is_root(self) -> bool:
        return True

    def executable(self, name: str) -> str:
        return name if name.startswith("/") else f"/usr/bin/{name}"

    def require_directory(self, path: str) -> None:
        pass

    def group_of(self, user: str) -> str:
        return user

    def require_group(self, group: str) -> None:
        pass

    def user_id(self, user: str) -> int | None:
        return 1000

    def group_id(self, group: str) -> int | None:
        return 1000

    def lent_rights(self, path: str) -> LentRights:
        return LentRights()

    def missing_program(self, script: str, search_path: str) -> str | None:
        return None

    def obstacle(self, uid: int | None, gid: int | None, path: str) -> str | None:
        return None


def examples(path: Path) -> list[str]:
    """Cut the blocks of TOML out of a document."""
    return re.findall(r"^```toml\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _commands(text: str) -> list[str]:
    """Cut the examples of commands, not of roles, out of a document."""
    return [
        each for each in re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "[roles" not in each
    ]


def warnings_of(text: str) -> list[str]:
    """Read a configuration, which may have no mistake, and list what is doubtful in it."""
    return [str(each) for each in configure(text, AnyHost(), lambda _: None).warnings]


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not DOCS.exists():
            text = "the documents are not here"
            raise SkipTest(text)

    def test_the_readmes_examples(self) -> None:
        """Two are whole files, and the others go on after the second: without a mistake, and nothing without effect."""
        command, whole, monitoring, more = examples(README)

        self.assertEqual([], warnings_of(command))
        self.assertEqual([], warnings_of(whole))
        self.assertEqual([], warnings_of(f"{whole}\n{monitoring}"))
        self.assertEqual([], warnings_of(f"{whole}\n{more}"))

    def test_all_other_examples(self) -> None:
        """Those of the documents are without mistakes, and warned of nothing, with a listener and a role for them."""
        documents = [path for path in DOCS.glob("*.md") if examples(path)]
        self.assertTrue(documents)
        for path in documents:
            for text in examples(path):
                with self.subTest(path.name, text=text):
                    # Keys of no table come before all tables.
                    parts = [text, BEGINNING] if not text.startswith("[") else [BEGINNING, text]
                    whole = text if "[[listen]]" in text else "\n".join(parts)
                    end = "" if "[commands" in text else '[commands.uptime]\nrun = ["uptime"]'
                    self.assertEqual([], warnings_of(f"{whole}\n{end}"))

    def test_the_default(self) -> None:
        """The configuration that is built in has nothing without effect."""
        self.assertEqual([], warnings_of(Source.built_in().text))

    def test_every_key_of_the_configuration(self) -> None:
        """docs/configuration.md has each key of each table, once."""
        for name, table in SECTIONS.items():
            keys = {info.encode_name for info in fields(table)}
            if table is Settings:
                keys -= TABLES
            self.assertEqual(sorted(keys), sorted(first_column(section(name, "configuration.md"))), name)

    def test_every_key_of_a_parameter(self) -> None:
        """docs/parameters.md has them all, and every type."""
        text = (DOCS / "parameters.md").read_text(encoding="utf-8")
        keys, types = (part.partition("\n## ")[0] for part in text.partition("### `[[")[2].split("### Types"))
        declared = {info.encode_name: info.type for info in fields(ParameterSettings)}

        self.assertEqual(sorted(first_column(keys)), sorted(declared))
        self.assertEqual(sorted(first_column(types)), sorted(get_args(declared["type"])))

    def test_what_the_examples_of_parameters_run(self) -> None:
        """Each line of a caller becomes the argument list, and the standard input, that the document says."""
        text = (DOCS / "parameters.md").read_text(encoding="utf-8")
        configuration = configure(BEGINNING + "".join(_commands(text)), AnyHost(), lambda _: None)
        policy = Policy(configuration.commands, configuration.roles)
        runs = "".join(re.findall(r"^```runs\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        pairs = re.findall(r"^(\w.*)\n→ (.*)\n(?:< (.*)\n)?", runs, re.MULTILINE)

        self.assertEqual(len(pairs), runs.count("→"))
        for line, argv, stdin in pairs:
            with self.subTest(line):
                grant = policy.require(STRANGER, line_protocol.split(line.encode()))
                invocation = grant.command.invocation(list(words_of(grant.values)))
                self.assertEqual((grant.command.run[0], *invocation.argv[1:]), tuple(shlex.split(argv)))
                self.assertEqual(invocation.stdin, f"{stdin}\n".encode() if stdin else None)
        asked = {line.split()[0] for line, _, _ in pairs}
        self.assertEqual(asked, {each.name for each in configuration.commands} - {"units"})

    def test_every_algorithm(self) -> None:
        """docs/ssh-transport.md has each algorithm of SSH that is offered, in the order of preference of its kind."""
        offered = [
            *algorithms.KEY_EXCHANGES,
            *algorithms.HOST_KEYS,
            *algorithms.CIPHERS,
            *algorithms.MACS,
            *algorithms.LEGACY_MACS,
            *algorithms.COMPRESSIONS,
        ]
        users, hosts = set(algorithms.USER_KEYS), [name.decode() for name in offered]

        found = first_column(section("What is offered", "ssh-transport.md"))

        self.assertEqual(found[: len(hosts)], hosts)
        self.assertEqual(sorted(found[len(hosts) :]), sorted(name.decode() for name in users))

    def test_every_error(self) -> None:
        """docs/protocol.md has each code of the one vocabulary that is an answer."""
        codes = {str(code) for code in set(Code) - UNASKED} - {"ok", "failed"}

        self.assertEqual(codes, set(first_column(section("Errors", "protocol.md"))))

    def test_every_word(self) -> None:
        """docs/protocol.md has each word of the line protocol."""
        words = {word.split()[0] for word in first_column(section("A line", "protocol.md"))}

        self.assertEqual(names.RESERVED_WORDS, words)

    def test_every_file_of_the_state_directory(self) -> None:
        """docs/commands.md has each."""
        kept = {name.removesuffix(".pub") for name in state_directory._OURS | {*state_directory._OURS_ALONE}}
        told = {Path(name).parts[0] for name in first_column(section("Files", "commands.md")) if name[0] not in "/~"}

        self.assertEqual(kept, told)

    def test_every_field_of_the_audit_file(self) -> None:
        """docs/operations.md has each field of a request's line."""
        line = json.loads(sealed(GENESIS, line_of(requested())))

        self.assertEqual(set(line), set(first_column(section("The audit file", "operations.md"))))


class ArchitectureTests(SynchronousTestCase):
    """docs/architecture.md says how it is."""

    def setUp(self) -> None:
        if not DOCS.exists():
            text = "the documents are not here"
            raise SkipTest(text)
        self.text = (DOCS / "architecture.md").read_text(encoding="utf-8")

    def test_the_picture(self) -> None:
        """It is the one that the imports make; `python -m tests.package_diagram` draws it anew."""
        self.assertEqual(package_diagram.draw(), package_diagram.PICTURE.read_text(encoding="utf-8"))

    def test_the_states(self) -> None:
        """The tables of states are those of the code."""
        text = section("States", "architecture.md")
        for transitions in (states.TRANSITIONS, ssh_connection.TRANSITIONS):
            for row in _rows_of(transitions):
                self.assertIn(f"\n{row}\n", text)

    def test_every_package(self) -> None:
        """The table has each package with the first sentence of its docstring."""
        found = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+?) \|", section("Packages", "architecture.md"), re.MULTILINE))
        packages = {
            package: _first_sentence(ast.get_docstring(test_layering.trees()[package]))
            for package in test_layering.MAY_IMPORT
            if package and package != "frontends"
        }

        self.assertEqual(packages, found)

    def test_every_name(self) -> None:
        """What is called `package.module` or `package.module.Name` there is there."""
        packages = "|".join(sorted({each.split(".")[0] for each in test_layering.MAY_IMPORT if each}))
        mentioned = set(re.findall(rf"`((?:{packages})\.[\w.]+?)(?:\(.*?\))?`", self.text))
        self.assertGreater(len(mentioned), 30)

        self.assertEqual([name for name in sorted(mentioned) if not _is_there(name)], [])


class DocstringTests(SynchronousTestCase):
    """What ruff's rules about docstrings cannot tell."""

    def test_methods_that_are_ours_are_described(self) -> None:
        """A public method has a docstring, here or in what it overrides; camelCase is Twisted's, which has one."""
        classes = [
            node
            for tree in test_layering.trees().values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]

        self.assertEqual([], list(undescribed(classes)))

    def test_what_is_not_described_is_found(self) -> None:
        """Overriding counts, and so does what a protocol asks for; that another class has the name does not."""
        tree = ast.parse(
            "class Base:\n  def a(self): 'A.'\n  def b(self): ...\nclass Wish(Protocol):\n  def c(self): 'C.'\n"
            "class Sub(Base):\n  def a(self): ...\n  def b(self): ...\n  def c(self): ...\n"
            "class SubSub(Sub):\n  def a(self): ...\n  def dE(self): ...\n  def _f(self): ...\n"
            "class Other:\n  def a(self): ...\n"
        )
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]

        self.assertEqual(["Base.b", "Sub.b", "Other.a"], list(undescribed(classes)))


def undescribed(classes: Sequence[ast.ClassDef]) -> Iterator[str]:
    """Name the public methods without a docstring that override none with one, and implement none of a protocol."""
    bases = {each.name: {ast.unparse(base).split("[")[0].split(".")[-1] for base in each.bases} for each in classes}
    described = {
        (each.name, method.name) for each in classes for method in _methods_of(each) if ast.get_docstring(method)
    }
    protocols = [each for each in classes if any(ast.unparse(base).startswith("Protocol") for base in each.bases)]
    promised = {method.name for each in protocols for method in _methods_of(each) if ast.get_docstring(method)}
    for each in classes:
        above = {each.name}
        while more := set().union(*(bases.get(name, set()) for name in above)) - above:
            above |= more
        for method in _methods_of(each):
            is_ours = method.name.islower() and not method.name.startswith("_")
            if is_ours and method.name not in promised and not any((name, method.name) in described for name in above):
                yield f"{each.name}.{method.name}"


def _methods_of(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def _rows_of(transitions: Mapping[Any, Mapping[Any, Any]]) -> list[str]:
    """Write a table of states as the document has it."""
    return [
        f"| {state.name} | {', '.join(f'{event.name} → {then.name}' for event, then in events.items()) or 'the end'} |"
        for state, events in transitions.items()
    ]


def _first_sentence(docstring: str | None) -> str:
    assert docstring is not None
    return docstring.partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _is_there(name: str) -> bool:
    """Whether there is such a module, or such a name in one."""
    module = name
    while module and module not in test_layering.trees():
        module = module.rpartition(".")[0]
    rest = name[len(module) + 1 :].split(".") if module != name else []
    body: Sequence[ast.stmt] = test_layering.trees()[module].body
    for each in rest:
        found = [node for node in body if each in _names_of(node)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
