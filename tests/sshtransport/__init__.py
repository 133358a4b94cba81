"""Tests of the SSH transport, module by module."""
