"""The front end of NRPE listeners: check_nrpe asks for checks and for commands that only read.

May import: core, limits, auth, net, frontends.common.
"""
