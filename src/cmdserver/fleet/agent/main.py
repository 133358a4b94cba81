"""What ``cmdserver-agent`` takes on its command line, and what it reads before it connects to anything."""

import argparse
import asyncio
import os
import resource
import sys
from typing import Final

from msgspec import Struct

from cmdserver.app.state_directory import choose_directory
from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import load, read_fleet
from cmdserver.core.errors import CannotStart
from cmdserver.core.site import FleetHost
from cmdserver.core.version import VERSION
from cmdserver.fleet.agent.daemon_socket import DaemonSocket
from cmdserver.fleet.membership import EXTRA_IS_MISSING, EXTRA_MODULES, SOCKET_NAME, BusServer
from cmdserver.logs.python_logging import log_to
from cmdserver.logs.systemd import goes_to_journal

#: Of address space: a bus that announces a message of gigabytes is not to have them.
_MOST_MEMORY_BYTES: Final = 512 * 1024 * 1024


class AgentSettings(Struct, frozen=True):
    """What the agent goes by."""

    host: FleetHost
    bus: BusServer
    daemon: DaemonSocket


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(
        prog="cmdserver-agent",
        description="Hand requests from a fleet's bus to the daemon of this host, and answers back.",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration file; else where the daemon looks")
    parser.add_argument("--state-dir", metavar="DIR", help="where state is kept; else where the daemon looks")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    options = parser.parse_args()
    try:
        settings = read_settings(options.config, options.state_dir)
    except Mistakes as mistakes:
        sys.exit("\n".join(map(str, mistakes.mistakes)))
    except CannotStart as error:
        sys.exit(f"cmdserver-agent: {str(error).removeprefix('cmdserver: ')}")
    except OSError as error:
        sys.exit(f"cmdserver-agent: cannot read the configuration: {error}")
    _limit_memory()
    log_to(sys.stderr, is_for_journal=goes_to_journal(os.environ, is_terminal=sys.stderr.isatty()))
    try:
        from cmdserver.fleet.agent.serving import serve  # noqa: PLC0415 - NATS' client may not be installed
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_MODULES:
            raise
        sys.exit(f"cmdserver-agent: {EXTRA_IS_MISSING}")
    asyncio.run(serve(settings.host, settings.bus, settings.daemon.ask))


def _limit_memory() -> None:
    """Have little, and not more than whoever has started us allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MOST_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def read_settings(config: str | None, state_directory: str | None) -> AgentSettings:
    """Read what the agent needs to know; mistakes in other tables are the daemon's to tell.

    Raises:
        Mistakes: ``[fleet]`` has some, or the file cannot be read.
        CannotStart: There is no bus, or no place for state.
        OSError: There is no such file.
    """
    source = load(config, os.environ)
    settings, host, member = read_fleet(source, Host())
    if member is None:
        raise CannotStart(f"[fleet] in {source.name} names no server, so there is nothing to connect to")
    directory = choose_directory(state_directory, settings.state_dir, os.environ)
    return AgentSettings(host, member.bus, DaemonSocket(directory / SOCKET_NAME))
