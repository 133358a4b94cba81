"""``[fleet]``: what this host is called there, and how it reaches the bus."""

import re
from ipaddress import ip_address

from cmdserver.config.decoding import TomlReader
from cmdserver.config.host import Host
from cmdserver.config.schema.host import Fleet
from cmdserver.core.endpoints import is_address
from cmdserver.core.site import DEFAULT_FLEET, HOST_NAME, FleetHost, require_fleet_name, require_host_name
from cmdserver.fleet.membership import BusServer, FleetMember, require_facts

_FILES = ("credentials", "ca")


class FleetChecks:
    """Looks at ``[fleet]``.

    Args:
        reader: Takes the notes.
        host: Whose name it has, if it says none.
    """

    def __init__(self, reader: TomlReader, host: Host) -> None:
        self._reader = reader
        self._host = host

    def host(self, settings: Fleet) -> FleetHost:
        """Read the names; without one the host has its own, if a fleet can call it that."""
        own = self._host.name()
        fleet = self._reader.attempt(("fleet", "name"), require_fleet_name, settings.name)
        usual = own if re.fullmatch(HOST_NAME, own) else "localhost"
        host = self._reader.attempt(("fleet", "host"), require_host_name, settings.host or usual)
        if settings.server is not None and settings.host is None and usual != own:
            text = f"this host's name, {own!a}, is none that a fleet can call it, so it is {usual} there; say host"
            self._reader.warn(("fleet", "server"), text)
        return FleetHost(fleet or DEFAULT_FLEET, host or usual)

    def member(self, settings: Fleet) -> FleetMember | None:
        """Read where the bus is; None if there is none."""
        self._reader.attempt(("fleet", "facts"), require_facts, settings.facts)
        for key in _FILES:
            path: str | None = getattr(settings, key)
            if path is not None and (not path.startswith("/") or "\0" in path):
                self._reader.note(("fleet", key), f"{path!r} is not an absolute path")
        if settings.server is None:
            for key in (*_FILES, "server_name"):
                if getattr(settings, key) is not None:
                    self._reader.warn(("fleet", key), "is without effect: there is no server")
            return None

        def parse(url: str) -> BusServer:
            return BusServer.parse(url, settings.credentials, settings.ca, settings.server_name)

        bus = self._reader.attempt(("fleet", "server"), parse, settings.server)
        if bus is None:
            return None
        if not bus.is_tls and not _is_this_host(bus.host):
            text = "is without TLS: everybody on the way can read what is asked and answered; say tls://"
            self._reader.warn(("fleet", "server"), text)
        return FleetMember(bus=bus, facts=settings.facts)


def _is_this_host(name: str) -> bool:
    return name == "localhost" or (is_address(name) and ip_address(name).is_loopback)
