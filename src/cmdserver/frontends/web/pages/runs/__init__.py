"""Runs on pages: their list, one of them, and the marks of their states."""
