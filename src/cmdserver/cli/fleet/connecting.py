"""How a caller reaches a fleet: which bus, by which key, and whom they know there."""

import asyncio
import getpass
import logging
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct

from cmdserver.auth.signatures.request_signing import SigningKey
from cmdserver.cli.command_line import CONFIG, Trouble
from cmdserver.cli.fleet.options import CallerOptions
from cmdserver.cli.notes import note
from cmdserver.cli.parameters import NAME
from cmdserver.config import loading
from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import load
from cmdserver.config.schema.settings import Settings
from cmdserver.core.text_encoding import NotUTF8, decode_leniently
from cmdserver.fleet.bus import AWAY, Bus, NotConnected, end_all
from cmdserver.fleet.client.exchange import Exchange
from cmdserver.fleet.client.identities import NoIdentity, find_identity
from cmdserver.fleet.client.known_hosts import KnownHosts
from cmdserver.fleet.client.ssh_agent import AgentError
from cmdserver.fleet.membership import BusServer

_SYSTEM_KNOWN_HOSTS = Path("/etc/cmdserver/known_hosts")
_MOST_KNOWN_HOSTS_BYTES = 1 << 26
#: As shells have it for a program that Ctrl-C has ended.
INTERRUPTED = 130

Result = TypeVar("Result")


class FleetSettings(Struct, frozen=True):
    """What is asked, and where it is."""

    fleet: str
    bus: BusServer
    #: All that the configuration says.
    settings: Settings


class Access(Struct, frozen=True):
    """Who asks, and whom they know."""

    user: str
    key: SigningKey
    known: KnownHosts
    #: Where hosts are added.
    known_hosts_file: Path


def read_fleet(ctx: click.Context) -> FleetSettings:
    """Read ``[fleet]``: of ``--config``, $CMDSERVER_CONFIG, the caller's own file, or the system's.

    The caller need not run a daemon: whatever else the file says, or does not say, is no matter.
    """
    own = config_home() / "cmdserver.toml"
    named = ctx.meta.get(CONFIG) or os.environ.get("CMDSERVER_CONFIG") or (str(own) if own.exists() else None)
    try:
        source = load(named, os.environ)
        settings, host, member = loading.read_fleet(source, Host())
    except OSError as error:
        raise Trouble(f"cannot read the configuration: {error}") from error
    except Mistakes as mistakes:
        raise Trouble("\n".join(map(str, mistakes.mistakes))) from mistakes
    if member is None:
        text = f"{source.name} has no [fleet] with a server; write one, or name another file with --config"
        raise Trouble(f'{text}:\n\n    [fleet]\n    server = "tls://bus.example:4222"')
    return FleetSettings(host.fleet, member.bus, settings)


def find_access(given: CallerOptions) -> Access:
    """Find the caller's name, key and known hosts."""
    user, known_hosts = given.user, given.known_hosts
    if user is None:
        user = NAME.convert(getpass.getuser(), None, None)
    file = known_hosts or config_home() / "known_hosts"
    known = read_known_hosts([file] if known_hosts is not None else [file, _SYSTEM_KNOWN_HOSTS])
    try:
        key = find_identity(given.identity, os.environ.get("SSH_AUTH_SOCK"), _ask_passphrase, Path.home())
    except (NoIdentity, AgentError) as error:
        raise Trouble(str(error)) from error
    return Access(user, key, known, file)


def read_known_hosts(files: Iterable[Path]) -> KnownHosts:
    """Read files of known hosts, of those that there are; what is left out of them is told."""
    found = []
    for file in files:
        try:
            with file.open("rb") as opened:
                found.append((decode_leniently(opened.read(_MOST_KNOWN_HOSTS_BYTES)), str(file)))
        except FileNotFoundError:
            continue
        except NotUTF8 as error:
            raise Trouble(f"{file}: {error}") from error
    known = KnownHosts.parse_all(found)
    for each in known.notes:
        note(each)
    return known


def config_home() -> Path:
    """Return the directory of the caller's own files (XDG base directory specification)."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".config") / "cmdserver"


def jitter() -> float:
    """Return a number in [0, 1)."""
    return random.SystemRandom().random()


def why_no_host_matches(access: Access, globs: Sequence[str]) -> str:
    """Say why no known host matches."""
    if not access.known.hosts:
        return f"there is no host in {access.known_hosts_file}; cmdserver hosts --accept-new adds those that answer"
    return f"no host in {access.known_hosts_file} matches {', '.join(globs)}"


def exchange(fleet: FleetSettings, access: Access) -> Exchange:
    """Return what signs, sends and receives for a caller."""
    return Exchange(fleet.fleet, access.user, access.key, time.time, lambda: secrets.token_hex(16))


@asynccontextmanager
async def connected(bus: Bus) -> AsyncIterator[None]:
    """Be connected to the bus.

    Raises:
        Trouble: It cannot be reached; or ssh-agent does not sign what is to be sent there.
    """
    log = logging.getLogger(Bus.__module__)

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg != AWAY  # a first try that fails is raised as NotConnected, and not tried again

    log.addFilter(is_news)
    running = asyncio.create_task(bus.run())
    try:
        await bus.require_connection()
        log.removeFilter(is_news)
        yield
    except (NotConnected, AgentError) as error:
        raise Trouble(str(error)) from error
    finally:
        log.removeFilter(is_news)
        await end_all([running])


def run(work: Callable[[], Coroutine[Any, Any, Result]], interrupt: Callable[[], bool]) -> Result:
    """Run a coroutine to its end.

    Args:
        work: Makes it.
        interrupt: Called when somebody presses Ctrl-C, or ends us, for the first time; says whether the coroutine comes
            to its end by itself now. Else, and the second time, the program ends at once.
    """
    logging.basicConfig(format="cmdserver: note: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("asyncio").setLevel(logging.ERROR)

    async def running() -> Result:
        task = asyncio.ensure_future(work())
        is_ending = False

        def press() -> None:
            nonlocal is_ending
            if is_ending or not interrupt():
                # At once: asyncio would wait for threads, and ssh-agent for its owner.
                os._exit(INTERRUPTED)
            is_ending = True

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, press)
        return await task

    try:
        return asyncio.run(running())
    except asyncio.CancelledError:
        sys.exit(INTERRUPTED)


def clock() -> float:
    """Return a time to measure by, in seconds."""
    return time.monotonic()


def _ask_passphrase(prompt: str) -> str:
    answer: str = click.prompt(prompt, hide_input=True, err=True, default="", show_default=False, prompt_suffix="")
    return answer
