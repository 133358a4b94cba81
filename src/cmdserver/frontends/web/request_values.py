"""What a request gives to a command: the values in its path, query and body, and our own fields beside them.

What stands in the path behind the name are values in the order of the parameters, and never ``name=value``. Queries and
bodies have fields. Rule of this file: pure.
"""

from typing import Final, NamedTuple

from cmdserver.core.errors import BadArgument, Malformed
from cmdserver.core.model import Command
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.http.target import Target
from cmdserver.frontends.web.pages.layout import EDIT_FIELD, OWN_FIELDS, SENT_FIELD, YES_FIELD
from cmdserver.parameters.mistakes import NotAccepted, ValueMistake
from cmdserver.parameters.text_types import TRUE, Flag

#: The field of a query by which text is sent while it is made; no parameter can be called so.
FOLLOW: Final = "follow"
_FLAG: Final = Flag()
_OWN_IN_QUERY: Final = OWN_FIELDS | {FOLLOW}
_IN_ADDRESS = "must not be in an address, which browsers and logs keep: send it in the body of a POST"


class RequestValues(NamedTuple):
    """The values that a request gives to a command."""

    #: The command's name, and what stands behind it in the path.
    words: tuple[str, ...]
    #: Named values of the query, without our own fields.
    query: Fields = ()
    #: All named values: those of the body too.
    fields: Fields = ()
    #: Our own that there are.
    own: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether there are no values, nor a form that was sent without any."""
        return len(self.words) == 1 and not self.fields and SENT_FIELD not in self.own

    @property
    def is_to_be_edited(self) -> bool:
        """Whether the values are to be changed before it runs."""
        return EDIT_FIELD in self.own

    @property
    def is_followed(self) -> bool:
        """Whether text is to be sent while it is made."""
        return FOLLOW in self.own

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody was asked whether to run it, and has said yes."""
        return YES_FIELD in self.own

    def secrets_in_address(self, command: Command) -> BadArgument | None:
        """Say which secrets are in the path or in the query; None if there are none."""
        secrets = command.parameters.secrets_given(self.words[1:], self.query)
        mistakes = tuple(ValueMistake(name, _IN_ADDRESS) for name in secrets)
        return BadArgument("; ".join(map(str, mistakes)), mistakes) if mistakes else None


def follows(target: Target) -> bool:
    """Whether the query asks for text while it is made: ``?follow``, with no value, or one that means yes.

    Raises:
        Malformed: The value means neither yes nor no.
    """
    for name, value in target.query:
        if name == FOLLOW:
            try:
                return not value or _FLAG.canonical(value) == TRUE
            except NotAccepted as error:
                raise Malformed(f"{FOLLOW} {error}, or have no value") from error
    return False


def values_of(target: Target, form: Fields) -> RequestValues:
    """Take the values of a request apart."""
    parts = target.parts
    if len(parts) > 1:
        parts = parts if parts[-1] else parts[:-1]  # a slash at the end
        if any("=" in part or part == "--" for part in parts[1:]):
            parts = (parts[0], "--", *parts[1:])
    query = [field for field in target.query if field[0] not in _OWN_IN_QUERY]
    own = {name for fields in (target.query, form) for name, _ in fields if name in OWN_FIELDS}
    if follows(target):
        own.add(FOLLOW)
    if not any(name == YES_FIELD for name, _ in form):
        own.discard(YES_FIELD)  # who was asked has answered with a form: no link can say yes for them
    return RequestValues(
        parts, query, [*query, *(field for field in form if field[0] not in OWN_FIELDS)], frozenset(own)
    )
