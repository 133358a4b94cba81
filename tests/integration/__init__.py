"""The real daemon and real clients: slow, and nothing is pretended."""
