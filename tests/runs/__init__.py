"""Tests of what a run is to those who look at it."""
