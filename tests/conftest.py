"""What holds for all tests."""

import os

import pytest
from hypothesis import settings

# The same examples each time; a busy machine takes longer, and says nothing of ours by that.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let ``-n auto`` have three workers for two processors: half of what tests do is to wait for real programs."""
    return max(1, int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or len(os.sched_getaffinity(0)) * 3 // 2))
