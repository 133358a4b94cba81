"""What is in the machine room: a bus, and a mail, a web and a name server, all with certificates of one authority."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nkeys  # type: ignore[import-untyped]
import trustme

from tests.integration.playground import peer
from tests.integration.playground.host import Host
from tests.integration.playground.network import BUS, MAIL, NAMES, WEB
from tests.integration.servers import nginx_configuration, nsd_configuration

#: How the ends of connections are started.
PEER: Final = (sys.executable, "-I", peer.__file__)
BUS_PORT: Final = 4222
#: For the administrator of the bus, who is on its host.
_MONITOR: Final = "127.0.0.1:8222"

_ZONE = """
$ORIGIN room.example.
$TTL 300
@ IN SOA names hostmaster 1 3600 600 86400 60
@ IN NS names
@ IN MX 10 mail
"""
_SERVER = """
        listen {v4}:443 ssl;
        listen [{v6}]:443 ssl;
        ssl_certificate {place}/web.pem;
        ssl_certificate_key {place}/web.key;
        return 200 "all is well\\n";
"""


@dataclass(frozen=True)
class Authority:
    """Who has signed all certificates, and another whom nobody here knows."""

    #: What is written below is written here.
    place: Path

    @property
    def file(self) -> Path:
        """Return whom everybody should trust."""
        return self.place / "ca.pem"

    @property
    def stranger(self) -> Path:
        """Return whom nobody should."""
        return self.place / "stranger.pem"

    def make(self, *hosts: str) -> None:
        """Make a certificate for each host of the room, as ``HOST.pem`` and ``HOST.key``."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        authority.cert_pem.write_to_path(str(self.file))
        trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.write_to_path(str(self.stranger))
        for host in hosts:
            certificate = authority.issue_cert(f"{host}.room.example", key_type=trustme.KeyType.ECDSA)
            certificate.private_key_pem.write_to_path(str(self.place / f"{host}.key"))
            for pem in certificate.cert_chain_pems:
                pem.write_to_path(str(self.place / f"{host}.pem"), append=True)


@dataclass(frozen=True)
class BusUser:
    """Somebody with a key of the bus's, and what it is good for there."""

    publish: Sequence[str]
    subscribe: Sequence[str]
    #: The secret half of the key.
    seed_file: Path
    key: str


def agent_of(host: str, fleet: str, place: Path) -> BusUser:
    """Let an agent hear what its own host is asked, and answer."""
    subjects = [f"cmdserver.{fleet}.all", f"cmdserver.{fleet}.host.{host}"]
    return BusUser(["_INBOX.cmdserver.>"], subjects, *_key(place / f"{host}.nkey"))


def caller_of(name: str, fleet: str, place: Path) -> BusUser:
    """Let a caller ask all hosts of a fleet, and hear the answers."""
    subjects = [f"cmdserver.{fleet}.all", f"cmdserver.{fleet}.host.*"]
    return BusUser(subjects, [f"_INBOX.cmdserver.{name}.>"], *_key(place / f"{name}.nkey"))


def _key(file: Path) -> tuple[Path, str]:
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    file.touch(0o600)
    file.write_bytes(seed)
    return file, nkeys.from_seed(bytearray(seed)).public_key.decode()


def start_bus(host: Host, authority: Authority, users: Sequence[BusUser]) -> None:
    """Start the bus, on all addresses of its host."""
    place = authority.place
    configuration: Mapping[str, object] = {
        "host": "::",
        "port": BUS_PORT,
        "http": _MONITOR,
        "tls": {"cert_file": str(place / "bus.pem"), "key_file": str(place / "bus.key"), "timeout": 10},
        "authorization": {
            "users": [
                {
                    "nkey": user.key,
                    "permissions": {
                        "publish": {"allow": list(user.publish)}, "subscribe": {"allow": list(user.subscribe)}
                    },
                }
                for user in users
            ]
        },
    }  # fmt: skip
    (place / "bus.conf").write_text(json.dumps(configuration), "ascii")
    host.serve(["nats-server", "--config", str(place / "bus.conf")], place / "bus.log", f"tcp:{BUS_PORT}")


def connections(host: Host) -> list[dict[str, Any]]:
    """Return what the bus knows of its connections: ``ip``, ``authorized_user``, ``subscriptions`` and more."""
    answer = host.run([*PEER, "get", f"http://{_MONITOR}/connz?auth=1"])
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)["connections"]
    assert isinstance(found, list)
    return found


def start_services(host: Host, authority: Authority) -> None:
    """Start the name server, which all ask, and then a mail and a web server, each at its own addresses."""
    place = authority.place
    addresses = {"bus": BUS, "mail": MAIL, "web": WEB, "names": NAMES}
    records = [f"{name} IN A {v4}\n{name} IN AAAA {v6}\n" for name, (v4, v6) in addresses.items()]
    (place / "zone").write_text(_ZONE + "".join(records), "ascii")
    (place / "nsd.conf").write_text(nsd_configuration(place, [f"{each}@53" for each in NAMES], "room.example"), "ascii")
    host.serve(["nsd", "-d", "-c", str(place / "nsd.conf")], place / "nsd.output", "udp:53", "tcp:53")
    server = _SERVER.format(place=place, v4=WEB[0], v6=WEB[1])
    (place / "nginx.conf").write_text(nginx_configuration(place, server), "ascii")
    host.serve(["nginx", "-p", str(place), "-c", str(place / "nginx.conf")], place / "nginx.output", "tcp:443")
    mail = [sys.executable, "-W", "ignore", "-m", "aiosmtpd", "--nosetuid", "--listen", "mail.room.example:25"]
    certificate = ["--tlscert", str(place / "mail.pem"), "--tlskey", str(place / "mail.key")]
    host.serve([*mail, *certificate, "-c", "aiosmtpd.handlers.Sink"], place / "mail.output", "tcp:25")
