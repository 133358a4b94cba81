"""Tests of the runner process."""
