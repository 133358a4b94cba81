"""``cmdserver audit``."""
