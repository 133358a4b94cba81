"""Tests of composition, start, stop and the command line."""
