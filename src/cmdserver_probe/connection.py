"""From a name to a connection: each address in turn, each step measured, and a bound on what is read."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from cmdserver_probe.errors import ProbeFailed, TooMuch, describe
from cmdserver_probe.run import Run

#: How much is read from one target at most, in octets; more is refused.
RECEIVED_OCTETS = 2 << 20

_FAMILIES = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


def meter(so_far: int, count: int) -> int:
    """Add what came to what came before.

    Raises:
        TooMuch: It is more than anybody reads.
    """
    if so_far + count > RECEIVED_OCTETS:
        raise TooMuch(f"the target sends more than {RECEIVED_OCTETS} octets")
    return so_far + count


class MeteredSocket(socket.socket):
    """A socket that stops reading from a target that sends without end.

    The clients of the standard library bound their lines, not how many there are. They read with ``recv_into``, by
    ``makefile``.
    """

    received = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, as every socket does."""
        data = super().recv(size, flags)
        self.received = meter(self.received, len(data))
        return data

    def recv_into(self, buffer: bytearray, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        """Read, as every socket does."""
        count = super().recv_into(buffer, nbytes, flags)
        self.received = meter(self.received, count)
        return count


class Address:
    """One address of a target, as getaddrinfo has it."""

    __slots__ = ("family", "host", "port", "sockaddr")

    def __init__(self, family: int, sockaddr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        self.family = family
        self.sockaddr = sockaddr
        self.host, self.port = sockaddr[:2]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.family == socket.AF_INET6 else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this host's own, that nobody else hears."""
        return self.host.removeprefix("::ffff:").startswith("127.") or self.host == "::1"


def resolve(run: Run, kind: int = socket.SOCK_STREAM) -> list[Address]:
    """Look up the target; as a step.

    Raises:
        ProbeFailed: It has no address.
    """
    with run.steps.step("resolve"):
        # As octets: for text, Python loads what it knows of international names, which takes longer than the look-up.
        host = run.target.host.encode("ascii")
        found = socket.getaddrinfo(host, run.target.port, family=_FAMILIES[run.options.family], type=kind)
        addresses = [
            Address(family, sockaddr)  # type: ignore[arg-type]  # Python without IPv6 has others
            for family, _, _, _, sockaddr in found
            if family in {socket.AF_INET, socket.AF_INET6}
        ]
        if not addresses:
            raise ProbeFailed("it has no address")
        return addresses


def in_turn(run: Run, addresses: list[Address], kind: int) -> Iterator[tuple[Address, Callable[[], MeteredSocket]]]:
    """Give each address, with what makes a socket connected to it, whose time is its share of what is left."""
    for number, address in enumerate(addresses):
        left = max(run.options.timeout - run.steps.seconds(), 0.001)
        share = left / (len(addresses) - number)
        # The watchdog ends the last one: it says at which step.
        timeout = share if number + 1 < len(addresses) else None

        def connected(address: Address = address, timeout: float | None = timeout) -> MeteredSocket:
            return _connected(run, address, kind, timeout)

        yield address, connected


def connect(run: Run) -> MeteredSocket:
    """Look up the target and connect to the first of its addresses that accepts; as steps.

    Raises:
        ProbeFailed: None does.
    """
    addresses = resolve(run)
    with run.steps.step("connect"):
        failures = []
        for address, connected in in_turn(run, addresses, socket.SOCK_STREAM):
            try:
                sock = connected()
            except OSError as error:
                failures.append((address, error))
            else:
                sock.settimeout(None)
                with suppress(OSError):
                    # Each answer is waited for: nothing that is to be sent should wait for more.
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        raise none_of(failures)


def exchange(run: Run, datagram: bytes, step: str) -> tuple[bytes, float]:
    """Look up the target, send a datagram to the first of its addresses that answers, and read that; as steps.

    Nobody else's datagrams are taken for the answer: the kernel gives those of the address that was connected to.

    Returns:
        The answer, and when the datagram that it answers was sent, by ``run.steps.seconds``. The step began earlier
        if an address before was silent.

    Raises:
        ProbeFailed: None does.
    """
    addresses = resolve(run, socket.SOCK_DGRAM)
    with run.steps.step(step):
        failures = []
        for address, connected in in_turn(run, addresses, socket.SOCK_DGRAM):
            try:
                with connected() as sock:
                    sent = run.steps.seconds()
                    sock.send(datagram)
                    return sock.recv(65536), sent
            except OSError as error:
                failures.append((address, error))
        raise none_of(failures)


def none_of(failures: list[tuple[Address, OSError]]) -> ProbeFailed:
    """Say what each address had to say."""
    if len(failures) == 1:
        return ProbeFailed(describe(failures[0][1]))
    return ProbeFailed("; ".join(f"{address}: {describe(error)}" for address, error in failures[:4]))


def _connected(run: Run, address: Address, kind: int, timeout: float | None) -> MeteredSocket:
    run.address = str(address)
    run.is_loopback = address.is_loopback
    sock = MeteredSocket(address.family, kind)
    run.sockets.append(sock)
    try:
        sock.settimeout(timeout)
        sock.connect(address.sockaddr)
    except OSError:
        sock.close()
        raise
    return sock
