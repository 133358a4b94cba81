"""Tests of the SSH door: each file is for the one of the same name."""
