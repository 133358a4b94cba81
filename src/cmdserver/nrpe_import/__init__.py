"""Moving from NRPE: from the text of nrpe.cfg to TOML that means the same, and a reason for all that cannot.

NRPE gives its command lines to a shell. Here there is none, so a line is taken only if it means the same without one.
Nothing here runs anything, or knows the daemon.
May import: core.
"""
