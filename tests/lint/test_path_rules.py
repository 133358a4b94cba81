"""Who else may write to what is run."""

from typing import Any

import pytest

from cmdserver.lint.facts import HostFacts, PathFact
from tests.lint.doubles import lines_of_command, rules_of


def roots(path: str, **more: Any) -> PathFact:
    """Make a path that is root's."""
    return PathFact(path=path, uid=0, owner="root", **more)


def way(*facts: PathFact, path: str = "/srv/report") -> HostFacts:
    """Make what is known of a host with one way."""
    return HostFacts(uid=1000, user="daemon", ways={path: facts})


def said(facts: HostFacts, keys: str = 'run = ["/srv/report"]') -> list[str]:
    """List what is said of a command."""
    return [each.partition(": ")[2].partition(" [")[0] for each in lines_of_command(keys, facts)]


@pytest.mark.parametrize(
    ("fact", "who"),
    [
        (roots("/srv", is_open=True), "may be written by everybody"),
        (PathFact(path="/srv", uid=1001, owner="ann"), "belongs to ann"),
        (roots("/srv", group="staff", members=frozenset({"ann"})), "by the group staff (ann)"),
        (roots("/srv", group="w", members=frozenset("abcde")), "group w (a, b, c and 2 more)"),
    ],
)
def test_others(fact: PathFact, who: str) -> None:
    """Everybody, an owner, or the members of a group; the first place on the way is told."""
    (text,) = said(way(fact, roots("/srv/report", is_open=True)))
    assert who in text
    assert ", on the way to /srv/report;" in text


@pytest.mark.parametrize(
    "fact",
    [
        roots("/srv"),
        PathFact(path="/srv", uid=1000, owner="daemon"),
        roots("/srv", is_open=True, is_sticky=True),
        roots("/srv", group="staff"),
        PathFact(path="/srv", uid=1000, owner="daemon", group="daemon", members=frozenset({"daemon", "root"})),
    ],
)
def test_nobody_else(fact: PathFact) -> None:
    """Root, the command's user, a group that nobody is in, and what only an owner may replace."""
    assert said(way(fact, roots("/srv/report"))) == []


def test_a_command_with_a_user() -> None:
    """Its user may write, and then the daemon's is somebody else."""
    keys = 'run = ["/srv/report"]\nuser = "root"'
    assert "belongs to daemon" in said(way(PathFact(path="/srv/report", uid=1000, owner="daemon")), keys)[0]


def test_directories_and_scripts() -> None:
    """The working directory itself must be nobody else's, even where everybody's files are their own."""
    keys = 'run = ["bash", "/srv/report"]\nworking_directory = "/var/tmp"'
    open_script = {"/srv/report": (roots("/srv/report", is_open=True),)}
    shared = {"/var/tmp": (roots("/var/tmp", is_open=True, is_sticky=True),)}
    found = lines_of_command(keys, HostFacts(ways={**open_script, **shared}))
    assert [each.split(": ")[1] for each in found] == ["commands.x.run", "commands.x.working_directory"]
    assert rules_of(found) == ["writable-path"] * 2
