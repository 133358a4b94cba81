"""Holds idle connections to a server on this host, in a process of its own that pays for its own descriptors.

    hold.py PORT GREETING

Does what it is told on standard input, a line each, and answers each with a line of JSON:

    hold N      have N connections open, each from an address of its own and greeted
    ask N       ask N of them `uptime`, and count the answers; those connections are over then
    check       count the connections that the server has kept open
    release N   close all but N

It ends, and with it all its connections, at the end of its input.
"""

import json
import resource
import socket
import sys

_PATIENCE_SECONDS = 15
_SOURCES_A_NET = 250


class Holder:
    """The connections.

    Args:
        port: On 127.0.0.1; nothing else is ever called.
        greeting: What each connection is to be greeted with.
    """

    def __init__(self, port: int, greeting: bytes) -> None:
        self._port = port
        self._greeting = greeting
        self._held: list[socket.socket] = []
        self._opened = 0

    def hold(self, wanted: int) -> dict[str, int]:
        """Open connections until as many as wanted are held."""
        while len(self._held) < wanted:
            net, host = divmod(self._opened, _SOURCES_A_NET)
            self._opened += 1
            connection = socket.socket()
            connection.settimeout(_PATIENCE_SECONDS)
            connection.bind((f"127.{2 + net // 256}.{net % 256}.{1 + host}", 0))
            connection.connect(("127.0.0.1", self._port))
            if _receive(connection, len(self._greeting)) != self._greeting:
                raise ConnectionError(f"connection {len(self._held) + 1} was not greeted")
            self._held.append(connection)
        return {"held": len(self._held)}

    def ask(self, count: int) -> dict[str, int]:
        """Ask some, spread over all, and count the right answers."""
        step = max(1, len(self._held) // max(1, count))
        asked = self._held[::step][:count]
        answered = 0
        for connection in asked:
            try:
                connection.sendall(b"uptime\n")
                answered += b"load average" in _receive(connection, None)
            except OSError:
                continue
        self._held = [each for each in self._held if each not in set(asked)]
        for connection in asked:
            connection.close()
        return {"asked": len(asked), "answered": answered}

    def check(self) -> dict[str, int]:
        """Count those on which there is neither an end nor a word."""
        return {"held": len(self._held), "open": sum(_is_quiet(each) for each in self._held)}

    def release(self, kept: int) -> dict[str, int]:
        """Close the newest."""
        while len(self._held) > kept:
            self._held.pop().close()
        return {"held": len(self._held)}


def _receive(connection: socket.socket, length: int | None) -> bytes:
    """Receive so many bytes, or to the end."""
    received = b""
    while length is None or len(received) < length:
        chunk = connection.recv(4096 if length is None else length - len(received))
        if not chunk:
            break
        received += chunk
    return received


def _is_quiet(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        connection.settimeout(_PATIENCE_SECONDS)


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    holder = Holder(int(sys.argv[1]), sys.argv[2].encode())
    for order in sys.stdin:
        verb, *number = order.split()
        try:
            answer = getattr(holder, verb)(*map(int, number))
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
