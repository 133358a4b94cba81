"""The listeners: whether their endpoints can be opened, who can log in there, and at the price of what."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network

from cmdserver.config.decoding import TomlReader
from cmdserver.config.host import Host
from cmdserver.config.schema.host import Listen
from cmdserver.config.source_map import Path
from cmdserver.config.validation.connections.networks import read_networks
from cmdserver.core import endpoints
from cmdserver.core.addresses import Network
from cmdserver.core.endpoints import Endpoint
from cmdserver.core.escaping import toml_string
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol
from cmdserver.parameters.text_types import is_one_line

#: It is sent at once, into the empty buffer of a new socket.
_GREETING_CHARACTERS = 300

#: Raises a ValueError for an endpoint that cannot be.
CheckEndpoint = Callable[[Endpoint], object]


class ListenerChecks:
    """Looks at ``[[listen]]``.

    Args:
        reader: Takes the notes.
        host: Whose addresses and ports they are.
        check_endpoint: Asked for each endpoint.
        knows_certificates: Whether there are authorities whose certificates log clients in (``[tls] client_ca``).
    """

    def __init__(
        self, reader: TomlReader, host: Host, check_endpoint: CheckEndpoint, *, knows_certificates: bool = False
    ) -> None:
        self._reader = reader
        self._host = host
        self._check_endpoint = check_endpoint
        self._knows_certificates = knows_certificates

    def listening(self, listens: Sequence[Listen | None], *, is_none_needed: bool = False) -> list[Listening]:
        """Look at all of them; there must be one, unless requests come by another way."""
        if not listens and not is_none_needed and ("listen",) not in self._reader.mistaken:
            self._reader.note((), "there is no [[listen]], so there is nothing to do")
        found: list[Listening] = []
        #: By the description, the first listener that has it.
        firsts: dict[str, Path] = {}
        for index, listen in enumerate(listens):
            if listen is None:
                self._half_a_listener(index)
                continue
            self._protocol(index, listen)
            networks = self._networks(("listen", index, "from"), listen)
            for text in [listen.endpoint] if isinstance(listen.endpoint, str) else listen.endpoint:
                endpoint = self._endpoint(("listen", index), listen, text)
                path: Path = ("listen", index, "endpoint")
                if text in firsts:
                    self._reader.note(path, f"{text} is there twice, first in {self._reader.place(firsts[text])}")
                firsts.setdefault(text, path)
                if endpoint is not None:
                    self._callers(("listen", index, "from"), endpoint, networks)
                    found.append(
                        Listening(
                            protocol=listen.protocol,
                            endpoint=endpoint,
                            tls=listen.tls,
                            login=listen.login,
                            greeting=listen.greeting,
                            networks=networks,
                            table=index,
                        )
                    )
        return found

    def _half_a_listener(self, index: int) -> None:
        """Look at the endpoints of one that lacks something else: all mistakes are to be told at once."""
        listens = self._reader.merged.values.get("listen")
        table = listens[index] if isinstance(listens, list) else None
        named = table.get("endpoint") if isinstance(table, dict) else None
        for text in named if isinstance(named, list) else [named]:
            if isinstance(text, str) and text:
                self._parsed(("listen", index, "endpoint"), text)

    def _protocol(self, index: int, listen: Listen) -> None:
        path: Path = ("listen", index)
        if listen.protocol.secures_itself and listen.tls:
            self._reader.note((*path, "tls"), "SSH has keys of its own and does not go over TLS")
        if listen.protocol.secures_itself and listen.login is not Login.REQUIRED:
            text = f'is "{listen.login}", but at an SSH listener a login is always required'
            self._reader.note((*path, "login"), text)
        if listen.protocol is Protocol.NRPE:
            self._nrpe(path, listen)
        if not listen.protocol.is_configured:
            text = "is what the daemon listens for by itself where [fleet] has a server; for signed requests say web"
            self._reader.note((*path, "protocol"), text)
        if listen.greeting is not None:
            self._greeting((*path, "greeting"), listen, listen.greeting)
        if listen.allow_plaintext_passwords and (_is_secret(listen) or listen.login is Login.NEVER):
            text = "is without effect: no password comes here over plain TCP"
            self._reader.warn((*path, "allow_plaintext_passwords"), text)

    def _nrpe(self, path: Path, listen: Listen) -> None:
        """Look at how its callers log in: check_nrpe sends no name and no password, but can show a certificate."""
        path = (*path, "login")
        if listen.login is Login.OPTIONAL:
            text = 'is "optional", but an nrpe listener asks all its clients for a certificate ("required") or nobody'
            self._reader.note(path, f'{text} ("never")')
        elif listen.login is Login.REQUIRED and not listen.tls:
            text = 'is "required", and over NRPE one logs in by a certificate: say tls = true and set [tls] client_ca'
            self._reader.note(path, f'{text}; or say login = "never", and everybody is anonymous')
        elif listen.login is Login.REQUIRED and not self._knows_certificates:
            text = 'is "required", and over NRPE one logs in by a certificate, but [tls] client_ca names no authority'
            self._reader.note(path, f'{text}; set it, or say login = "never", and everybody is anonymous')

    def _greeting(self, path: Path, listen: Listen, greeting: str) -> None:
        if listen.protocol is not Protocol.LINE:
            text = "is what a line listener says first"
            if listen.protocol is not Protocol.NRPE:
                text += f"; what {listen.protocol} shows to all who come is [site] notice"
            self._reader.note(path, text)
        elif not is_one_line(greeting):
            self._reader.note(path, "must be one line, without control characters")
        elif len(greeting) > _GREETING_CHARACTERS:
            text = f"has {len(greeting)} characters, and may have {_GREETING_CHARACTERS}"
            self._reader.note(path, text)

    def _networks(self, path: Path, listen: Listen) -> tuple[Network, ...]:
        """Read who may call."""
        return read_networks(self._reader, path, enumerate(listen.sources or ()))

    def _callers(self, path: Path, endpoint: Endpoint, networks: Sequence[Network]) -> None:
        """Look whether those who may call can reach an endpoint at all."""
        if not networks or endpoint.is_proxied:
            return
        is_ipv4 = endpoint.kind == "tcp" and ":" not in endpoint.interface
        if endpoint.kind == "unix":
            text = "who calls by a UNIX socket has no address, so it would be nobody; mode= says who may open it"
            self._reader.note(path, f"does not go with {endpoint}: {text}. Give it a [[listen]] of its own")
        elif endpoint.is_local and not any(map(_includes_this_host, networks)):
            text = f"nobody may call: only this host can reach {endpoint}, and 127.0.0.1 and ::1 are not in it"
            self._reader.warn(path, text)
        elif is_ipv4 and all(isinstance(each, IPv6Network) for each in networks):
            self._reader.warn(path, f"nobody may call: {endpoint} is reached by IPv4, and in it is only IPv6")

    def _endpoint(self, path: Path, listen: Listen, text: str) -> Endpoint | None:
        path = (*path, "endpoint")
        endpoint = self._parsed(path, text)
        if endpoint is None:
            return None
        if endpoint.kind == "unix" and (endpoint.path is None or not endpoint.path.is_absolute()):
            self._reader.note(path, f"{text} is no absolute path, and the daemon runs in /")
        self._address(path, endpoint)
        is_open = not (_is_secret(listen) or listen.allow_plaintext_passwords or endpoint.is_local)
        if listen.protocol is Protocol.NRPE:
            if not (_is_secret(listen) or endpoint.is_local):  # a warning alone: nobody's password is at stake
                text = "answers over plain TCP to other hosts, and everybody on the way can read and change it"
                self._reader.warn(path, f"{text}; say tls = true")
        elif listen.login is not Login.NEVER and is_open:
            advice = "say tls = true, listen on loopback only, or set allow_plaintext_passwords = true"
            self._reader.note(path, f"{text} would take passwords over plain TCP from other hosts; {advice}")
        return endpoint

    def _parsed(self, path: Path, text: str) -> Endpoint | None:
        try:
            endpoint = endpoints.parse(text)
            self._check_endpoint(endpoint)
        except ValueError as error:
            self._reader.note(path, f"{toml_string(text)} is no endpoint description: {error}")
            return None
        return endpoint

    def _address(self, path: Path, endpoint: Endpoint) -> None:
        interface, port = endpoint.interface, endpoint.arguments.get("port", "")
        if interface and not endpoints.is_address(interface) and self._host.is_network_interface(interface):
            text = f"interface={interface} names a network interface; what belongs there is its address"
            self._reader.note(path, text)
        if port.isdigit() and int(port) == 0:
            self._reader.warn(path, "port 0 is another port at each start, which only the log says")
        elif port.isdigit() and not self._host.may_bind(int(port)):
            text = f"port {port} takes root, or the capability CAP_NET_BIND_SERVICE, which {self._host.user()} has not"
            self._reader.warn(path, text)


def _is_secret(listen: Listen) -> bool:
    return listen.tls or listen.protocol.secures_itself


def _includes_this_host(network: Network) -> bool:
    loopback = IPv4Network("127.0.0.0/8") if isinstance(network, IPv4Network) else IPv6Network("::1/128")
    return network.overlaps(loopback)
