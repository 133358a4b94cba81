"""The ends of connections, as a program that is started in network namespaces.

listen PORT                tell everybody who comes, by whatever family, the address that they come from
ask ADDRESS PORT SECONDS   print what is said there, if it can be reached in so long
bus ADDRESS PORT CA NAME   print what the bus says before TLS and, if that and the name are right, behind it
get URL                    print an answer of HTTP
"""

import socket
import ssl
import sys
import urllib.request
from collections.abc import Callable, Mapping
from typing import Final

#: Where there should be an answer.
_SECONDS: Final = 30.0


def listen(port: str) -> None:
    """Serve for ever."""
    with socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            connection, (address, *_) = server.accept()
            with connection:
                connection.sendall(f"{address}\n".encode())


def ask(address: str, port: str, seconds: str) -> None:
    """Read to the end."""
    with socket.create_connection((address, int(port)), float(seconds)) as connection, connection.makefile() as answer:
        sys.stdout.write(answer.read())


def bus(address: str, port: str, authority: str, name: str) -> None:
    """Read the bus's INFO, and have an answer of it over TLS."""
    context = ssl.create_default_context(cafile=authority)
    with socket.create_connection((address, int(port)), _SECONDS) as clear:
        # Octet by octet, or the beginning of TLS could be taken for a part of it.
        while (octet := clear.recv(1)) != b"\n":
            sys.stdout.write(octet.decode())
        with context.wrap_socket(clear, server_hostname=name) as connection:
            connection.sendall(b"NONSENSE\r\n")
            sys.stdout.write(f"\n{connection.recv(1024).decode()}")


def get(url: str) -> None:
    """Read a page."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310
        sys.stdout.write(answer.read().decode())


PROGRAMS: Final[Mapping[str, Callable[..., None]]] = {"listen": listen, "ask": ask, "bus": bus, "get": get}

if __name__ == "__main__":
    try:
        PROGRAMS[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"{type(error).__name__}: {error}")
