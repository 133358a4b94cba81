"""Tests of who may know whom: the architecture, as a table that fails when it is not kept.

A new package enters the table in the commit that creates it. What is not in the table is the standard library and the
packages of pyproject.toml, which everybody may use but for what is forbidden below.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import cmdserver
import cmdserver_probe

SOURCE = Path(cmdserver.__file__).parent

#: `cmdserver-probe`, a program of its own.
PROBE_SOURCE = Path(cmdserver_probe.__file__).parent

#: Which packages of ours the modules of each package may import, beside those of their own; the lowest first. A package
#: imports nothing that stands below it in this table.
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    package: frozenset(others.split())
    for package, others in {
        "parameters": "",
        "checks": "",
        "core": "checks parameters",
        "audit": "core",
        "nrpe_import": "core",
        "files": "core",
        "parsers": "checks core",
        "limits": "core parameters",
        "triggers": "core files",
        "sshtransport": "",
        "auth": "core files limits sshtransport triggers",
        "logs": "core files",
        "fleet": "auth core files logs",
        "config": "audit checks core files fleet limits parameters triggers",
        "lint": "config core parameters",
        "diff": "config core lint parameters",
        "execution": "core config parameters",
        "runs": "checks core",
        "history": "core files runs",
        "dispatch": "checks core limits execution parameters parsers runs",
        "triggers.schedules": "core triggers auth dispatch",
        "observers": "audit checks core files logs",
        "net": "core files limits",
        "forwarding": "audit core files net",
        "frontends": "",
        "frontends.common": "checks core limits config auth dispatch net parameters runs",
        "frontends.line": "core limits auth dispatch net frontends.common",
        "frontends.nrpe": "core limits auth net frontends.common",
        "frontends.web": "checks core limits config auth dispatch logs net frontends.common parameters runs triggers",
        "frontends.ssh": "core files limits sshtransport auth dispatch net frontends.common parameters runs",
        "privsep": "checks core files config execution parameters parsers",
        "app": "audit core files limits config diff auth execution history dispatch logs observers net forwarding"
        " frontends.common privsep"
        " runs triggers triggers.schedules",
        "plugin": "core files config dispatch logs net app triggers",
        "fleet.agent": "core limits fleet config logs app",
        "fleet.client": "parameters core files sshtransport auth fleet",
        "cli": "audit core files config lint diff auth dispatch fleet fleet.client frontends.common app plugin"
        " nrpe_import triggers",
        "": "",
    }.items()
}

#: What a front end has no business with: it asks the dispatcher.
NOT_FOR_FRONT_ENDS = frozenset(
    {
        "dispatch.policy", "dispatch.scheduling", "limits.fair_queue", "config.loading", "execution", "observers",
        "privsep", "app",
    }
)  # fmt: skip

#: Clocks that jump when somebody sets the time. To format a time that is given is something else.
TIMES_OF_DAY = frozenset(
    {
        *(f"time.{name}" for name in ("time", "time_ns", "CLOCK_REALTIME")),
        *(f"{module}{name}" for module in ("datetime.", "datetime.datetime.") for name in ("now", "utcnow", "today")),
        *("date.today", "datetime.date.today"),
        *(f"twisted.python.runtime.{name}" for name in ("seconds", "platform.seconds")),
    }
)


@cache
def trees() -> Mapping[str, ast.Module]:
    """Parse all of our modules; by the name within the package, which is empty for the package itself."""
    return _parsed(SOURCE)


@cache
def probe_trees() -> Mapping[str, ast.Module]:
    """Parse all modules of `cmdserver-probe`, as `trees`."""
    return _parsed(PROBE_SOURCE)


def _parsed(source: Path) -> Mapping[str, ast.Module]:
    return {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix("__init__").rstrip("."): ast.parse(
            path.read_text(encoding="utf-8"), str(path)
        )
        for path in sorted(source.rglob("*.py"))
    }


def imported(tree: ast.AST) -> Iterator[str]:
    """Name everything that is imported, wherever in the module: ``a.b`` for ``import a.b`` and ``from a import b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree: ast.AST) -> set[str]:
    """Name the modules of ours that a module imports."""
    found = set()
    for name in imported(tree):
        if name.split(".")[0] == "cmdserver":
            # `from cmdserver.core.model import Caller` names something in a module.
            parts = name.split(".")[1:]
            while parts and ".".join(parts) not in trees():
                parts.pop()
            found.add(".".join(parts))
    return found


def _is_package(module: str) -> bool:
    return (SOURCE / module.replace(".", "/") / "__init__.py").exists()


def package_of(module: str) -> str:
    """Name the package that a module belongs to, of those in the table."""
    return next(name for name in (module, module.rpartition(".")[0], *_parents(module)) if name in MAY_IMPORT)


def _parents(module: str) -> Iterator[str]:
    while module:
        module = module.rpartition(".")[0]
        yield module


def uses(package: str) -> set[str]:
    """Name the other packages that the modules of a package import."""
    return {
        package_of(other) for module, tree in trees().items() if package_of(module) == package for other in ours(tree)
    } - {package, ""}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Find all calls."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imports_time_of_day(tree: ast.AST) -> bool:
    """Whether something that tells the time of day is imported by its own name, so that `names` would not know it."""
    return any(name in TIMES_OF_DAY for name in imported(tree))


def names(tree: ast.AST) -> set[str]:
    """Name everything that is spoken of with dots, such as ``os.system``."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}


class LayeringTests(SynchronousTestCase):
    def test_packages_import_what_the_table_says(self) -> None:
        """Neither more, nor less: so the table says how it is."""
        self.assertEqual({package: uses(package) for package in MAY_IMPORT}, {**MAY_IMPORT})

    def test_packages_say_what_they_import(self) -> None:
        """A docstring that names packages names those of the table."""
        for package, others in MAY_IMPORT.items():
            said = re.search(r"^May import: ([\w., \n]+)\.$", ast.get_docstring(trees()[package]) or "", re.MULTILINE)
            named = set(re.split(r",\s+", said[1])) if said is not None else set()
            if named <= set(MAY_IMPORT) and named:
                self.assertEqual(named, others, package)

    def test_tests_lie_where_their_modules_do(self) -> None:
        """`tests/auth/test_checkers.py` is of `auth.checkers`; those of several modules are named here."""
        of_several = {
            "config.validation.warnings",  # what all checks warn of
            "frontends.line.telnet_options",  # telnet's bytes alone; `test_telnet` has clients
            "frontends.required_login",  # every front end where a login is required
            "privsep.contract",  # the runner keeps what every way to start a command promises
            "privsep.hostile_daemon",  # what a daemon that was taken over can have the runner do
            "sshtransport.captured",  # sessions of real clients
            "sshtransport.hostile",  # clients that break the protocol
        }
        tests = Path(__file__).parent
        found = {
            ".".join((*path.relative_to(tests).parent.parts, path.stem.removeprefix("test_")))
            for path in tests.glob("*/**/test_*.py")
            if path.relative_to(tests).parts[0] not in {"integration", "manpages", "probe"}
        }

        self.assertEqual(found - set(trees()), of_several)

    def test_no_import_goes_up(self) -> None:
        """Each package can be understood after those that stand above it in the table."""
        known: set[str] = set()
        for package, others in MAY_IMPORT.items():
            self.assertLessEqual(others, known, package)
            known.add(package)

    def test_no_module_imports_itself_in_a_circle(self) -> None:
        """Each module can be understood after those that it imports."""
        rest = {module: ours(tree) for module, tree in trees().items()}
        while ready := [module for module, others in rest.items() if not others & set(rest)]:
            for module in ready:
                del rest[module]

        self.assertEqual(rest, {})

    def test_a_folder_can_be_taken_in_at_a_glance(self) -> None:
        """Some fifteen modules are a room; more of them are two rooms."""
        sizes = Counter(module.rpartition(".")[0] for module, tree in trees().items() if not _is_package(module))

        self.assertEqual({folder: size for folder, size in sizes.items() if size > 15}, {})

    def test_front_ends_do_not_know_the_engine_room(self) -> None:
        """A front end asks the dispatcher."""
        for module, tree in trees().items():
            if module.startswith("frontends."):
                others = {other for other in ours(tree) if other.startswith(tuple(NOT_FOR_FRONT_ENDS))}
                self.assertEqual(others, set(), module)

    def test_nobody_imports_a_front_end(self) -> None:
        """A front end that is not configured costs nothing: they are named in the table of protocols."""
        front_ends = {package for package in MAY_IMPORT if package.startswith("frontends.")} - {"frontends.common"}

        self.assertEqual({package for package, others in MAY_IMPORT.items() if others & front_ends}, set())

    def test_only_the_plugin_knows_the_reactor(self) -> None:
        """The global reactor is imported in one place, and there only within functions."""
        importers = [module for module, tree in trees().items() if "twisted.internet.reactor" in imported(tree)]
        at_import = [
            node
            for node in trees()["plugin"].body
            if isinstance(node, ast.ImportFrom) and "reactor" in ast.unparse(node)
        ]

        self.assertEqual((importers, at_import), (["plugin"], []))

    def test_only_the_identity_makes_callers(self) -> None:
        """A Caller in a signature means that somebody has been let in: nobody else makes or copies one."""
        makers = [
            module
            for module, tree in trees().items()
            if any(ast.unparse(call.func).split(".")[-1] == "Caller" for call in calls(tree))
        ]
        copiers = [
            module
            for module, tree in trees().items()
            if any(
                name in {"msgspec.structs.replace", "dataclasses.replace", "copy.replace"} for name in imported(tree)
            )
            and "cmdserver.core.model.Caller" in imported(tree)
        ]

        self.assertEqual((makers, copiers), (["auth.callers"], ["auth.callers"]))

    def test_the_time_of_day_is_for_people_and_validity(self) -> None:
        """Nobody measures with a clock that can be set: where the time of day is asked for, there is a reason."""
        allowed = {
            "app.composition.composition",  # when an event happened
            "app.authentication",  # the same; whether keys and tokens are valid
            "app.tls",  # whether certificates are valid
            "plugin",  # when schedules come next
            "cli.audit.show",  # what "two hours ago" is
            "cli.parameters",  # whether a token's end lies ahead
            "cli.second_factors",  # whether a first code is of now
            "cli.credential_list",  # whether that of keys and tokens has passed
            "logs.line_logger",  # when a line was written
            "auth.cached_file",  # how old a file is, whose times are times of day
            "cli.fleet.connecting",  # when a question is signed
        }
        used = {module for module, tree in trees().items() if names(tree) & TIMES_OF_DAY or imports_time_of_day(tree)}

        self.assertEqual(used, allowed)

    def test_nothing_goes_to_a_shell(self) -> None:
        """No module starts a program but those whose business it is, and none gives anything to a shell."""
        modules = {"subprocess", "pty", "multiprocessing"}
        functions = re.compile(
            r"os\.(system|popen|fork\w*|spawn\w+|exec\w+|posix_spawnp?)|.*\b(create_)?subprocess_(exec|shell)"
        )
        used = {
            (module, name)
            for module, tree in trees().items()
            for name in {*names(tree), *imported(tree)}
            if functions.fullmatch(name) or name.split(".")[0] in modules
        }
        with_shell = [
            module
            for module, tree in trees().items()
            if any(keyword.arg == "shell" for call in calls(tree) for keyword in call.keywords)
        ]

        allowed = {
            ("privsep.parsing.serving", "os.fork"),
            ("privsep.runner.standby", "os.fork"),
            ("privsep.runner.control_groups", "os.fork"),
            *(("privsep.runner.launching", f"os.{function}") for function in ("fork", "execve")),
        }
        self.assertEqual(used - allowed, set())
        self.assertEqual(with_shell, [])

    def test_asyncio_is_for_fleets(self) -> None:
        """A daemon has one event loop, which is Twisted's; the agent and the callers of a fleet have no Twisted."""
        used = {
            module for module, tree in trees().items() if "asyncio" in {name.split(".")[0] for name in imported(tree)}
        }
        with_twisted = {
            module for module in used if any(name.startswith("twisted") for name in imported(trees()[module]))
        }

        self.assertEqual({each for each in used if not each.startswith(("fleet.", "cli.fleet."))}, set())
        self.assertEqual(with_twisted, set())

    def test_nothing_is_evaluated(self) -> None:
        """Nothing that comes from outside can become code."""
        evaluators = {
            (module, ast.unparse(call.func))
            for module, tree in trees().items()
            for call in calls(tree)
            if ast.unparse(call.func) in {"eval", "exec", "compile", "__import__", "pickle.loads", "yaml.load"}
        }

        self.assertEqual(evaluators, set())

    def test_packages_hold_no_code(self) -> None:
        """An __init__.py is a docstring: to import one module does not import another."""
        for package in filter(_is_package, trees()):
            (statement,) = trees()[package].body
            self.assertIsInstance(statement, ast.Expr)


class ProbeTests(SynchronousTestCase):
    """`cmdserver-probe` is a program of its own, which starts in next to no time."""

    def test_it_knows_nothing_of_the_daemon(self) -> None:
        """Neither of the other; and of the packages from elsewhere it knows two, each in one place."""
        foreign = {
            (module, top)
            for module, tree in probe_trees().items()
            for top in {name.split(".")[0] for name in imported(tree)}
            if top not in sys.stdlib_module_names and top != "cmdserver_probe"
        }
        knowing = [
            module for module, tree in trees().items() if any("cmdserver_probe" in name for name in imported(tree))
        ]

        self.assertEqual(foreign, {("tls", "cryptography"), ("kinds.dns", "dns")})
        self.assertEqual(knowing, [])

    def test_only_what_a_kind_needs_is_imported(self) -> None:
        """The kinds know the tools, and no tool knows a kind: `main` loads the one that is asked for."""
        for module, tree in probe_trees().items():
            kinds = {name for name in imported(tree) if name.startswith("cmdserver_probe.kinds")}
            self.assertEqual(kinds, set(), module)
            self.assertNotIn("dataclasses", set(imported(tree)), module)

    def test_its_rooms(self) -> None:
        """What holds for the daemon's folders and packages holds here."""
        packages = ("", "kinds")
        sizes = Counter(module.rpartition(".")[0] for module in probe_trees() if module not in packages)

        self.assertEqual({folder: size for folder, size in sizes.items() if size > 15}, {})
        for package in packages:
            (statement,) = probe_trees()[package].body
            self.assertIsInstance(statement, ast.Expr)

    def test_tests_lie_where_their_modules_do(self) -> None:
        """`tests/probe/kinds/test_ntp.py` is of `cmdserver_probe.kinds.ntp`."""
        tests = Path(__file__).parent / "probe"
        of_several = {
            "document",  # docs/probe.md
            "hostile",  # targets that break the protocol, of every kind
        }
        found = {
            ".".join((*path.relative_to(tests).parent.parts, path.stem.removeprefix("test_")))
            for path in tests.rglob("test_*.py")
        }

        self.assertEqual(found - set(probe_trees()), of_several)


class ManPagesTests(SynchronousTestCase):
    """What makes the man pages is no part of what is installed."""

    def test_nobody_knows_it(self) -> None:
        """Neither the daemon nor the probe imports it, nor what reads Markdown for it."""
        knowing = [
            module
            for module, tree in (*trees().items(), *probe_trees().items())
            if any(name.split(".")[0] in {"manpages", "markdown_it"} for name in imported(tree))
        ]

        self.assertEqual(knowing, [])

    def test_tests_lie_where_their_modules_do(self) -> None:
        """`tests/manpages/test_roff.py` is of `manpages.roff`."""
        tests = Path(__file__).parent
        found = {path.stem.removeprefix("test_") for path in (tests / "manpages").glob("test_*.py")}
        modules = {path.stem for path in (tests.parent / "packaging" / "man" / "manpages").glob("*.py")}

        self.assertEqual(found - modules, set())


class FinderTests(SynchronousTestCase):
    """What the tests above rely on does find what it looks for."""

    def test_imports_are_found_wherever_they_are(self) -> None:
        """Imports of all forms count, within functions too."""
        tree = ast.parse(
            "import subprocess as s\nfrom cmdserver.frontends.common import line_protocol\n"
            "from cmdserver.core.model import Caller\n"
            "def f():\n  from twisted.internet import reactor\n  import cmdserver.frontends.line.pacing"
        )

        self.assertEqual(
            set(imported(tree)),
            {
                "subprocess",
                "cmdserver.frontends.common.line_protocol",
                "cmdserver.core.model.Caller",
                "twisted.internet.reactor",
                "cmdserver.frontends.line.pacing",
            },
        )
        self.assertEqual(ours(tree), {"frontends.common.line_protocol", "core.model", "frontends.line.pacing"})

    def test_times_of_day_are_found(self) -> None:
        """Whether the clock is called, handed on or imported by its own name."""
        for text in ("time.time()", "clock = time.time", "from time import time", "x = datetime.now(UTC)"):
            tree = ast.parse(text)
            self.assertTrue(names(tree) & TIMES_OF_DAY or imports_time_of_day(tree), text)
        for text in ("time.monotonic()", "datetime.fromtimestamp(0, UTC)", "from datetime import UTC, datetime"):
            tree = ast.parse(text)
            self.assertFalse(names(tree) & TIMES_OF_DAY or imports_time_of_day(tree), text)

    def test_names_and_calls_are_found(self) -> None:
        """What is called or only mentioned counts, with its dots."""
        tree = ast.parse("run = os.system\nmodel.Caller(name=None)")

        self.assertIn("os.system", names(tree))
        self.assertEqual([ast.unparse(call.func) for call in calls(tree)], ["model.Caller"])
