"""Pictures of runs, made once for all who share a run: for pages as HTML, for scripts as an event's data.

A reader costs a look into a table. Without that, a thousand readers of one run would have its table drawn a thousand
times, with everybody else waiting.
"""

import json
from functools import lru_cache
from typing import Final

from cmdserver.core.model import Answer
from cmdserver.dispatch.output_parsers import parse, readable
from cmdserver.frontends.web.pages.drawing import draw
from cmdserver.frontends.web.pages.markup import Markup
from cmdserver.frontends.web.pages.picture import for_scripts, picture

#: Runs whose pictures are kept, for those who ask a moment later.
_KEPT: Final = 8


def drawn(answer: Answer, streamed: bytes | None = None) -> Markup | None:
    """Draw the data of a run; None if there is nothing to draw. The arguments are those of `structured.readable`."""
    found = readable(answer, streamed)
    return None if found is None else _drawn(*found)


def told(answer: Answer, streamed: bytes | None = None) -> bytes | None:
    """Say the same as JSON, for ``static/app.js`` to draw."""
    found = readable(answer, streamed)
    return None if found is None else _told(*found)


@lru_cache(maxsize=_KEPT)
def _drawn(parser: str, output: bytes) -> Markup | None:
    return draw(picture(parse(parser, output)))


@lru_cache(maxsize=_KEPT)
def _told(parser: str, output: bytes) -> bytes | None:
    parts = picture(parse(parser, output))
    return json.dumps(for_scripts(parts)).encode("ascii") if parts else None
