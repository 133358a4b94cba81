"""What stands beside a command's form: what runs, as whom and how long, and what came of it before."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from cmdserver.core.model import Command
from cmdserver.frontends.web.pages.command_parts import address_of_run
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm, address_of, is_sent_by_get
from cmdserver.frontends.web.pages.forms.what_runs import command_line, standard_input
from cmdserver.frontends.web.pages.layout import Visitor, at
from cmdserver.frontends.web.pages.markup import Markup, element
from cmdserver.frontends.web.pages.relative_time import ago, roughly
from cmdserver.frontends.web.pages.runs.run_marks import Shown, brief_state, is_own, mark_class

#: The longest time that is said in seconds.
_MINUTE: Final = 60


class Experience(Struct, frozen=True, kw_only=True):
    """What is known of runs of a command that somebody may see."""

    #: How long they usually take; None if that is not known.
    usual_seconds: float | None = None
    #: Newest first.
    last: Sequence[Shown] = ()
    #: Seconds since the epoch.
    now: float


def beside(visitor: Visitor, filled: FilledForm, experience: Experience) -> Markup:
    """Make the column beside a form."""
    command = filled.command
    reads = standard_input(command, filled.values)
    runs = element(
        "section",
        element("h2", "What runs"),
        element("div", command_line(command, filled.values), class_="sunken"),
        None if reads is None else element("p", "It reads ", reads),
        element("p", "As user ", element("b", command.user), f", for {how_long(command, experience)}."),
        class_="card aside",
        aria_label="What runs",
    )
    parts = (runs, last_runs(visitor, command, experience), _address(visitor, filled))
    return element("div", *parts, class_="beside-form")


def last_runs(visitor: Visitor, command: Command, experience: Experience) -> Markup | None:
    """Make the list of a command's last runs: each fills the form with its values."""
    if not experience.last:
        return None
    rows = [_last_run(visitor, command, each, experience.now) for each in experience.last]
    return element(
        "section",
        element("h2", "Last runs"),
        element("ul", *rows),
        class_="card aside last-runs",
        aria_label="Last runs",
    )


def how_long(command: Command, experience: Experience) -> str:
    """Say how long a command may take, and how long it usually does."""
    most = f"{_time(command.timeout_seconds)} at most"
    usual = experience.usual_seconds
    return most if usual is None else f"{most}, usually {roughly(usual)}"


def _last_run(visitor: Visitor, command: Command, shown: Shown, now: float) -> Markup:
    record = shown.record
    said = " · ".join(part for part in (brief_state(record), shown.values) if part)
    text: Markup | str = said or "no values"
    if command.parameters:
        text = element("a", text, href=at(visitor, address_of_run(command, record, is_edited=True)))
    by = "you" if is_own(record, visitor.name) else record.user
    when = element("span", ago(record.asked_at, now), f", {by}" if by else None, class_="quiet")
    return element("li", element("span", text, class_=mark_class(record)), when)


def _address(visitor: Visitor, filled: FilledForm) -> Markup | None:
    """Make the link that has the values; the script keeps it up to date."""
    if filled.command.parameters.secrets or not filled.command.parameters:
        return None
    address = filled.address
    link = element("a", "This address", href=at(visitor, address or address_of(filled.command)), data_address=True)
    does = "runs it with these values" if is_sent_by_get(filled.command) else "opens the form with these values"
    return element("p", link, f" {does}.", class_="quiet", hidden=address is None)


def _time(seconds: float) -> str:
    """Say a time span as people do: ``30 s``, ``5 min``, ``1 h 30 min``."""
    if seconds < 2 * _MINUTE or seconds % _MINUTE:
        return f"{seconds:g} s"
    hours, minutes = divmod(int(seconds) // _MINUTE, _MINUTE)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
