"""What holds for all tests."""

from hypothesis import settings

# The same examples each time; a busy machine takes longer, and says nothing of ours by that.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")
