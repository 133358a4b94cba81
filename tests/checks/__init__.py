"""Tests of the package `cmdserver.checks`."""
