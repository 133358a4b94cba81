"""How much room text takes on a terminal: in columns, and cut to them."""

import unicodedata
from collections.abc import Iterable


def clusters_of(text: str) -> list[str]:
    """Return the characters of a text, each with what is drawn over it."""
    clusters: list[str] = []
    for character in text:
        if clusters and _is_drawn_over(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def width_of(cluster: str) -> int:
    """Return how many columns a character takes, together with what is drawn over it."""
    if cluster.isascii():
        return 1
    return 2 if unicodedata.east_asian_width(cluster[0]) in "WF" else int(not _is_drawn_over(cluster[0]))


def cut(text: str, columns: int) -> str:
    """Cut a line to so many columns, at least one, and show that it was cut.

    Args:
        text: Without control characters.
        columns: 0: there is no telling, and nothing is cut.
    """
    clusters = clusters_of(text)
    if not columns or _width(clusters) <= columns:
        return text
    room = columns - 1
    kept = ""
    for cluster in clusters:
        room -= width_of(cluster)
        if room < 0:
            break
        kept += cluster
    return kept + "\u2026"


def _width(clusters: Iterable[str]) -> int:
    return sum(map(width_of, clusters))


def _is_drawn_over(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Cf"}
