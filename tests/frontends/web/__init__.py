"""Tests of the web listener."""
