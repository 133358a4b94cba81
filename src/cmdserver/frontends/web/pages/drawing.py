"""The data of a run on a page; see `cmdserver.frontends.web.pages.tables.drawing.draw`, which does it."""

from cmdserver.core.output import Answer
from cmdserver.frontends.web.pages.markup import Markup
from cmdserver.frontends.web.pages.tables.drawing import AddressOfSort, draw


def html_of(answer: Answer, sort: str = "", address_of_sort: AddressOfSort | None = None) -> Markup | None:
    """Draw the data of a run, or why there are none; None if there is nothing to draw.

    Args:
        answer: With its data, see `OutputParsers.with_data`.
        sort: The value of ``sort`` in the address of the page; empty for the order that is given.
        address_of_sort: Makes that address for another order; None: only the script sorts.
    """
    return draw(answer.parsed, answer.parser, answer.finished.stdout, sort, address_of_sort)
