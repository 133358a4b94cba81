"""Tests of the line listener."""
