"""``cmdserver audit``: whether the audit file is whole, and what is in it."""
