"""Tests of the commands for people who ask a fleet."""
