"""Tests of `cmdserver.logs`."""
