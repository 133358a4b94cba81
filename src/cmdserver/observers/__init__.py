"""Who is told of events: the audit file, the daemon's log and the metrics.

May import: audit, checks, core, files, logs.
"""
