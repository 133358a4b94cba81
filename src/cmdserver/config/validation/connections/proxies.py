"""``[web] trusted_proxies`` and ``user_header``: whose word counts for whom a request is from, and what it may be."""

import re
from collections.abc import Sequence
from typing import Final

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.host import Web
from cmdserver.config.validation.connections.networks import read_networks
from cmdserver.core.addresses import NO_PROXIES, UNIX, Network, TrustedProxies
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol

#: No underscore: proxies drop such a field, or spell another one so (nginx's ``underscores_in_headers``).
_FIELD_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
#: Fields with a meaning of their own, which clients send, or by which messages are framed (RFC 9110 and 9112).
_TAKEN: Final = re.compile(
    "accept|allow|authorization|cache-control|connection|cookie2?|date|dnt|expect|forwarded|from|host|keep-alive"
    "|last-event-id|max-forwards|origin|pragma|prefer|priority|range|referer|server|set-cookie|signature(-input)?|te"
    "|trailer|transfer-encoding|upgrade|user-agent|via|warning|x-real-ip|x-forwarded-(for|host|port|proto)"
    "|(accept|access-control|cmdserver|content|if|proxy|sec|upgrade|x-cmdserver|x-hub|x-github|x-gitlab)-.*",
    re.IGNORECASE,
)


class ProxyChecks:
    """Looks at both keys; ``reader`` takes the notes."""

    def __init__(self, reader: TomlReader) -> None:
        self._reader = reader

    def trusted(self, web: Web) -> TrustedProxies:
        """Read who is trusted, and what is believed."""
        path = ("web", "trusted_proxies")
        networks = [(index, text) for index, text in enumerate(web.trusted_proxies) if text != UNIX]
        for index, text in networks:
            if text.partition(":")[0] == UNIX:
                self._reader.note((*path, index), f'{text} is no address; "unix" is whoever calls by a UNIX socket')
        networks = [(index, text) for index, text in networks if text.partition(":")[0] != UNIX]
        trusted = TrustedProxies(read_networks(self._reader, path, networks), UNIX in web.trusted_proxies)
        if web.user_header is not None:
            self._user_header(web.user_header, is_trusted=bool(web.trusted_proxies))
        return trusted if web.trusted_proxies else NO_PROXIES

    def _user_header(self, name: str, *, is_trusted: bool) -> None:
        path = ("web", "user_header")
        if not _FIELD_NAME.fullmatch(name):
            self._reader.note(path, f"{name!r} is no header's name: write it with letters, digits and - only")
        elif _TAKEN.fullmatch(name):
            text = f"{name} has a meaning of its own, and clients send it; Remote-User is what most proxies can say"
            self._reader.note(path, text)
        if not is_trusted:
            text = "is believed from trusted_proxies alone, and they are missing: say from where the proxy calls"
            self._reader.note(path, f'{text}, as in trusted_proxies = ["127.0.0.1"], or ["unix"] for a UNIX socket')

    def without_effect(self, web: Web, trusted: TrustedProxies, listening: Sequence[Listening]) -> None:
        """Warn of what is without effect, or reaches further than most would want."""
        ours = [each for each in listening if each.protocol is Protocol.WEB]
        if not ours:
            return
        path = ("web", "trusted_proxies")
        for network in trusted.networks:
            if network.prefixlen == 0:
                self._reader.warn(path, f"{network} is everybody, and so everybody may say who they are")
        if trusted.has_unix and not any(_may_be_unix(each) for each in ours):
            self._reader.warn(path, f'"{UNIX}" is without effect: no web listener has a UNIX socket')
        if web.user_header is None:
            return
        if all(each.login is Login.NEVER for each in ours):
            self._reader.warn(("web", "user_header"), 'is without effect: every web listener says login = "never"')
        for each in ours:
            if each.login is not Login.NEVER and _is_open_to_others(each, trusted):
                text = f"{each.endpoint} is open to others than trusted_proxies, whom no proxy asks who they are"
                advice = "say from = […] there, or listen on 127.0.0.1 or a UNIX socket"
                self._reader.warn(("web", "user_header"), f"{text}: {advice}")


def _may_be_unix(listening: Listening) -> bool:
    return listening.endpoint.kind not in {"tcp", "tcp6"}


def _is_open_to_others(listening: Listening, trusted: TrustedProxies) -> bool:
    """Whether other hosts than the proxies may call; what else runs on this host is for the administrator to know."""
    if listening.endpoint.is_local or (trusted.has_unix and _may_be_unix(listening)):
        return False
    return not listening.networks or any(not _is_within(each, trusted.networks) for each in listening.networks)


def _is_within(network: Network, others: Sequence[Network]) -> bool:
    # Networks of two versions are in no order.
    return any(network.version == each.version and network.subnet_of(each) for each in others)  # type: ignore[arg-type]
