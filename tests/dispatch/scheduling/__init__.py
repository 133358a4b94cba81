"""Tests of what lies between granted requests and processes."""
