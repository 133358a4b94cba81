"""A bus for the commands, which hosts are on."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from cmdserver.fleet.bus import NotConnected
from tests.fleet.doubles import FakeBus, Host


class CommandsBus(FakeBus):
    """As `cmdserver.fleet.bus.Bus`; connected at once, unless there is none."""

    #: What the hosts do.
    hosts: ClassVar[Any] = staticmethod(lambda _: ())
    #: Why there is no connection; empty: there is one.
    trouble: ClassVar[str] = ""
    made: ClassVar[list["CommandsBus"]] = []

    def __init__(self, server: object, name: str, subscribe: Any, random: Any) -> None:
        super().__init__(type(self).hosts)
        assert 0 <= random() < 1
        self.server, self.name, self._subscribe = server, name, subscribe
        self.was_ended = False
        self.made.append(self)

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.was_ended = True

    async def require_connection(self) -> None:
        if self.trouble:
            raise NotConnected(self.trouble)
        await self._subscribe(self.client)


def known_hosts_of(hosts: Mapping[str, Host]) -> str:
    """Write the file of those who know hosts."""
    return "".join(f"{each.name} {each.signer.public_key}\n" for each in hosts.values())
