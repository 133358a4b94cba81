"""The SSH listener (RFC 4251 to 4254): who logs in, what a session may do, and the terminal that a person sees.

May import: parameters, core, files, limits, sshtransport, auth, runs, dispatch, net, frontends.common.
"""
