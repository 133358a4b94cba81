"""Tests of a host's agent."""
