"""What every test of the real daemon may ask for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.integration.browser import chromium
from tests.integration.daemon import Daemon, prepared


@pytest.fixture
def daemon_to_be(tmp_path: Path) -> Iterator[Daemon]:
    """Give a daemon that is neither configured nor started."""
    with prepared(tmp_path) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give the one browser for all visits of a module; while it is there, no other event loop can run in its worker."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def public_directory() -> Iterator[Path]:
    """Give a directory where a daemon may make files and sockets, whomever it has become."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)
