"""The agent as a process: from the connection to the bus to SIGTERM, and what systemd hears of it."""

import asyncio
import logging
import os
import random
import signal
import time
from contextlib import suppress
from typing import Final

from nats.aio.client import Client

from cmdserver.core.site import FleetHost
from cmdserver.core.version import VERSION
from cmdserver.fleet.agent.agent import Agent, AskDaemon
from cmdserver.fleet.bus import Bus, end_all
from cmdserver.fleet.membership import BusServer
from cmdserver.logs.systemd import notify

#: What is being answered at the end may still be.
_DRAIN_SECONDS: Final = 5.0
#: At the end of the watchdog's time it would be too late.
_WATCHDOG_SHARE: Final = 0.4

_log = logging.getLogger(__name__)


async def serve(host: FleetHost, server: BusServer, ask: AskDaemon) -> None:
    """Answer until somebody ends us.

    Args:
        host: Whose agent this is.
        server: Where the bus is.
        ask: Asks the daemon.
    """
    agent = Agent(host, ask, time.monotonic)

    async def subscribe(client: Client) -> None:
        await agent.subscribe(client, bus)

    bus = Bus(server, f"cmdserver-agent {host.name}", subscribe, random.SystemRandom().random, _status)
    _log.info("cmdserver-agent %s of %s in the fleet %s", VERSION, host.name, host.fleet)
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
    await end_all(running)
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
