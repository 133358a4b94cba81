"""Tests of `cmdserver.triggers`."""
