"""Tests of `cmdserver.audit`."""
