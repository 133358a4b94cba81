"""A name server: what it answers. Needs dnspython, which nothing else here does."""

import socket

from cmdserver_probe.connection import Address, MeteredSocket, in_turn, none_of, resolve
from cmdserver_probe.errors import CannotTell, ProbeFailed, WrongUsage
from cmdserver_probe.options import Options
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, Value
from cmdserver_probe.run import Run
from cmdserver_probe.target import Target, parse_target

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
except ImportError:
    raise CannotTell(
        "dnspython is not installed: pip install 'cmdserver[probe]', or apt install python3-dnspython"
    ) from None

FAILURES: tuple[type[Exception], ...] = (dns.exception.DNSException,)

_PORT = 53
_RESOLV_CONF = "/etc/resolv.conf"
_RESOLV_CONF_OCTETS = 65536


def where(options: Options) -> Target:
    """Tell whom to ask.

    Raises:
        WrongUsage: The name, the type or the server is none.
        CannotTell: No server is named, here nor in /etc/resolv.conf.
    """
    _question(options)
    if options.server is not None:
        return parse_target(options.server, _PORT)
    try:
        with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  (pathlib reads it all)
            text = file.read(_RESOLV_CONF_OCTETS)
    except OSError:
        text = ""
    return first_server(text)


def first_server(text: str) -> Target:
    """Find the first server in the text of resolv.conf(5).

    Raises:
        CannotTell: There is none.
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            return parse_target(words[1], _PORT)
    raise CannotTell(f"there is no name server in {_RESOLV_CONF}; write --server HOST")


def probe(run: Run) -> Finding:
    """Ask; look at the answers."""
    options = run.options
    query = dns.message.make_query(*_question(options))
    addresses = resolve(run, socket.SOCK_DGRAM)
    with run.steps.step("query"):
        failures = []
        for address, connected in in_turn(run, addresses, socket.SOCK_DGRAM):
            try:
                # The kernel gives it what comes from the server alone, and says so if nobody is there.
                with connected() as sock:
                    answer = _ask(query, address, sock)
            except OSError as error:
                failures.append((address, error))
            else:
                return judge(answer, options)
        raise none_of(failures)


def _ask(query: dns.message.Message, address: Address, sock: MeteredSocket) -> dns.message.Message:
    timeout = sock.gettimeout()
    sock.setblocking(False)  # dnspython waits by itself
    try:
        # An answer that does not fit into a datagram is asked for again by TCP.
        answer, _ = dns.query.udp_with_fallback(query, address.host, timeout, address.port, udp_sock=sock)
    except dns.exception.Timeout:
        raise TimeoutError from None
    return answer


def judge(answer: dns.message.Message, options: Options) -> Finding:
    """Say what an answer means.

    Raises:
        ProbeFailed: It is an error, it is empty, or what is expected is not in it.
    """
    kind = dns.rdatatype.from_text(options.type)
    if answer.rcode() != dns.rcode.NOERROR:
        raise ProbeFailed(f"the server answers {dns.rcode.to_text(answer.rcode())}")
    records = [each for rrset in answer.answer for each in rrset if kind in {rrset.rdtype, dns.rdatatype.ANY}]
    found = sorted(shown(each.to_text()) for each in records)
    if not found:
        raise ProbeFailed(f"there is no {options.type} of that name")
    if options.expect is not None and shown(options.expect) not in found:
        raise ProbeFailed(f"what is expected is not among: {', '.join(found)}")
    rest = min(rrset.ttl for rrset in answer.answer)
    text = f"{options.type} {', '.join(found)}"
    return Finding(text, values={"answers": Value(len(found)), "ttl": Value(rest, "s")}, lines=found)


def _question(options: Options) -> tuple[dns.name.Name, dns.rdatatype.RdataType]:
    try:
        name = dns.name.from_text(options.target)
    except dns.exception.DNSException:
        raise WrongUsage(f"{options.target} is no name") from None
    try:
        return name, dns.rdatatype.from_text(options.type)
    except dns.exception.DNSException:
        raise WrongUsage(f"--type {options.type}: there is no such type of records") from None
