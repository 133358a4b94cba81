"""What every front end is given."""

from collections.abc import Callable
from typing import Any

from cmdserver.config.schema.host import Limits
from cmdserver.core.site import Site
from cmdserver.frontends.common.interface import FrontEndContext
from tests.running_doubles import Composition


def a_context(composition: Composition, liveness: Any, limits: Callable[[], Limits]) -> FrontEndContext:
    """Make what a composition gives to a front end.

    Args:
        composition: Where the front end asks.
        liveness: Stands in for `PeerLiveness`.
        limits: As they are at the moment.
    """
    return FrontEndContext(
        dispatcher=composition.dispatcher,
        connection_limit=composition.connection_limit,
        liveness=liveness,
        clock=composition.clock,
        limits=limits,
        time_of_day=composition.time_of_day,
        started_at=0.0,
        site=lambda: Site(name="shop1"),
    )
