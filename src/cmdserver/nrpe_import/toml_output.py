"""What is printed: a configuration of ours, with comments where it is the administrator's decision."""

from collections.abc import Iterable, Iterator, Sequence

from cmdserver.core.escaping import toml_string, visible
from cmdserver.nrpe_import.commands import ImportedCommand
from cmdserver.nrpe_import.settings import NrpeSettings, is_ipv6
from cmdserver.nrpe_import.shell_words import Word


def render(settings: NrpeSettings, commands: Sequence[ImportedCommand], source: str) -> str:
    """Write it all.

    Args:
        settings: For the listener and the defaults.
        commands: In their order.
        source: What to call the file that it comes from.
    """
    parts = [_head(source), _listener(settings), _tls(settings), _defaults(settings), _limits(settings)]
    parts += map(_command, commands)
    parts.append(_roles(settings, commands))
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _comment(text: str) -> str:
    """Write a line that is none of the configuration, whatever is in it."""
    return f"# {visible(text)}"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(toml_string, values))}]"


def _head(source: str) -> Iterator[str]:
    yield _comment(f"Made of {source} by cmdserver import. Look through it, then: cmdserver check")
    yield "# read_only: a command changes nothing, so that one run answers questions that wait together. Take it away"
    yield "# from what changes something."
    yield "# It is a whole file. As one of several (include) it may have no table that another has, [defaults], say."


def _listener(settings: NrpeSettings) -> Iterator[str]:
    yield "[[listen]]"
    yield 'protocol = "nrpe"'
    yield from _endpoint(settings)
    yield "# nrpe speaks TLS unless it is started with -n, and check_nrpe with -n does not: false, then."
    yield "tls = true"
    if settings.requires_certificates:
        yield "# ssl_client_certs=2: who calls has a certificate of client_ca, and the name in it is the user's."
        yield 'login = "required"'
    else:
        yield 'login = "never"'
    yield from _from(settings)


def _endpoint(settings: NrpeSettings) -> Iterator[str]:
    kind, interface = "tcp", ""
    if settings.address is not None:
        kind = "tcp6" if ":" in settings.address else "tcp"
        interface = ":interface=" + settings.address.replace(":", "\\:")
    elif any(map(is_ipv6, settings.allowed or ())):
        kind = "tcp6"
        yield "# IPv4 callers, too. On a host without IPv6 write tcp, not tcp6."
    yield f"endpoint = {toml_string(f'{kind}:{settings.port}{interface}')}"


def _from(settings: NrpeSettings) -> Iterator[str]:
    if settings.allowed is None:
        yield "# There is no allowed_hosts: everybody may call, as with nrpe. Better name who does:"
        yield '# from = ["192.0.2.10", "127.0.0.1", "::1"]'
        return
    for name in settings.allowed_names:
        yield _comment(f"allowed_hosts has {name}: its addresses belong here.")
    if not settings.allowed:
        yield "# Without an address nobody but this host may call."
    yield f"from = {_list(settings.allowed or ['127.0.0.1', '::1'])}"


def _tls(settings: NrpeSettings) -> Iterator[str]:
    if settings.tls or settings.minimum_version:
        yield "[tls]"
        yield from (f"{key} = {toml_string(path)}" for key, path in settings.tls.items())
        if settings.minimum_version:
            yield f"minimum_version = {toml_string(settings.minimum_version)}"
    if settings.requires_certificates and "client_ca" not in settings.tls:
        if not settings.tls and not settings.minimum_version:
            yield "[tls]"
        yield "# Whose certificates count is yet to be said:"
        yield '# client_ca = "/etc/cmdserver/client-ca.pem"'


def _defaults(settings: NrpeSettings) -> Iterator[str]:
    yield "[defaults]"
    yield f"timeout_seconds = {settings.timeout_seconds}"
    if settings.user or settings.group:
        yield "# As whom nrpe ran them. Only if the daemon is started as root; otherwise they run as the daemon's user."
        if settings.user:
            yield _comment(f"user = {toml_string(settings.user)}")
        if settings.group:
            yield _comment(f"group = {toml_string(settings.group)}")
    if settings.left_out:
        yield _comment(f"Without a meaning here: {', '.join(settings.left_out)}.")


def _limits(settings: NrpeSettings) -> Iterator[str]:
    if settings.max_commands:
        yield f"# max_commands={settings.max_commands}; here that is for all listeners together:"
        yield "# [limits]"
        yield f"# running = {settings.max_commands}"


def _command(command: ImportedCommand) -> Iterator[str]:
    yield _comment(f"{command.place.file}:{command.place.line}")
    if command.name != command.was:
        yield _comment(f"was: command[{command.was}]")
    yield f"[commands.{command.name}]"
    if command.uses_sudo:
        yield "# sudo gains no rights here. Start the daemon as root, leave sudo and its options out of run, and say:"
        yield '# user = "root"'
    has_parameters = bool(command.arguments)
    yield f"run = [{', '.join(toml_string(_text(word, has_parameters)) for word in command.words)}]"
    yield "check = true"
    yield "read_only = true"
    for number in command.arguments:
        yield ""
        yield f"[[commands.{command.name}.parameters]]"
        yield f"# $ARG{number}$. Better a choice, an integer, or a pattern of what is really asked:"
        yield '# type = "choice", choices = ["/", "/var"]; or pattern = "[0-9]+%?"'
        yield f'name = "arg{number}"'
        yield 'type = "string"'


def _text(word: Word, has_parameters: bool) -> str:  # noqa: FBT001 - as braces mean something, or not
    """Write a word as an element of ``run``."""
    if not has_parameters:
        return "".join(map(str, word))
    return "".join(
        f"{{arg{each}}}" if isinstance(each, int) else each.replace("{", "{{").replace("}", "}}") for each in word
    )


def _roles(settings: NrpeSettings, commands: Sequence[ImportedCommand]) -> Iterator[str]:
    if not commands:
        return
    names = [each.name for each in commands if settings.takes_arguments or not each.arguments]
    others = [each.name for each in commands if each.name not in names]
    if settings.requires_certificates:
        yield "# Who calls is who their certificate says."
        yield "[roles.monitoring]"
        yield '# users = ["icinga.example"]'
    else:
        yield '# At a listener with login = "never" everybody is anonymous, and may run what nrpe ran for all who call.'
        yield "# Other listeners with anonymous callers have this role, too."
        yield "[roles.anonymous]"
    yield "commands = ["
    yield from (f"    {toml_string(each)}," for each in names)
    if others:
        yield "    # With values of the caller, which nrpe refuses without dont_blame_nrpe=1:"
        yield from (f"    # {toml_string(each)}," for each in others)
    yield "]"
