"""Tests of the kinds of services."""
