"""Tests of `cmdserver.forwarding`."""
