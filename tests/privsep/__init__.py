"""Tests of the runner process, and of what the daemon has of it."""
