"""What is to be said of roles and listeners: what everybody may do who comes along, and who can read along."""

from collections.abc import Iterable, Iterator, Sequence

from cmdserver.config.lint_rule import LintRule
from cmdserver.config.schema.callers import RoleSettings
from cmdserver.core.listening import Listening, Login
from cmdserver.core.model import Command
from cmdserver.core.names import ANONYMOUS, AUTHENTICATED, is_meant
from cmdserver.core.protocols import Protocol
from cmdserver.lint.finding import LintFinding

#: Of names in a sentence.
_NAMED = 5


def look_at_role(name: str, role: RoleSettings, commands: Sequence[Command]) -> Iterator[LintFinding]:
    """Look at a role that somebody has without being named."""
    path = ("roles", name)
    if name not in {ANONYMOUS, AUTHENTICATED}:
        return
    whose = "everybody without a login" if name == ANONYMOUS else "every user, of whatever other roles,"
    if any(map(_is_everything, role.commands)):
        text = f'"*" gives {whose} each command that this file has, and each that is yet to be written'
        yield LintFinding(LintRule.WILDCARD_ROLE, (*path, "commands"), f"{text}; name the commands")
    if name != ANONYMOUS:
        return
    changing = [
        each.name
        for each in commands
        if not each.read_only and each.check is None and is_meant(each.name, role.commands)
    ]
    if changing:
        text = f"everybody without a login may run {_listed(changing)} not read_only"
        advice = "say read_only = true of what changes nothing, and give the rest to a role with users"
        yield LintFinding(LintRule.ANONYMOUS_CHANGES, (*path, "commands"), f"{text}; {advice}")
    for key, what in (("stops", "stop the runs of others"), ("sees", "see what others run, and its output")):
        patterns: Sequence[str] = getattr(role, key)
        if patterns and (key == "stops" or any(map(_is_everything, patterns))):
            text = f"everybody without a login may {what}"
            yield LintFinding(LintRule.ANONYMOUS_WATCHES, (*path, key), f"{text}; give it to a role with users")


def look_at_listeners(listening: Iterable[Listening]) -> Iterator[LintFinding]:
    """Look for listeners where the network can read along, and change what is said."""
    for each in listening:
        if each.tls or each.protocol.secures_itself or not _is_reachable(each):
            continue
        what = "passwords, commands and output" if each.login is not Login.NEVER else "commands and output"
        text = f"{each.endpoint} is open to other hosts without TLS: {what} can be read and changed on their way"
        advice = "say tls = true" if each.protocol is not Protocol.NRPE else "say tls = true, which check_nrpe speaks"
        path = ("listen", each.table, "endpoint")
        yield LintFinding(LintRule.PLAINTEXT_LISTENER, path, f"{text}; {advice}, or listen on loopback")


def _is_reachable(listening: Listening) -> bool:
    """Whether other hosts reach a listener by themselves, as far as its description says; not behind a proxy here."""
    inner = listening.endpoint
    while inner.behind_proxy is not None:
        inner = inner.behind_proxy
    if inner.kind not in {"tcp", "tcp6"} or inner.is_local:
        return False
    return not listening.networks or not all(each.is_loopback for each in listening.networks)


def _is_everything(pattern: str) -> bool:
    return bool(pattern) and not pattern.strip("*")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    counted = f" and {more} more" if more > 0 else ""
    return f"{', '.join(names[:_NAMED])}{counted}, which {'is' if len(names) == 1 else 'are'}"
