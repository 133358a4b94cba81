"""Tests of what makes the man pages, packaging/man/manpages."""
