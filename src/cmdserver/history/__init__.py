"""The history of runs: what is kept of them in a SQLite database, beside everything that a caller waits for.

May import: core, files, runs.
"""
