"""One request from caller to answer: authorize it, share or queue its run, report what happened.

May import: core, limits, execution, parameters.
"""
