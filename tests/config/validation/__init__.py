"""Tests of what is checked beyond types."""
