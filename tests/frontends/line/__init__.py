"""Tests of the line door."""
