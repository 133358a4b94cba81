"""One request from caller to answer: authorize it, share or queue its run, report what happened.

May import: checks, parameters, core, limits, execution, parsers, runs.
"""
