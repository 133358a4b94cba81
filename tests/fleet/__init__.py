"""Tests of many hosts."""
