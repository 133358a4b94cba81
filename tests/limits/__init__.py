"""Tests of bounds on what callers may use."""
