"""Tests of the SSH front end."""
