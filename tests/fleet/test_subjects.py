"""Tests of the bus' subjects: where hosts hear, and where an answer may go."""

import pytest

from cmdserver.core.site import FleetHost
from cmdserver.fleet import subjects


def test_where_hosts_are_asked() -> None:
    """One subject for each, whatever the case of the name; and one for all."""
    assert subjects.of_host(FleetHost("prod", "Web-1.Example")) == "cmdserver.prod.host.web-1.example"
    assert subjects.of_all("Prod") == "cmdserver.Prod.all"


@pytest.mark.parametrize(
    ("user", "word"),
    [("ada", "ada"), ("a.b@c d", "a_b_c_d"), (">", "_"), ("*", "_"), ("a\r\nSUB > 1", "a__SUB___1"), ("\u00e9", "_")],
)
def test_inboxes(user: str, word: str) -> None:
    """The caller's name is one word of it, so that it subscribes to nobody else's; and hosts may answer there."""
    inbox = subjects.inbox(user, "0a1b")

    assert inbox == f"_INBOX.cmdserver.{word}.0a1b"
    assert subjects.is_reply_subject(f"{inbox}.7")


def test_where_answers_go() -> None:
    """Below the inboxes, in one subject of sane length without wildcards."""
    assert subjects.is_reply_subject("_INBOX.cmdserver.ada")
    assert subjects.is_reply_subject("_INBOX.cmdserver." + "a" * 239)
    for subject in (
        "", "_INBOX.cmdserver", "_INBOX.cmdserver.", "_INBOX.cmdserver.a.", "_INBOX.cmdserver..a", "_INBOX.other.a",
        "_INBOXxcmdserver.a", "_INBOX.cmdserverx.a", "_inbox.cmdserver.a", "cmdserver.prod.host.web-1",
        "_INBOX.cmdserver.*", "_INBOX.cmdserver.>", "_INBOX.cmdserver.a b", "_INBOX.cmdserver.a\n",
        "_INBOX.cmdserver.\u00e9", "x_INBOX.cmdserver.a", "_INBOX.cmdserver." + "a" * 240,
    ):  # fmt: skip
        assert not subjects.is_reply_subject(subject), subject
