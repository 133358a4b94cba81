"""Tests of who may know whom: the architecture, as a table that fails when it is not kept.

A new module enters the table in the commit that creates it. What is not in the table is the standard library and the
packages of pyproject.toml, which everybody may use but for what is forbidden below.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import cmdserver

SOURCE = Path(cmdserver.__file__).parent

#: Which modules of ours each module may import.
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    module: frozenset(others.split())
    for module, others in {
        # Values, and what is said of them.
        "errors": "printable",
        "model": "errors networks",
        "events": "errors model",
        "names": "",
        "own_names": "endpoints",
        "networks": "",
        # Pure: no reactor, no files, no time of its own.
        "admission": "errors",
        "deadlines": "",
        "dialogue": "",
        "elf": "",
        "endpoints": "",
        "gate": "errors networks",
        "penalties": "networks",
        "places": "",
        "policy": "errors model printable",
        "plausible": "",
        "printable": "",
        "reading": "places printable",
        "recording": "model",
        "remembered": "",
        "rendering": "errors model printable structured",
        "held_stderr": "rendering",
        "settings": "",
        "sharing": "",
        "sources": "networks",
        "startups": "errors networks",
        "structured": "model plausible",
        "text_files": "",
        "telnet": "errors",
        "throttle": "errors",
        "wire": "errors text_files",
        # The host.
        "files": "",
        "files.safe_path": "",
        "files.opening": "files.safe_path ownership privsep.daemon_user",
        "files.log_file": "files.opening",
        "files.pid_file": "errors files.safe_path ownership privsep.leftovers",
        "audit": "errors events files.opening",
        "metrics": "errors events",
        "hangups": "",
        "executables": "elf text_files",
        "host": "executables",
        "orphans": "networks",
        "ownership": "files.safe_path privsep.credentials privsep.daemon_user",
        "process": "",
        "process_group": "",
        "monotonic": "",
        "replacing": "",
        "pipes": "",
        "spawning": "pipes process_group",
        "in_process": "model",
        "state": "errors files.safe_path ownership privsep.daemon_user",
        "state_checks": "checks.others credential_files errors executables host_keys ownership settings",
        "standard_streams": "",
        "preloading": "ownership",
        "execution": "executables model streaming",
        "runner": "execution model",
        # Credentials: pure parsers, then the files that they are in.
        "passwords": "",
        "credentials": "names passwords sources",
        "authorized_keys": "credentials sources",
        "watched": "credentials errors text_files",
        "credential_files": "authorized_keys credentials names passwords replacing watched",
        "host_keys": "errors files.safe_path text_files",
        "first_start": "certificates credential_files errors files.safe_path passwords replacing",
        # Who is calling.
        "hashing": "admission errors networks passwords",
        "claims": "names",
        "checkers": (
            "authorized_keys claims credential_files credentials errors hashing remembered sshtransport.sk_keys"
        ),
        "threshold": "errors penalties startups",
        "identity": "claims errors events model penalties threshold",
        # TLS is no door, but what some doors are wrapped in.
        "tls": "certificates errors files.safe_path settings",
        "tls_transport": "",
        # An SSH transport, which knows nothing of the rest; so that it can be used by others.
        "sshtransport": "",
        "sshtransport.encoding": "",
        "sshtransport.identification": "",
        "sshtransport.packets": "",
        "sshtransport.protections": "sshtransport.packets",
        "sshtransport.algorithms": "",
        "sshtransport.negotiation": "sshtransport.algorithms sshtransport.encoding",
        "sshtransport.key_exchange": "sshtransport.algorithms sshtransport.encoding sshtransport.negotiation",
        "sshtransport.suites": (
            "sshtransport.algorithms sshtransport.key_exchange sshtransport.negotiation sshtransport.packets"
            " sshtransport.protections"
        ),
        "sshtransport.strict": "",
        "sshtransport.rekeying": "",
        "sshtransport.extension_info": "sshtransport.algorithms sshtransport.encoding",
        "sshtransport.congestion": "",
        "sshtransport.sk_keys": "sshtransport.encoding sshtransport.key_exchange",
        "sshtransport.dispatching": (
            "sshtransport.encoding sshtransport.extension_info sshtransport.packets sshtransport.strict"
        ),
        "sshtransport.framing": (
            "sshtransport.congestion sshtransport.dispatching sshtransport.encoding sshtransport.identification"
            " sshtransport.packets sshtransport.rekeying sshtransport.strict"
        ),
        "sshtransport.protected": (
            "sshtransport.algorithms sshtransport.dispatching sshtransport.framing sshtransport.key_exchange"
            " sshtransport.negotiation sshtransport.packets sshtransport.strict sshtransport.suites"
        ),
        "sshtransport.transport": (
            "sshtransport.algorithms sshtransport.dispatching sshtransport.encoding sshtransport.extension_info"
            " sshtransport.key_exchange sshtransport.negotiation sshtransport.protected sshtransport.strict"
        ),
        # One request, one way through.
        "scheduler": "admission errors execution model questions recording runner sharing",
        "dispatcher": "errors events gate model policy questions scheduler throttle",
        "interpreter": "dispatcher errors held_stderr model printable rendering wire",
        "questions": "errors model recording sharing",
        # The configuration: names of roles and words of the protocol are not written down twice.
        "checks": "",
        "checks.rights": "host model",
        "checks.commands": "checks.rights host model names reading settings wire",
        "checks.listeners": "endpoints host model places reading settings",
        "checks.roles": "model names policy reading settings",
        "checks.others": "host model networks privsep.daemon_user reading settings startups",
        "configuration": (
            "checks.commands checks.listeners checks.others checks.roles files.safe_path host model reading settings"
            " text_files"
        ),
        # The runner process, and what the daemon has of it; only the last five import Twisted.
        "privsep": "",
        "privsep.linux": "",
        "privsep.marks": "",
        "privsep.messages": "",
        "privsep.daemon_user": "settings",
        "privsep.privileges": "model privsep.daemon_user privsep.linux reading",
        "privsep.orders": "",
        "privsep.credentials": "files.safe_path names",
        "privsep.leftovers": "endpoints files.safe_path",
        "privsep.seccomp": "",
        "privsep.launching": "model privsep.control_groups privsep.linux privsep.marks",
        "privsep.runs": (
            "model privsep.control_groups privsep.launching privsep.marks privsep.messages privsep.run privsep.strays"
        ),
        "privsep.succession": "privsep.linux",
        "privsep.allowance": "configuration files.safe_path model privsep.messages reading",
        "privsep.serving": ("privsep.allowance privsep.credentials privsep.messages privsep.runs privsep.succession"),
        "privsep.__main__": (
            "configuration host privsep.allowance privsep.control_groups privsep.credentials privsep.launching"
            " privsep.leftovers privsep.linux privsep.marks privsep.messages privsep.orders privsep.privileges"
            " privsep.runs privsep.serving privsep.strays privsep.succession reading"
        ),
        "privsep.starting": "errors host privsep.messages privsep.orders",
        "privsep.remote_child": "pipes privsep.messages",
        "privsep.packets": "privsep.messages",
        "privsep.remote": "errors privsep.fetching privsep.messages privsep.packets privsep.remote_child",
        "privsep.process": (
            "errors files.safe_path privsep.linux privsep.marks privsep.messages privsep.orders privsep.remote"
            " privsep.starting privsep.strays"
        ),
        # The doors.
        "lobby": "dispatcher gate hangups orphans settings",
        "activation": "",
        "proxied": "networks proxy_protocol",
        "proxy_protocol": "",
        "listening": "activation endpoints errors lobby model networks proxied",
        "connections": "deadlines lobby",
        "entrance": "dialogue errors identity model rendering",
        "frontends": "",
        "frontends.line": "",
        "frontends.line.pacing": "connections errors model settings telnet wire",
        "frontends.line.connection": (
            "connections entrance errors frontends.line.pacing identity interpreter lobby model rendering wire"
        ),
        "frontends.line.front_end": (
            "connections errors frontends.line.connection identity interpreter listening lobby rendering"
        ),
        "frontends.web": "",
        "frontends.web.gallery": "frontends.web.drawing frontends.web.markup frontends.web.picture model structured",
        "frontends.web.drawing": "frontends.web.markup frontends.web.picture",
        "frontends.web.frame": "frontends.web.markup",
        "frontends.web.http2": "frontends.web.channel",
        "frontends.web.run_panel": "frontends.web.frame frontends.web.markup model rendering",
        "frontends.web.markup": "printable",
        "frontends.web.picture": "structured",
        "frontends.web.pages": (
            "errors frontends.web.frame frontends.web.gallery frontends.web.markup frontends.web.run_panel model"
        ),
        "frontends.web.utf8": "",
        "frontends.web.negotiation": "",
        "frontends.web.headers": "",
        "frontends.web.problems": "errors frontends.web.headers frontends.web.negotiation",
        "frontends.web.answers": "frontends.web.headers frontends.web.negotiation model rendering",
        "frontends.web.guard": "errors own_names",
        "frontends.web.fields": "errors",
        "frontends.web.sessions": "model",
        "frontends.web.static": "",
        "frontends.web.openapi": "errors frontends.web.problems model",
        "frontends.web.channel": "",
        "frontends.web.request": (
            "errors frontends.web.channel frontends.web.fields frontends.web.guard frontends.web.headers"
            " frontends.web.negotiation model"
        ),
        "frontends.web.access_log": "frontends.web.request",
        "frontends.web.connection": (
            "connections errors frontends.web.channel frontends.web.http2 frontends.web.request identity lobby model"
        ),
        "frontends.web.authentication": (
            "claims errors frontends.web.fields frontends.web.guard frontends.web.pages frontends.web.request"
            " frontends.web.sessions identity model"
        ),
        "frontends.web.site": (
            "dispatcher errors frontends.web.authentication frontends.web.fields frontends.web.guard"
            " frontends.web.negotiation"
            " frontends.web.pages frontends.web.problems frontends.web.request identity model rendering"
        ),
        "frontends.web.resources": (
            "errors frontends.web.headers frontends.web.negotiation frontends.web.openapi frontends.web.pages"
            " frontends.web.request frontends.web.site frontends.web.static model rendering"
        ),
        "frontends.web.login": (
            "errors frontends.web.fields frontends.web.guard frontends.web.negotiation frontends.web.pages"
            " frontends.web.request frontends.web.resources identity model"
        ),
        "frontends.web.live": (
            "errors frontends.web.answers frontends.web.negotiation frontends.web.pages frontends.web.request"
            " held_stderr model printable structured"
        ),
        "frontends.web.event_stream": (
            "frontends.web.gallery frontends.web.negotiation frontends.web.request frontends.web.site"
            " frontends.web.utf8 model rendering structured"
        ),
        "frontends.web.event_streams": (
            "errors frontends.web.event_stream frontends.web.headers frontends.web.request frontends.web.site model"
        ),
        "frontends.web.command": (
            "frontends.web.answers frontends.web.event_streams frontends.web.live frontends.web.negotiation"
            " frontends.web.pages frontends.web.request frontends.web.resources frontends.web.site model rendering"
        ),
        "frontends.web.front_end": (
            "connections errors frontends.web.access_log frontends.web.authentication frontends.web.command"
            " frontends.web.connection frontends.web.event_streams frontends.web.headers frontends.web.login"
            " frontends.web.problems frontends.web.request frontends.web.resources frontends.web.site"
            " frontends.web.static identity listening lobby rendering"
        ),
        # The SSH door: a terminal, which knows no SSH; sessions, which know no packets; packets; connections.
        "frontends.ssh": "",
        "frontends.ssh.keys": "",
        "frontends.ssh.editor": "",
        "frontends.ssh.screen": "frontends.ssh.editor",
        "frontends.ssh.terminal": "frontends.ssh.editor frontends.ssh.keys frontends.ssh.screen",
        "frontends.ssh.ending": "errors model",
        "frontends.ssh.answers": "dispatcher errors frontends.ssh.ending interpreter model printable rendering wire",
        "frontends.ssh.programs": "errors frontends.ssh.answers frontends.ssh.ending model",
        "frontends.ssh.lines": "errors frontends.ssh.answers frontends.ssh.ending frontends.ssh.programs wire",
        "frontends.ssh.shell": (
            "frontends.ssh.answers frontends.ssh.ending frontends.ssh.programs frontends.ssh.terminal wire"
        ),
        "frontends.ssh.channel": "frontends.ssh.ending model sshtransport.encoding",
        "frontends.ssh.session": (
            "frontends.ssh.answers frontends.ssh.channel frontends.ssh.lines frontends.ssh.programs frontends.ssh.shell"
            " sshtransport.encoding"
        ),
        "frontends.ssh.channels": (
            "frontends.ssh.answers frontends.ssh.channel frontends.ssh.session sshtransport.encoding"
        ),
        "frontends.ssh.authentication": "claims errors identity model sshtransport.encoding",
        "frontends.ssh.silent": "",
        "frontends.ssh.connection": (
            "connections errors frontends.ssh.answers frontends.ssh.authentication frontends.ssh.channels"
            " frontends.ssh.silent identity lobby model sshtransport.encoding sshtransport.transport"
        ),
        "frontends.ssh.front_end": "connections errors frontends.ssh.connection identity listening lobby",
        # How it is put together; named here is what makes the parts, doors are found by their names.
        "house": (
            "admission audit checkers claims configuration credential_files dispatcher events files.opening"
            " files.safe_path first_start gate hangups hashing host_keys identity in_process listening lobby metrics"
            " model networks orphans own_names penalties policy process proxied remembered runner scheduler settings"
            " spawning startups threshold throttle tls tls_transport watched"
        ),
        "doors": "errors listening",
        "shedding": "errors preloading privsep.daemon_user privsep.linux privsep.privileges privsep.seccomp settings",
        "service": (
            "configuration doors errors files.opening files.pid_file files.safe_path house identity ownership"
            " privsep.daemon_user privsep.process process reading shedding startup watched"
        ),
        "startup": (
            "doors errors files.safe_path listening ownership privsep.daemon_user privsep.leftovers settings state"
        ),
        "plugin": (
            "checks.others configuration errors files.log_file files.opening files.pid_file files.safe_path host"
            " listening monotonic ownership privsep.daemon_user process reading service settings shedding"
            " standard_streams state state_checks structured tls"
        ),
        # What people type beside the daemon.
        "companion_parameters": "credential_files credentials names policy standard_streams",
        "companion": (
            "companion_parameters configuration credential_files credentials errors identity ownership passwords plugin"
            " policy printable reading rendering settings sources state text_files"
            " policy printable reading rendering settings sources state watched"
        ),
        "privsep.control_groups": "",
        "privsep.fetching": "errors privsep.messages",
        "privsep.run": "model privsep.launching privsep.messages",
        "privsep.strays": "privsep.control_groups privsep.marks privsep.messages",
        "certificates": "errors files.safe_path",
        "streaming": "model",
        "": "",
    }.items()
}

#: What a door has no business with: it asks the dispatcher.
NOT_FOR_DOORS = frozenset(
    {"runner", "execution", "policy", "scheduler", "audit", "events", "spawning", "admission", "configuration"}
)

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
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): ast.parse(
            path.read_text(encoding="utf-8"), str(path)
        )
        for path in sorted(SOURCE.rglob("*.py"))
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
            # `from cmdserver.model import Caller` names something in a module.
            parts = name.split(".")[1:]
            while parts and ".".join(parts) not in trees():
                parts.pop()
            found.add(".".join(parts))
    return found


def door_of(module: str) -> str | None:
    """Name the door that a module belongs to, which may be a package; None for what is no door's."""
    parts = module.split(".")
    return parts[1] if parts[0] == "frontends" and len(parts) > 1 else None


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
    def test_every_module_has_its_place(self) -> None:
        """The table has all modules that there are, and no others."""
        self.assertEqual(set(MAY_IMPORT), set(trees()))

    def test_nobody_imports_what_it_may_not(self) -> None:
        """What a module imports of ours is in its line of the table."""
        excess = {module: ours(tree) - MAY_IMPORT.get(module, frozenset()) for module, tree in trees().items()}

        self.assertEqual({module: others for module, others in excess.items() if others}, {})

    def test_the_table_allows_no_more_than_is_needed(self) -> None:
        """What nobody uses is not allowed, so that the table says how it is."""
        excess = {module: others - ours(trees()[module]) for module, others in MAY_IMPORT.items() if module in trees()}

        self.assertEqual({module: others for module, others in excess.items() if others}, {})

    def test_nobody_imports_in_a_circle(self) -> None:
        """Each module can be understood after those that it imports."""
        rest = dict(MAY_IMPORT)
        while ready := [module for module, others in rest.items() if not others & set(rest)]:
            for module in ready:
                del rest[module]

        self.assertEqual(rest, {})

    def test_doors_know_neither_each_other_nor_the_engine_room(self) -> None:
        """A front end asks the dispatcher, and no other door concerns it; the table may not say otherwise."""
        for module, others in MAY_IMPORT.items():
            if door_of(module):
                self.assertEqual(others & NOT_FOR_DOORS, set(), module)
                self.assertEqual({door_of(each) for each in others} - {None, door_of(module)}, set(), module)

    def test_the_ssh_transport_stands_alone(self) -> None:
        """It could be a library: what it imports of ours is itself."""
        foreign = {
            other
            for module, others in MAY_IMPORT.items()
            if module.startswith("sshtransport")
            for other in others
            if not other.startswith("sshtransport.")
        }

        self.assertEqual(foreign, set())

    def test_nobody_imports_a_door(self) -> None:
        """A door that is not configured costs nothing: doors are named in the service, and imported when needed."""
        doors = {module: {door_of(each) for each in ours(tree)} - {None} for module, tree in trees().items()}

        self.assertEqual({module: its for module, its in doors.items() if its - {door_of(module)}}, {})

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
            if any(name in {"dataclasses.replace", "copy.replace"} for name in imported(tree))
            and "cmdserver.model.Caller" in imported(tree)
        ]

        self.assertEqual((makers, copiers), (["identity"], ["identity"]))

    def test_the_time_of_day_is_for_people_and_validity(self) -> None:
        """Nobody measures with a clock that can be set: where the time of day is asked for, there is a reason."""
        allowed = {
            "house",  # when an event happened; whether certificates, keys and tokens are valid
            "plugin",  # whether certificates are valid
            "companion_parameters",  # whether a token's end lies ahead
            "watched",  # how old a file is, whose times are times of day
        }
        used = {module for module, tree in trees().items() if names(tree) & TIMES_OF_DAY or imports_time_of_day(tree)}

        self.assertEqual(used, allowed)

    def test_nothing_goes_to_a_shell(self) -> None:
        """No module starts a program but those whose business it is, and none gives anything to a shell."""
        modules = {"subprocess", "pty", "multiprocessing", "asyncio"}
        functions = re.compile(r"os\.(system|popen|fork\w*|spawn\w+|exec\w+|posix_spawnp?)")
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
            ("spawning", "os.posix_spawn"),
            ("privsep.starting", "os.posix_spawn"),
            ("privsep.succession", "os.fork"),
            ("privsep.control_groups", "os.fork"),
            *(("privsep.launching", f"os.{function}") for function in ("fork", "execve", "posix_spawn")),
        }
        self.assertEqual(used - allowed, set())
        self.assertEqual(with_shell, [])

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
        for package in ("", "checks", "files", "frontends", "frontends.ssh", "frontends.web", "sshtransport"):
            (statement,) = trees()[package].body
            self.assertIsInstance(statement, ast.Expr)


class FinderTests(SynchronousTestCase):
    """What the tests above rely on does find what it looks for."""

    def test_imports_are_found_wherever_they_are(self) -> None:
        """Imports of all forms count, within functions too."""
        tree = ast.parse(
            "import subprocess as s\nfrom cmdserver import wire\nfrom cmdserver.model import Caller\n"
            "def f():\n  from twisted.internet import reactor\n  import cmdserver.frontends.line.pacing"
        )

        self.assertEqual(
            set(imported(tree)),
            {
                "subprocess",
                "cmdserver.wire",
                "cmdserver.model.Caller",
                "twisted.internet.reactor",
                "cmdserver.frontends.line.pacing",
            },
        )
        self.assertEqual(ours(tree), {"wire", "model", "frontends.line.pacing"})

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
