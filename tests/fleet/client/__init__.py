"""Tests of who asks many hosts."""
