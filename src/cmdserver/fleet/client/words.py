"""What a caller types, ``COMMAND VALUE…``, as the request that a host's web listener takes. Pure."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from cmdserver.auth.signatures.request_signing import Question
from cmdserver.fleet.bus_messages import ROLL_CALL
from cmdserver.parameters.parameter_list import split_words


def question_of(command: str, values: Sequence[str]) -> Question:
    """Ask for a command.

    Args:
        command: Its name.
        values: Positional ones, and ``name=value``; behind ``--`` all are positional.

    Raises:
        ValueError: A positional value is empty, which no address can say.
    """
    fields: dict[str, list[str]] = {}
    positional, named = split_words(values)
    for name, value in named:
        fields.setdefault(name, []).append(value)
    if "" in positional:
        raise ValueError("an empty value takes its name: NAME=")
    target = "/" + "/".join(quote(each, safe="") for each in (command, *positional))
    if not fields:
        return Question("POST", target)
    body = json.dumps({name: each if len(each) > 1 else each[0] for name, each in fields.items()})
    return Question("POST", target, "application/json", body.encode("ascii"))


#: Asks a host what it tells of itself.
WHO_IS_THERE: Final = Question(*ROLL_CALL)
