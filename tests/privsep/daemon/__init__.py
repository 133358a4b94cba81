"""Tests of what the daemon has of the runner."""
