"""Who is told of events: the audit file and the metrics.

May import: core, files.
"""
