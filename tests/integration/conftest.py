"""What every test of the real daemon may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, prepared


@pytest.fixture
def daemon_to_be(tmp_path: Path) -> Iterator[Daemon]:
    """Give a daemon that is neither configured nor started."""
    with prepared(tmp_path) as daemon:
        yield daemon
