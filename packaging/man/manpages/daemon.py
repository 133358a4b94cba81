"""The options of `twistd cmdserver`, as the daemon declares them for Twisted."""

from collections.abc import Iterator

from cmdserver.plugin import Options
from manpages import roff
from manpages.command_tree import prose


def synopsis() -> str:
    """Write how the daemon is called as marked text."""
    words = [f"[{roff.bold(f'--{name}')}{metavar}]" for name, _, metavar, _ in _declared()]
    return " ".join([roff.bold("twistd"), f"[{roff.italic('OPTION')}...]", roff.bold("cmdserver"), *words])


def options() -> list[str]:
    """Describe its options as a tagged list."""
    lines: list[str] = []
    for name, short, metavar, text in _declared():
        spelled = [f"--{name}", *([f"-{short}"] if short else [])]
        lines += roff.tagged(", ".join(f"{roff.bold(each)}{metavar}" for each in spelled), f"{prose(text)}.")
    return lines


def _declared() -> Iterator[tuple[str, str, str, str]]:
    """Tell of each option its long name, its short one, the marked text of its value and its help."""
    for name, short, _, text, *_ in Options.optParameters:
        yield str(name), short or "", _metavar(str(name)), str(text)
    for name, short, text, *_ in Options.optFlags:
        yield str(name), short or "", "", str(text)


def _metavar(name: str) -> str:
    # Twisted's options have none; all of them are paths.
    return f" {roff.italic('DIR' if name.endswith('dir') else 'FILE')}"
