"""Lists of networks and addresses, wherever the file has one that must name callers."""

from collections.abc import Iterable
from ipaddress import ip_network

from cmdserver.config.decoding import TomlReader
from cmdserver.config.source_map import Path
from cmdserver.core.addresses import Network, network_meant, parse_network
from cmdserver.core.escaping import toml_string


def read_networks(reader: TomlReader, path: Path, texts: Iterable[tuple[int, str]]) -> tuple[Network, ...]:
    """Read networks, and note those that are none or hold nobody.

    Args:
        reader: Takes the notes.
        path: Of the list.
        texts: The networks, each with its place in the list.
    """
    found: list[Network] = []
    for index, text in texts:
        meant = network_meant(text)
        try:
            network = parse_network(text)
        except ValueError as error:
            hint = f"write {toml_string(meant)}" if meant else "names are not looked up here; write addresses"
            reader.note((*path, index), f"{error}; {hint}")
            continue
        if meant is None or ip_network(meant) != network:
            reason = "an IPv4 caller of an IPv6 socket counts as IPv4, and links are not told apart"
            reader.note((*path, index), f"{text} is nobody: {reason}; write {toml_string(meant or '')}")
        elif network in found:
            reader.warn((*path, index), f"{text} is there twice")
        found.append(network)
    return tuple(found)
