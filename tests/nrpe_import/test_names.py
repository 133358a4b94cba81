"""What commands are called."""

import pytest

from cmdserver.nrpe_import.names import renamed


@pytest.mark.parametrize(
    ("was", "name"),
    [
        ("check_disk", "check_disk"),
        ("check-disk2", "check-disk2"),
        ("Check_Disk", "check_disk"),
        ("check disk C:", "check_disk_c_"),
        ("check.disk/var", "check_disk_var"),
        ("check@x~", "check_x_"),
        ("x" * 64, "x" * 64),
    ],
)
def test_names(was: str, name: str) -> None:
    """Capitals become small, and other ASCII characters underscores."""
    assert renamed([was]) == ({was: name}, {})


@pytest.mark.parametrize("was", ["2check", "_check", "-check", "chéck", "x" * 65, "ÜBER", "", "a\tb", "a\x7f", " a"])
def test_what_is_anybody_s_guess(was: str) -> None:
    """It is refused, with what a name is."""
    found, reasons = renamed([was])
    assert (found, list(reasons)) == ({}, [was])
    assert reasons[was].startswith("is no name here: ")


@pytest.mark.parametrize("was", ["help", "HELP", "metrics", "who", "json", "Stop"])
def test_words_that_mean_something(was: str) -> None:
    """They are the line protocol's, or addresses of the web."""
    found, reasons = renamed([was])
    assert (found, reasons[was]) == ({}, f"cannot be called {was.lower()}, which means something here; rename it")


def test_collisions() -> None:
    """Whoever need not be renamed keeps the name, wherever it stands; else the first does."""
    assert renamed(["Check_A", "check_a", "check.b", "check b", "CHECK.B"]) == (
        {"check_a": "check_a", "check.b": "check_b"},
        {
            "Check_A": "would be called check_a, as command[check_a] is; rename one of them",
            "check b": "would be called check_b, as command[check.b] is; rename one of them",
            "CHECK.B": "would be called check_b, as command[check.b] is; rename one of them",
        },
    )
