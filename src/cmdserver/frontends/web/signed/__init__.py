"""Requests that are signed by their callers, over HTTP, and the answers to them, which the host signs."""
