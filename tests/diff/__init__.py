"""Tests of what two configurations differ in."""
