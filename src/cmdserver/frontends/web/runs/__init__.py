"""The runs of all callers over HTTP: their list, one of them, and what ends it."""
