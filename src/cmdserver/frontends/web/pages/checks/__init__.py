"""Checks on pages: their states, and what they have measured, as bars and plots."""
