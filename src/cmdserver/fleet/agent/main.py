"""What ``cmdserver-agent`` takes on its command line, how it is started, and how it ends."""

import argparse
import asyncio
import logging
import os
import random
import resource
import signal
import sys
import time
from contextlib import suppress
from typing import Final

from msgspec import Struct
from nats.aio.client import Client

from cmdserver.app.state_directory import choose_directory
from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import load, read_fleet
from cmdserver.core.errors import CannotStart
from cmdserver.core.site import FleetHost
from cmdserver.core.version import VERSION
from cmdserver.fleet.agent.agent import Agent
from cmdserver.fleet.agent.daemon_socket import DaemonSocket
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.membership import SOCKET_NAME, BusServer
from cmdserver.logs.python_logging import log_to
from cmdserver.logs.systemd import goes_to_journal, notify

#: What is being answered at the end may still be.
_DRAIN_SECONDS: Final = 5.0
#: Of address space: a bus that announces a message of gigabytes is not to have them.
_MOST_MEMORY_BYTES: Final = 512 * 1024 * 1024
#: At the end of the watchdog's time it would be too late.
_WATCHDOG_SHARE: Final = 0.4

_log = logging.getLogger(__name__)


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
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    log_to(sys.stderr, is_for_journal=goes_to_journal(os.environ, is_terminal=sys.stderr.isatty()))
    asyncio.run(_run(settings))


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


async def _run(settings: AgentSettings) -> None:
    """Answer until somebody ends us."""
    agent = Agent(settings.host, settings.daemon.ask, time.monotonic)

    async def subscribe(client: Client) -> None:
        await agent.subscribe(client, bus)

    bus = Bus(settings.bus, f"cmdserver-agent {settings.host.name}", subscribe, random.SystemRandom().random, _status)
    _log.info("cmdserver-agent %s of %s in the fleet %s", VERSION, settings.host.name, settings.host.fleet)
    # At once: a bus that is away is no reason to be taken for dead.
    _tell_systemd("READY=1")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    running = [asyncio.create_task(bus.run()), asyncio.create_task(_feed_watchdog())]
    told_to_end = asyncio.create_task(ended.wait())
    await asyncio.wait([told_to_end, *running], return_when=asyncio.FIRST_COMPLETED)
    _tell_systemd("STOPPING=1")
    await agent.drain(_DRAIN_SECONDS)
    failed = [task for task in running if task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in failed:
        task.result()


async def _feed_watchdog() -> None:
    """Tell systemd that we live, if it wants to know (sd_watchdog_enabled(3))."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        await asyncio.Event().wait()
    while True:
        _tell_systemd("WATCHDOG=1")
        await asyncio.sleep(int(microseconds) / 1_000_000 * _WATCHDOG_SHARE)


def _status(text: str) -> None:
    _tell_systemd(f"STATUS={text}")


def _tell_systemd(state: str) -> None:
    with suppress(OSError):  # whoever does not listen is not told
        notify(state)
