"""Tests of values, errors and names."""
